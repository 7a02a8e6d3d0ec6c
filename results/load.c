/* Reading whole records back: the inverse of describe.c and ingest.c. */
#include "results/load.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <math.h>
#include <string.h>

static const char *text_at(struct arena *arena, const struct rows *r, size_t row, size_t column)
{
    const struct rows_cell *cell = rows_cell(r, row, column);
    return cell->type == ROWS_TEXT ? arena_strdup(arena, cell->text) : NULL;
}

static int64_t integer_at(const struct rows *r, size_t row, size_t column)
{
    const struct rows_cell *cell = rows_cell(r, row, column);
    return cell->type == ROWS_INTEGER ? cell->integer : -1;
}

static double real_at(const struct rows *r, size_t row, size_t column)
{
    return rows_number(rows_cell(r, row, column));
}

static struct store_value value_at(struct arena *arena, const char *key,
                                   const struct rows_cell *cell)
{
    char text[32];
    struct store_value v = {arena_strdup(arena, key), STORE_TEXT, ""};
    if (cell->type == ROWS_INTEGER) {
        v.type = STORE_INTEGER;
        v.text = arena_printf(arena, "%lld", (long long)cell->integer);
    } else if (cell->type == ROWS_REAL) {
        v.type = STORE_REAL;
        v.text = arena_strdup(arena, number_format(cell->real, text));
    } else {
        v.text = arena_strdup(arena, cell->text);
    }
    return v;
}

/* ---- experiments ----------------------------------------------------------------------------- */

static int load_lists(struct store *s, int64_t id, struct arena *arena, struct store_experiment *e,
                      struct error *err)
{
    struct rows *axes = store_query(
        s, err, "SELECT key FROM experiment_axis WHERE experiment=? ORDER BY position", "i", id);
    struct rows *goals = store_query(
        s, err,
        "SELECT metric, maximize FROM experiment_objective WHERE experiment=? ORDER BY position",
        "i", id);
    struct rows *base = store_query(
        s, err, "SELECT key, value FROM experiment_baseline WHERE experiment=? ORDER BY key", "i",
        id);
    int rc = axes && goals && base ? 0 : -1;
    if (!rc) {
        const char **keys = ARENA_ARRAY(arena, const char *, axes->count);
        struct store_objective *objectives =
            ARENA_ARRAY(arena, struct store_objective, goals->count);
        struct store_value *values = ARENA_ARRAY(arena, struct store_value, base->count);
        for (size_t i = 0; i < axes->count; i++)
            keys[i] = text_at(arena, axes, i, 0);
        for (size_t i = 0; i < goals->count; i++)
            objectives[i] =
                (struct store_objective){text_at(arena, goals, i, 0), (int)integer_at(goals, i, 1)};
        for (size_t i = 0; i < base->count; i++)
            if (rows_cell(base, i, 1)->type != ROWS_NULL)
                values[e->baseline_count++] =
                    value_at(arena, rows_cell(base, i, 0)->text, rows_cell(base, i, 1));
        e->axes = keys;
        e->axis_count = axes->count;
        e->objectives = objectives;
        e->objective_count = goals->count;
        e->baseline = values;
    }
    rows_free(axes);
    rows_free(goals);
    rows_free(base);
    return rc;
}

int load_experiment(struct store *s, int64_t id, struct arena *arena, struct store_experiment *e,
                    struct error *err)
{
    struct rows *r = store_query(
        s, err, "SELECT name, title, file, text, published FROM experiment WHERE id=?", "i", id);
    if (!r)
        return -1;
    *e = (struct store_experiment){.name = text_at(arena, r, 0, 0),
                                   .title = text_at(arena, r, 0, 1),
                                   .file = text_at(arena, r, 0, 2),
                                   .text = text_at(arena, r, 0, 3),
                                   .published = text_at(arena, r, 0, 4)};
    rows_free(r);
    return load_lists(s, id, arena, e, err);
}

/* ---- cells ----------------------------------------------------------------------------------- */

