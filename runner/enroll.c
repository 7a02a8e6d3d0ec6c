/* struct experiment to struct store_*. */
#include "runner/enroll.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "results/store.h"

/* "cuda:1" is of class "cuda": which of several equal devices ran it does not matter. */
static const char *device_class(const char *device, struct arena *a)
{
    return arena_strndup(a, device, strcspn(device, ":"));
}

static double work_of(const struct enroll_options *o, const struct cell *c)
{
    double images = o->images ? o->images(o->context, c) : 0;
    double macs = c->cost.train_macs > 0 ? (double)c->cost.train_macs : 3.0 * (double)c->cost.macs;
    double epochs = config_is_active(c->config, "train.epochs")
                        ? (double)config_int(c->config, "train.epochs")
                        : 1;
    return macs > 0 ? macs * images * epochs : 0;
}

static const char *config_of(const struct experiment *e, const struct cell *c,
                             const struct enroll_options *o, int64_t seed, struct arena *a)
{
    static const char *const measures[] = {"cost", "accuracy", "latency"};
    struct strbuf text = STRBUF_INIT;
    config_dump(c->config, &text);
    strbuf_adds(&text, "measure: [");
    for (unsigned i = 0, n = 0; i < 3; i++)
        if (e->measure & 1u << i)
            strbuf_addf(&text, "%s%s", n++ ? ", " : "", measures[i]);
    strbuf_adds(&text, "]\n");
    strbuf_addf(&text, "seed: %lld\ndevice: %s\nthreads: %d\ncell: %s\n", (long long)seed,
                o->device, o->threads, c->id);
    const char *copy = arena_strdup(a, text.text);
    strbuf_release(&text);
    return copy;
}

/* Weights and two moments in each of two checkpoints, and the weights at the end; with a running
 * mean of the weights (train.average) that as well, in each of the three. */
static long long disk_of(const struct experiment *e, const struct cell *c)
{
    const char *average = config_is_active(c->config, "train.average")
                              ? config_text(c->config, "train.average")
                              : NULL;
    int copies = average && strcmp(average, "none") ? 10 : 7;
    if (!(e->measure & EXPERIMENT_ACCURACY) || c->cost.params <= 0)
        return 0;
    return copies * 4 * c->cost.params;
}

static struct schedule_task make_task(const struct experiment *e, const struct cell *c,
                                      int64_t seed, const struct enroll_options *o, struct arena *a)
{
    const char *class = device_class(o->device, a);
    int plain = !strcmp(class, "cpu");
    char *run = arena_alloc(a, STORE_RUN_ID);
    const char *label = c->label && *c->label ? c->label : c->id;
    int computes = e->measure != EXPERIMENT_COST;
    return (struct schedule_task){
        .run = store_run_id(run, c->id, seed, class),
        .folder = arena_printf(a, "%s/runs/%s-s%lld%s%s", o->out, c->id, (long long)seed,
                               plain ? "" : "-", plain ? "" : class),
        .label = arena_printf(a, "%s seed %lld", label, (long long)seed),
        .config = config_of(e, c, o, seed, a),
        .work = work_of(o, c),
        .memory_bytes = computes && c->cost.peak_train_bytes > 0 ? c->cost.peak_train_bytes : 0,
        .disk_bytes = disk_of(e, c)};
}

void enroll_preview(const struct experiment *e, const struct enroll_options *o, struct arena *arena,
                    struct schedule_task **tasks, size_t *count)
{
    size_t n = 0, max = (size_t)e->n_cells * (size_t)e->n_seeds;
    *tasks = ARENA_ARRAY(arena, struct schedule_task, max + 1);
    for (int i = 0; i < e->n_cells; i++)
        for (int k = 0; e->cells[i].state == CELL_PLANNED && k < e->n_seeds; k++)
            (*tasks)[n++] = make_task(e, &e->cells[i], e->seeds[k], o, arena);
    *count = n;
}

/* ---- description ---------------------------------------------------------------------------- */

static enum store_type type_of(const struct config_key *key)
{
    switch (key->type) {
    case CONFIG_INT:
        return STORE_INTEGER;
    case CONFIG_FLOAT:
        return STORE_REAL;
    default:
        return STORE_TEXT;
    }
}

/* The type of a key whose declaration some cell knows. */
static enum store_type type_in(const struct experiment *e, const char *name)
{
    const struct config_key *key = e->n_cells ? config_find(e->cells[0].config, name) : NULL;
    return key ? type_of(key) : STORE_TEXT;
}

static int put_experiment(struct store *s, const struct experiment *e,
                          const struct enroll_options *o, struct arena *a, struct error *err)
{
    struct store_value *baseline = ARENA_ARRAY(a, struct store_value, e->n_baseline + 1);
    struct store_objective *objectives =
        ARENA_ARRAY(a, struct store_objective, e->n_objectives + 1);
    for (int i = 0; i < e->n_baseline; i++)
        baseline[i] = (struct store_value){.key = e->baseline[i].key,
                                           .type = type_in(e, e->baseline[i].key),
                                           .text = e->baseline[i].text};
    for (int i = 0; i < e->n_objectives; i++)
        objectives[i] = (struct store_objective){.metric = e->objectives[i].metric,
                                                 .maximize = e->objectives[i].maximize};
    const struct store_experiment x = {.name = e->name,
                                       .title = o->title ? o->title : e->title,
                                       .file = e->file,
                                       .text = e->text,
                                       .published = e->published,
                                       .baseline = baseline,
                                       .baseline_count = (size_t)e->n_baseline,
                                       .objectives = objectives,
                                       .objective_count = (size_t)e->n_objectives,
                                       .axes = e->axes,
                                       .axis_count = (size_t)e->n_axes};
    return store_put_experiment(s, &x, err);
}

