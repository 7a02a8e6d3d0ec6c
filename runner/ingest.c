/* Folder to struct store_result, and one call of store_ingest. */
#include "runner/ingest.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "runner/folder.h"
#include "runner/provenance.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LOG_TAIL = 32 << 10, MAX_CORRECT = 64 << 20 };

/* ---- curves --------------------------------------------------------------------------------- */

struct points {
    struct arena *arena;
    struct store_point *all;
    size_t n, cap;
    void (*last)(void *context, int epoch, const char *metric, double value);
    void *context;
};

static int add_point(void *context, const struct folder_metric *m)
{
    struct points *p = context;
    p->all = mem_grow(p->all, p->n, &p->cap, sizeof *p->all);
    p->all[p->n++] = (struct store_point){.metric = arena_strdup(p->arena, m->name),
                                          .epoch = m->epoch,
                                          .step = m->step,
                                          .value = m->value};
    if (p->last)
        p->last(p->context, m->epoch, m->name, m->value);
    return 0;
}

int ingest_events(struct store *s, const char *run, const char *folder, off_t *offset,
                  void (*last)(void *context, int epoch, const char *metric, double value),
                  void *context, struct error *err)
{
    int rc = 0;
    off_t to = *offset;
    struct arena arena = {0};
    struct points p = {.arena = &arena, .last = last, .context = context};
    /* A file that cannot be read now is read at the end, with what is wrong then. */
    folder_events(folder, &to, add_point, &p, NULL, NULL);
    if (p.n)
        rc = store_put_points(s, run, p.all, p.n, err);
    if (!rc)
        *offset = to;
    free(p.all);
    arena_release(&arena);
    return rc;
}

/* ---- rows of result.json -------------------------------------------------------------------- */

static const char *text_of(const json_t *row, const char *key)
{
    return json_string_value(json_object_get(row, key));
}

static int64_t whole_of(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_integer(v) ? (int64_t)json_integer_value(v)
           : json_is_real(v)  ? (int64_t)json_real_value(v)
                              : -1;
}

static double real_of(const json_t *row, const char *key)
{
    const json_t *v = json_object_get(row, key);
    return json_is_number(v) ? json_number_value(v) : NAN;
}

static void take_costs(struct store_result *r, const json_t *rows, struct arena *arena)
{
    size_t i, n = json_array_size(rows);
    const json_t *row;
    struct store_cost *costs = ARENA_ARRAY(arena, struct store_cost, n + 1);
    json_array_foreach(rows, i, row)
    {
        if (!text_of(row, "by") || !text_of(row, "name"))
            continue;
        costs[r->cost_row_count++] =
            (struct store_cost){.by = text_of(row, "by"),
                                .name = text_of(row, "name"),
                                .calls = whole_of(row, "calls"),
                                .params = whole_of(row, "params"),
                                .macs = whole_of(row, "macs"),
                                .macs_fvcore = whole_of(row, "macs_fvcore"),
                                .flops = whole_of(row, "flops"),
                                .bytes_read = whole_of(row, "bytes_read"),
                                .bytes_written = whole_of(row, "bytes_written")};
    }
    r->cost_rows = costs;
}

static void take_latency(struct store_result *r, const json_t *rows, struct arena *arena)
{
    size_t i, n = json_array_size(rows);
    const json_t *row;
    struct store_latency *all = ARENA_ARRAY(arena, struct store_latency, n + 1);
    json_array_foreach(rows, i, row)
    {
        all[r->latency_count++] =
            (struct store_latency){.model = text_of(row, "model"),
                                   .precision = text_of(row, "precision"),
                                   .device = text_of(row, "device"),
                                   .protocol = text_of(row, "protocol"),
                                   .batch = whole_of(row, "batch"),
                                   .threads = whole_of(row, "threads"),
                                   .blocks = whole_of(row, "blocks"),
                                   .peak_bytes = whole_of(row, "peak_bytes"),
                                   .p50_ms = real_of(row, "p50_ms"),
                                   .p90_ms = real_of(row, "p90_ms"),
                                   .p99_ms = real_of(row, "p99_ms"),
                                   .iqr_ms = real_of(row, "iqr_ms"),
                                   .mean_ms = real_of(row, "mean_ms"),
                                   .min_ms = real_of(row, "min_ms"),
                                   .images_per_s = real_of(row, "images_per_s")};
    }
    r->latency = all;
}