static int load_values(struct store *s, int64_t id, struct arena *arena, struct store_cell *c,
                       struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    if (names_load(s, err))
        return -1;
    strbuf_adds(&sql, "SELECT id");
    for (size_t i = 0; i < s->name_count; i++)
        if (s->names[i].kind == NAME_KEY && s->names[i].in_cell)
            strbuf_addf(&sql, ", k%lld", (long long)s->names[i].id);
    strbuf_adds(&sql, " FROM cell WHERE id=?");
    struct rows *r = store_query(s, err, sql.text, "i", id);
    strbuf_release(&sql);
    if (!r)
        return -1;
    struct store_value *values = ARENA_ARRAY(arena, struct store_value, r->columns);
    size_t column = 1;
    for (size_t i = 0; i < s->name_count && r->count; i++) {
        if (s->names[i].kind != NAME_KEY || !s->names[i].in_cell)
            continue;
        const struct rows_cell *cell = rows_cell(r, 0, column++);
        if (cell->type != ROWS_NULL)
            values[c->value_count++] = value_at(arena, s->names[i].text, cell);
    }
    c->values = values;
    rows_free(r);
    return 0;
}

static struct store_metric *metrics_of(struct arena *arena, const struct rows *r)
{
    struct store_metric *m = ARENA_ARRAY(arena, struct store_metric, r->count);
    for (size_t i = 0; i < r->count; i++)
        m[i] = (struct store_metric){text_at(arena, r, i, 0), real_at(r, i, 1)};
    return m;
}

static int load_cost_rows(struct store *s, int64_t cell, struct arena *arena,
                          const struct store_cost **rows, size_t *count, struct error *err)
{
    struct rows *r =
        store_query(s, err,
                    "SELECT by, name, calls, params, macs, macs_fvcore, flops, bytes_read,"
                    " bytes_written FROM cost WHERE cell=? ORDER BY position",
                    "i", cell);
    if (!r)
        return -1;
    struct store_cost *costs = ARENA_ARRAY(arena, struct store_cost, r->count);
    for (size_t i = 0; i < r->count; i++)
        costs[i] = (struct store_cost){
            text_at(arena, r, i, 0), text_at(arena, r, i, 1), integer_at(r, i, 2),
            integer_at(r, i, 3),     integer_at(r, i, 4),     integer_at(r, i, 5),
            integer_at(r, i, 6),     integer_at(r, i, 7),     integer_at(r, i, 8)};
    *rows = costs;
    *count = r->count;
    rows_free(r);
    return 0;
}

int load_cell(struct store *s, int64_t id, struct arena *arena, struct store_cell *c,
              struct error *err)
{
    *c = (struct store_cell){.id = NULL};
    struct rows *r = store_query(s, err,
                                 "SELECT c.hash, t.identity, t.config FROM cell c JOIN cell_text t "
                                 "ON t.cell=c.id WHERE c.id=?",
                                 "i", id);
    struct rows *costs = store_query(
        s, err,
        "SELECT n.name, v.value FROM cell_metric v JOIN name n ON n.id=v.name WHERE v.cell=?", "i",
        id);
    int rc = r && costs && r->count ? 0 : -1;
    if (!rc) {
        c->id = text_at(arena, r, 0, 0);
        c->identity = text_at(arena, r, 0, 1);
        c->config = text_at(arena, r, 0, 2);
        c->costs = metrics_of(arena, costs);
        c->cost_count = costs->count;
    } else if (r && costs) {
        error_env(err, "%s: a cell has no text: the file is damaged", s->path);
    }
    rows_free(r);
    rows_free(costs);
    if (!rc)
        rc = load_values(s, id, arena, c, err);
    return rc ? rc : load_cost_rows(s, id, arena, &c->cost_rows, &c->cost_row_count, err);
}

/* ---- results --------------------------------------------------------------------------------- */

static int load_curves(struct store *s, int64_t run, struct arena *arena, struct store_result *r,
                       struct error *err)
{
    struct rows *rows = store_query(s, err,
                                    "SELECT n.name, v.epoch, v.step, v.value FROM curve v JOIN "
                                    "name n ON n.id=v.name WHERE v.run=?",
                                    "i", run);
    if (!rows)
        return -1;
    struct store_point *points = ARENA_ARRAY(arena, struct store_point, rows->count);
    for (size_t i = 0; i < rows->count; i++)
        points[i] = (struct store_point){text_at(arena, rows, i, 0), integer_at(rows, i, 1),
                                         integer_at(rows, i, 2), real_at(rows, i, 3)};
    r->points = points;
    r->point_count = rows->count;
    rows_free(rows);
    return 0;
}

