#include "train/checkpoint.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "train/network.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define FORMAT "vittm checkpoint 1"

static const char *const files[] = {"checkpoint.next.safetensors", "checkpoint.safetensors",
                                    "checkpoint.previous.safetensors"};
enum { FILE_NEXT, FILE_CURRENT, FILE_PREVIOUS, N_FILES };

static char *path_of(struct arena *a, const struct checkpoint_owner *o, int file)
{
    return arena_printf(a, "%s/%s", o->folder, files[file]);
}

/* The moments are flat in the order of the parameters: this says which order that is. */
static void layout_digest(const struct network *n, char hex[65])
{
    struct strbuf s = STRBUF_INIT;
    char shape[128];
    for (int i = 0; i < n->plan->n_trained; i++)
        strbuf_addf(&s, "%s %s\n", n->plan->params[i]->name,
                    shape_text(n->plan->params[i]->shape, shape, sizeof shape));
    file_sha256_bytes(s.text, s.len, hex);
    strbuf_release(&s);
}

/* ---- the position as metadata ---------------------------------------------------------------- */

/* One row a number. Doubles are written in hexadecimal, so that they read back to the bit. */
static const struct field {
    const char *key;
    size_t offset;
    int real, later; /* later: not in checkpoints of the first version, then 0, or NAN, which
                      * leaves the epoch's mean out */
} fields[] = {
#define WHOLE(member)                                                                              \
    {                                                                                              \
#member, offsetof(struct run_position, member), 0, 0                                       \
    }
#define LATER(member)                                                                              \
    {                                                                                              \
#member, offsetof(struct run_position, member), 0, 1                                       \
    }
#define REAL(member)                                                                               \
    {                                                                                              \
#member, offsetof(struct run_position, member), 1, 0                                       \
    }
#define LATER_REAL(member)                                                                         \
    {                                                                                              \
#member, offsetof(struct run_position, member), 1, 1                                       \
    }
    WHOLE(epoch),
    WHOLE(batch),
    WHOLE(step),
    REAL(sums.loss),
    REAL(sums.norm),
    WHOLE(sums.steps),
    WHOLE(sums.norms),
    WHOLE(sums.nonfinite),
    WHOLE(sums.images),
    WHOLE(sums.top1),
    REAL(best_top1),
    WHOLE(best_epoch),
    LATER(sums.skipped),
    LATER_REAL(sums.clip),
    LATER_REAL(sums.terms[0]),
    LATER_REAL(sums.terms[1]),
    LATER_REAL(sums.terms[2]),
#undef WHOLE
#undef LATER
#undef REAL
#undef LATER_REAL
};
_Static_assert(MODEL_TERMS_MAX == 3, "each term has a row above");
enum { N_FIELDS = sizeof fields / sizeof *fields, N_PAIRS = N_FIELDS + 5 };

static void *at_field(const struct run_position *at, const struct field *f)
{
    return (char *)(uintptr_t)at + f->offset;
}

static const char *field_text(struct arena *a, const struct run_position *at, const struct field *f)
{
    if (f->real)
        return arena_printf(a, "%a", *(double *)at_field(at, f));
    return arena_printf(a, "%lld", (long long)*(int64_t *)at_field(at, f));
}

static int parse_field(struct run_position *at, const struct field *f, const char *text)
{
    char *end;
    errno = 0;
    if (!text && f->later) {
        if (f->real)
            *(double *)at_field(at, f) = NAN;
        return 0;
    }
    if (!text || !*text)
        return -1;
    if (f->real)
        *(double *)at_field(at, f) = strtod(text, &end);
    else
        *(int64_t *)at_field(at, f) = strtoll(text, &end, 10);
    return *end || errno == ERANGE ? -1 : 0;
}