static size_t values_of(const struct cell *c, struct arena *a, struct store_value **values)
{
    struct config_item item;
    int items = 0;
    size_t n = 0;
    while (config_item(c->config, items, &item))
        items++;
    *values = ARENA_ARRAY(a, struct store_value, items + 1);
    for (int i = 0; i < items; i++) {
        config_item(c->config, i, &item);
        if (item.active)
            (*values)[n++] = (struct store_value){
                .key = item.key->name, .type = type_of(item.key), .text = item.text};
    }
    return n;
}

static size_t costs_of(const struct cell *c, struct store_metric costs[8])
{
    const struct {
        const char *name;
        int64_t value;
    } known[] = {{"cost/params", c->cost.params},
                 {"cost/macs", c->cost.macs},
                 {"cost/macs_fvcore", c->cost.macs_fvcore},
                 {"cost/flops", c->cost.flops},
                 {"cost/train_macs", c->cost.train_macs},
                 {"memory/peak_bytes", c->cost.peak_train_bytes},
                 {"memory/eval_bytes", c->cost.peak_eval_bytes}};
    size_t n = 0;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++)
        if (known[i].value >= 0)
            costs[n++] =
                (struct store_metric){.name = known[i].name, .value = (double)known[i].value};
    return n;
}

static int put_cell(struct store *s, const struct experiment *e, const struct cell *c,
                    struct error *err)
{
    struct arena arena = {0};
    struct strbuf config = STRBUF_INIT;
    struct store_value *values;
    struct store_metric costs[8];
    size_t n_values = values_of(c, &arena, &values), n_costs = costs_of(c, costs);
    config_dump(c->config, &config);
    const struct store_cell x = {.id = c->id,
                                 .identity = c->identity,
                                 .config = config.text,
                                 .values = values,
                                 .value_count = n_values,
                                 .costs = costs,
                                 .cost_count = n_costs};
    int rc =
        store_put_cell(s, &x, err) || store_put_member(s, e->name, c->id, c->index, c->label, err)
            ? -1
            : 0;
    strbuf_release(&config);
    arena_release(&arena);
    return rc;
}

/* ---- runs ----------------------------------------------------------------------------------- */

/* How the database names a folder: from its own folder on where it lies below, else absolute. */
static const char *stored_name(const struct store *s, const char *folder, struct arena *a)
{
    char cwd[PATH_MAX];
    const char *db = store_path(s), *slash = strrchr(db, '/');
    size_t n = slash ? (size_t)(slash + 1 - db) : 0;
    if (*folder != '/' && getcwd(cwd, sizeof cwd))
        folder = arena_printf(a, "%s/%s", cwd, folder);
    return n && !strncmp(folder, db, n) ? arena_strdup(a, folder + n) : folder;
}

static const char *path_of(const struct store *s, const char *name, struct arena *a)
{
    const char *db = store_path(s), *slash = strrchr(db, '/');
    return *name == '/' || !slash ? name : arena_printf(a, "%.*s/%s", (int)(slash - db), db, name);
}

static int put_run(struct store *s, const struct experiment *e, const struct cell *c, int64_t seed,
                   const struct enroll_options *o, struct schedule_task *t, struct arena *a,
                   struct error *err)
{
    struct store_run row;
    const char *class = device_class(o->device, a);
    if (store_put_run(s, e->name, c->id, seed, class, NULL, err) ||
        store_run(s, t->run, a, &row, err) != 1)
        return -1;
    if (*row.folder && file_is_folder(path_of(s, row.folder, a))) {
        t->folder = path_of(s, row.folder, a);
        return 0;
    }
    return store_put_run(s, e->name, c->id, seed, class, stored_name(s, t->folder, a), err);
}

static int put_all(struct store *s, const struct experiment *e, const struct enroll_options *o,
                   struct arena *a, struct schedule_task *tasks, struct error *err)
{
    size_t n = 0;
    if (put_experiment(s, e, o, a, err) ||
        (!o->keep_members && store_clear_members(s, e->name, err)))
        return -1;
    for (int i = 0; i < e->n_cells; i++) {
        const struct cell *c = &e->cells[i];
        if (c->state != CELL_PLANNED)
            continue;
        if (put_cell(s, e, c, err))
            return -1;
        for (int k = 0; k < e->n_seeds; k++, n++)
            if (put_run(s, e, c, e->seeds[k], o, &tasks[n], a, err))
                return -1;
    }
    return 0;
}

int enroll(struct store *s, const struct experiment *e, const struct enroll_options *o,
           struct arena *arena, struct schedule_task **tasks, size_t *count, struct error *err)
{
    enroll_preview(e, o, arena, tasks, count);
    if (store_begin(s, err))
        return -1;
    if (put_all(s, e, o, arena, *tasks, err)) {
        store_rollback(s);
        return -1;
    }
    return store_commit(s, err);
}