static void take_metrics(struct store_result *r, json_t *metrics, struct arena *arena)
{
    const char *name;
    json_t *value;
    struct store_metric *all =
        ARENA_ARRAY(arena, struct store_metric, json_object_size(metrics) + 1);
    json_object_foreach(metrics, name, value)
    {
        /* null: not finite */
        double number = json_is_number(value) ? json_number_value(value) : NAN;
        all[r->metric_count++] = (struct store_metric){.name = name, .value = number};
    }
    r->metrics = all;
}

/* ---- facts ---------------------------------------------------------------------------------- */

/* The worker's own facts come after the runner's and win: it knows its threads and its device. */
static void take_facts(struct provenance *p, json_t *facts, struct arena *arena)
{
    const char *key;
    json_t *value;
    json_object_foreach(facts, key, value)
    {
        if (json_is_string(value)) {
            provenance_add(p, arena, key, json_string_value(value));
        } else {
            char *text = json_dumps(value, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);
            if (text)
                provenance_add(p, arena, key, text);
            free(text);
        }
    }
}

static void take_correct(struct store_result *r, const char *folder, const json_t *facts,
                         char **bits)
{
    size_t size;
    json_int_t images = json_integer_value(json_object_get(facts, "eval_images"));
    char *path = folder_path(folder, "correct.bits");
    if (images > 0 && file_exists(path) && !file_read(path, MAX_CORRECT, bits, &size, NULL) &&
        (json_int_t)size == (images + 7) / 8) {
        r->correct = (const unsigned char *)*bits;
        r->correct_images = (size_t)images;
    }
    free(path);
}

/* ---- one run -------------------------------------------------------------------------------- */

static void set_aside(const char *folder)
{
    char *from = folder_path(folder, "result.json"),
         *to = folder_path(folder, "result.refused.json");
    rename(from, to);
    free(from);
    free(to);
}

int ingest_run(struct store *s, const struct ingest_attempt *attempt, enum store_state *state,
               struct error *why, struct error *err)
{
    struct arena arena = {0};
    struct strbuf log = STRBUF_INIT;
    struct points points = {.arena = &arena};
    struct provenance facts;
    struct store_result r = {.exit_code = attempt->exit_code,
                             .finished = attempt->finished,
                             .wall_s = attempt->wall_s,
                             .cpu_s = attempt->cpu_s};
    char *bits = NULL;
    off_t start = 0;

    *why = (struct error){0};
    json_t *result = folder_result(attempt->folder, why);
    if (why->code)
        set_aside(attempt->folder);
    r.state = result ? STORE_DONE : why->code ? STORE_FAILED : attempt->state;
    r.message = result ? NULL : why->code ? why->msg : attempt->message;

    folder_events(attempt->folder, &start, add_point, &points, NULL, NULL);
    r.points = points.all;
    r.point_count = points.n;
    folder_log_tail(attempt->folder, LOG_TAIL, &log);
    r.log = log.text;
    provenance_read(&facts, attempt->folder, &arena);
    if (result) {
        json_t *worker = json_object_get(result, "facts"), *rows = json_object_get(result, "rows");
        take_metrics(&r, json_object_get(result, "metrics"), &arena);
        take_facts(&facts, worker, &arena);
        take_costs(&r, json_object_get(rows, "cost"), &arena);
        take_latency(&r, json_object_get(rows, "latency"), &arena);
        take_correct(&r, attempt->folder, worker, &bits);
    }
    if (attempt->peak_bytes > 0)
        provenance_add(&facts, &arena, "peak_rss_bytes",
                       arena_printf(&arena, "%lld", attempt->peak_bytes));
    r.facts = facts.facts;
    r.fact_count = facts.count;

    int rc = store_ingest(s, attempt->run, &r, err);
    *state = r.state;
    json_decref(result);
    free(bits);
    free(points.all);
    strbuf_release(&log);
    arena_release(&arena);
    return rc;
}