static void add_pairs(struct arena *a, const struct checkpoint_owner *o,
                      const struct run_position *at, const struct network *n,
                      struct safetensors_pair pairs[N_PAIRS])
{
    char layout[65];
    json_t *last = metrics_json(&at->last);
    char *text = json_dumps(last, JSON_COMPACT | JSON_REAL_PRECISION(17));
    layout_digest(n, layout);
    for (int i = 0; i < N_FIELDS; i++)
        pairs[i] = (struct safetensors_pair){fields[i].key, field_text(a, at, &fields[i])};
    pairs[N_FIELDS] = (struct safetensors_pair){"format", FORMAT};
    pairs[N_FIELDS + 1] = (struct safetensors_pair){"cell", o->cell};
    pairs[N_FIELDS + 2] =
        (struct safetensors_pair){"seed", arena_printf(a, "%llu", (unsigned long long)o->seed)};
    pairs[N_FIELDS + 3] = (struct safetensors_pair){"layout", arena_strdup(a, layout)};
    pairs[N_FIELDS + 4] = (struct safetensors_pair){"last", arena_strdup(a, text)};
    free(text);
    json_decref(last);
}

/* ---- saving ---------------------------------------------------------------------------------- */

static struct safetensors_entry flat_entry(const struct network *n, const struct tensor *t,
                                           const void *values)
{
    return (struct safetensors_entry){
        .name = t->name,
        .type = network_value_size(n) == sizeof(double) ? SAFETENSORS_F64 : SAFETENSORS_F32,
        .rank = 1,
        .dim = {shape_count(t->shape)},
        .data = values};
}

static int move_in(struct arena *a, const struct checkpoint_owner *o, struct error *err)
{
    const char *next = path_of(a, o, FILE_NEXT), *current = path_of(a, o, FILE_CURRENT);
    if (rename(current, path_of(a, o, FILE_PREVIOUS)) && errno != ENOENT)
        return error_env(err, "%s: cannot move: %s", current, strerror(errno));
    if (rename(next, current))
        return error_env(err, "%s: cannot move: %s", next, strerror(errno));
    int fd = open(o->folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd >= 0) {
        fsync(fd);
        close(fd);
    }
    return 0;
}

int checkpoint_save(const struct checkpoint_owner *o, const struct run_position *at,
                    const struct network *n, struct weights *scratch, const struct weights *best,
                    struct error *err)
{
    struct arena a = {0};
    struct safetensors_pair pairs[N_PAIRS];
    size_t flat = (size_t)n->plan->flat_count * network_value_size(n), count = 0;
    char *states = mem_alloc(flat * (size_t)n->n_states + 1);
    struct safetensors_entry *entries =
        ARENA_ARRAY(&a, struct safetensors_entry, 2 * scratch->n + NETWORK_STATES_MAX);
    weights_get(scratch, n);
    weights_entries(scratch, "", &a, entries);
    count = (size_t)scratch->n;
    for (int i = 0; i < n->n_states; i++) {
        network_get(n, n->states[i], states + flat * (size_t)i);
        entries[count++] = flat_entry(n, n->states[i], states + flat * (size_t)i);
    }
    if (best && at->best_epoch > 0) {
        weights_entries(best, "best/", &a, entries + count);
        count += (size_t)best->n;
    }
    add_pairs(&a, o, at, n, pairs);
    int rc =
        safetensors_write(path_of(&a, o, FILE_NEXT), entries, count, pairs, N_PAIRS, NULL, err);
    if (!rc)
        rc = move_in(&a, o, err);
    free(states);
    arena_release(&a);
    return rc;
}

/* ---- loading --------------------------------------------------------------------------------- */

static int expect(const struct safetensors *s, const char *key, const char *want, struct error *err)
{
    const char *have = safetensors_metadata(s, key);
    if (have && !strcmp(have, want))
        return 0;
    return error_env(err, "%s: its %s is %.100s, this run's is %s", s->path, key,
                     have ? have : "missing", want);
}