static int load_latency(struct store *s, int64_t run, struct arena *arena, struct store_result *r,
                        struct error *err)
{
    struct rows *l =
        store_query(s, err,
                    "SELECT model, precision, device, protocol, batch, threads, blocks,"
                    " peak_bytes, p50_ms, p90_ms, p99_ms, iqr_ms, mean_ms, min_ms, images_per_s"
                    " FROM latency WHERE run=? ORDER BY position",
                    "i", run);
    if (!l)
        return -1;
    struct store_latency *all = ARENA_ARRAY(arena, struct store_latency, l->count);
    for (size_t i = 0; i < l->count; i++)
        all[i] = (struct store_latency){.model = text_at(arena, l, i, 0),
                                        .precision = text_at(arena, l, i, 1),
                                        .device = text_at(arena, l, i, 2),
                                        .protocol = text_at(arena, l, i, 3),
                                        .batch = integer_at(l, i, 4),
                                        .threads = integer_at(l, i, 5),
                                        .blocks = integer_at(l, i, 6),
                                        .peak_bytes = integer_at(l, i, 7),
                                        .p50_ms = real_at(l, i, 8),
                                        .p90_ms = real_at(l, i, 9),
                                        .p99_ms = real_at(l, i, 10),
                                        .iqr_ms = real_at(l, i, 11),
                                        .mean_ms = real_at(l, i, 12),
                                        .min_ms = real_at(l, i, 13),
                                        .images_per_s = real_at(l, i, 14)};
    r->latency = all;
    r->latency_count = l->count;
    rows_free(l);
    return 0;
}

static int load_facts(struct store *s, int64_t run, struct arena *arena, struct store_result *r,
                      struct error *err)
{
    struct rows *f = store_query(
        s, err, "SELECT f.key, t.text FROM fact f JOIN fact_text t ON t.id=f.text WHERE f.run=?",
        "i", run);
    if (!f)
        return -1;
    struct store_fact *facts = ARENA_ARRAY(arena, struct store_fact, f->count);
    for (size_t i = 0; i < f->count; i++)
        facts[i] = (struct store_fact){text_at(arena, f, i, 0), text_at(arena, f, i, 1)};
    r->facts = facts;
    r->fact_count = f->count;
    rows_free(f);
    return 0;
}

static int load_correct(struct store *s, int64_t run, struct arena *arena, struct store_result *r,
                        struct error *err)
{
    sqlite3_stmt *st = sql_open(s, err, "SELECT images, bits FROM correct WHERE run=?", "i", run);
    if (!st)
        return -1;
    int more = sql_step(s, st, err);
    if (more > 0) {
        int64_t images = sqlite3_column_int64(st, 0);
        size_t bytes = (size_t)sqlite3_column_bytes(st, 1);
        const void *bits = sqlite3_column_blob(st, 1);
        if (images < 0 || ((uint64_t)images + 7) / 8 != bytes) {
            more = error_env(err, "%s: the correctness bits of a run have the wrong size", s->path);
        } else if (bytes) {
            r->correct = memcpy(arena_alloc(arena, bytes), bits, bytes);
            r->correct_images = (size_t)images;
        }
    }
    sql_close(s, st);
    return more < 0 ? -1 : 0;
}

static int load_row(struct store *s, int64_t run, struct arena *arena, struct store_result *r,
                    struct error *err)
{
    struct rows *row =
        store_query(s, err,
                    "SELECT r.state, r.exit_code, r.started, r.finished, r.wall_s, r.cpu_s,"
                    " r.message, l.log FROM run r LEFT JOIN run_log l ON l.run=r.id"
                    " WHERE r.id=?",
                    "i", run);
    struct rows *metrics = store_query(
        s, err, "SELECT n.name, v.value FROM run_metric v JOIN name n ON n.id=v.name WHERE v.run=?",
        "i", run);
    int rc = row && metrics && row->count ? 0 : -1;
    if (!rc) {
        *r = (struct store_result){
            .state = (enum store_state)store_state_find(rows_cell(row, 0, 0)->text),
            .exit_code = (int)integer_at(row, 0, 1),
            .started = real_at(row, 0, 2),
            .finished = real_at(row, 0, 3),
            .wall_s = real_at(row, 0, 4),
            .cpu_s = real_at(row, 0, 5),
            .message = text_at(arena, row, 0, 6),
            .log = text_at(arena, row, 0, 7),
            .metrics = metrics_of(arena, metrics),
            .metric_count = metrics->count};
    }
    rows_free(row);
    rows_free(metrics);
    return rc;
}

int load_result(struct store *s, int64_t id, struct arena *arena, struct store_result *r,
                struct error *err)
{
    return load_row(s, id, arena, r, err) || load_curves(s, id, arena, r, err) ||
                   load_latency(s, id, arena, r, err) || load_facts(s, id, arena, r, err) ||
                   load_correct(s, id, arena, r, err)
               ? -1
               : 0;
}