static int read_position(const struct safetensors *s, struct run_position *at, struct error *err)
{
    const char *text = safetensors_metadata(s, "last");
    *at = (struct run_position){0};
    for (int i = 0; i < N_FIELDS; i++)
        if (parse_field(at, &fields[i], safetensors_metadata(s, fields[i].key)))
            return error_env(err, "%s: its %s is not a number", s->path, fields[i].key);
    json_t *last = text ? json_loads(text, 0, NULL) : NULL;
    if (!json_is_object(last)) {
        json_decref(last);
        return error_env(err, "%s: has no metrics", s->path);
    }
    metrics_take(&at->last, last);
    json_decref(last);
    return 0;
}

static int open_checked(struct safetensors *s, const char *path, const struct checkpoint_owner *o,
                        const struct network *n, struct run_position *at, struct error *err)
{
    char layout[65], seed[32];
    if (safetensors_open(s, path, err))
        return -1;
    layout_digest(n, layout);
    snprintf(seed, sizeof seed, "%llu", (unsigned long long)o->seed);
    if (!safetensors_metadata(s, "sha256"))
        error_env(err, "%s: has no digest", path);
    else if (!safetensors_verify(s, err) && !expect(s, "format", FORMAT, err) &&
             !expect(s, "cell", o->cell, err) && !expect(s, "seed", seed, err) &&
             !expect(s, "layout", layout, err) && !read_position(s, at, err))
        return 0;
    safetensors_close(s);
    return -1;
}

static int read_flat(const struct safetensors *s, const struct tensor *t, struct network *n,
                     struct error *err)
{
    const struct safetensors_tensor *from = safetensors_find(s, t->name);
    if (!from || from->count != shape_count(t->shape))
        return error_env(err, "%s: lacks %s", s->path, t->name);
    void *values = mem_alloc((size_t)from->count * sizeof(double) + 1);
    if (network_value_size(n) == sizeof(double))
        safetensors_read_double(from, values);
    else
        safetensors_read_float(from, values);
    network_put(n, t, values);
    free(values);
    return 0;
}

static int restore(const struct safetensors *s, const struct run_position *at, struct network *n,
                   struct weights *scratch, struct weights *best, struct error *err)
{
    if (weights_load(scratch, s, "", NULL, err))
        return -1;
    if (best && at->best_epoch > 0 && weights_load(best, s, "best/", NULL, err))
        return -1;
    for (int i = 0; i < n->n_states; i++)
        if (read_flat(s, n->states[i], n, err))
            return -1;
    weights_put(scratch, n);
    return 0;
}

static int further(const struct run_position *a, const struct run_position *b)
{
    return a->step != b->step ? a->step > b->step : a->epoch > b->epoch;
}

int checkpoint_load(const struct checkpoint_owner *o, struct run_position *at, struct network *n,
                    struct weights *scratch, struct weights *best)
{
    struct arena a = {0};
    int found = 0;
    for (int i = 0; i < N_FILES; i++) {
        struct safetensors s;
        struct run_position here;
        struct error err = {0};
        const char *path = path_of(&a, o, i);
        if (!file_exists(path))
            continue;
        if (open_checked(&s, path, o, n, &here, &err)) {
            warn("%s; this checkpoint is not used", err.msg);
            continue;
        }
        if (!found || further(&here, at)) {
            if (restore(&s, &here, n, scratch, best, &err)) {
                warn("%s; this checkpoint is not used", err.msg);
            } else {
                *at = here;
                found = 1;
            }
        }
        safetensors_close(&s);
    }
    arena_release(&a);
    return found;
}

void checkpoint_remove(const char *folder)
{
    struct arena a = {0};
    const struct checkpoint_owner o = {.folder = folder};
    for (int i = 0; i < N_FILES; i++) {
        const char *path = path_of(&a, &o, i);
        if (unlink(path) && errno != ENOENT)
            warn("%s: cannot be removed: %s", path, strerror(errno));
    }
    arena_release(&a);
}
