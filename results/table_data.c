/* Loading an experiment's cells and values. Two queries whatever the size: cells, then runs. */
#include "results/table_data.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- metric ---------------------------------------------------------------------------------- */

/* Where nobody said so: losses, costs, times and memory are better when small. */
static int larger_is_better(const char *metric)
{
    static const char *const small[] = {"loss", "cost/", "latency/", "memory/",
                                        "err",  "_ms",   "_bytes"};
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        if (strstr(metric, small[i]))
            return 0;
    return 1;
}

static const char *metric_at(const void *context, int i)
{
    const struct rows *r = context;
    return (size_t)i < r->count ? rows_cell(r, (size_t)i, 0)->text : NULL;
}

/* The metrics that this experiment's runs or cells have. */
static struct rows *known_metrics(struct store *s, const char *experiment, struct error *err)
{
    return store_query(
        s, err,
        "WITH e(id) AS (SELECT id FROM experiment WHERE name = ?1)"
        " SELECT n.name FROM name n WHERE n.kind = 1 AND (EXISTS (SELECT 1 FROM e"
        "   JOIN member_run m ON m.experiment = e.id"
        "   JOIN run_metric v ON v.run = m.run AND v.name = n.id)"
        " OR EXISTS (SELECT 1 FROM e JOIN member_cell c ON c.experiment = e.id"
        "   JOIN cell_metric v ON v.cell = c.cell AND v.name = n.id)) ORDER BY n.name",
        "s", experiment);
}

static int has(const struct rows *metrics, const char *name)
{
    for (int i = 0; metric_at(metrics, i); i++)
        if (strcmp(metric_at(metrics, i), name) == 0)
            return 1;
    return 0;
}

static int choose_metric(struct table_data *d, const struct rows *metrics,
                         const struct rows *objectives, const char *wanted, struct error *err)
{
    static const char *const usual[] = {"val/top1", "val/miou", "latency/p50_ms", "cost/macs"};
    const char *name = wanted;
    if (!name && objectives->count)
        name = rows_cell(objectives, 0, 0)->text;
    for (size_t i = 0; !name && i < sizeof usual / sizeof *usual; i++)
        name = has(metrics, usual[i]) || !metrics->count ? usual[i] : NULL;
    if (!name)
        name = metric_at(metrics, 0);
    if (wanted && !has(metrics, wanted)) {
        struct strbuf hint = STRBUF_INIT;
        config_hint(&hint, wanted, metric_at, metrics);
        error_set(err, "no run of %s has the metric %s%s", d->experiment, wanted, hint.text);
        strbuf_release(&hint);
        return -1;
    }
    d->metric = arena_strdup(&d->arena, name);
    d->maximize = larger_is_better(name);
    for (size_t i = 0; i < objectives->count; i++)
        if (strcmp(rows_cell(objectives, i, 0)->text, name) == 0)
            d->maximize = rows_cell(objectives, i, 1)->integer != 0;
    return 0;
}

/* The objective that the metric trades off with. Only what is the same for all seeds. */
static void choose_front(struct table_data *d, const struct rows *objectives)
{
    d->front_cost = -1;
    for (size_t i = 0; i < objectives->count && d->front_cost < 0; i++) {
        const char *name = rows_cell(objectives, i, 0)->text;
        for (size_t k = 0; k < d->cost_count; k++)
            if (strcmp(d->costs[k], name) == 0 && strncmp(name, "cost/", 5) == 0)
                d->front_cost = (int)k;
        d->front_maximize = rows_cell(objectives, i, 1)->integer != 0;
    }
}

static int load_metrics(struct table_data *d, struct store *s, const char *wanted,
                        struct error *err)
{
    static const char *const costs[] = {"cost/params", "cost/macs", "latency/p50_ms",
                                        "throughput/img_s", "memory/peak_bytes"};
    struct rows *metrics = known_metrics(s, d->experiment, err);
    struct rows *objectives = store_query(s, err,
                                          "SELECT o.metric, o.maximize FROM experiment_objective o "
                                          "JOIN experiment e ON e.id = o.experiment"
                                          " WHERE e.name = ? ORDER BY o.position",
                                          "s", d->experiment);
    int rc = metrics && objectives ? choose_metric(d, metrics, objectives, wanted, err) : -1;
    d->costs = ARENA_ARRAY(&d->arena, const char *, sizeof costs / sizeof *costs);
    for (size_t i = 0; i < sizeof costs / sizeof *costs && !rc; i++)
        if (has(metrics, costs[i]) && strcmp(costs[i], d->metric) != 0)
            d->costs[d->cost_count++] = costs[i];
    if (!rc)
        choose_front(d, objectives);
    rows_free(metrics);
    rows_free(objectives);
    return rc;
}

/* ---- keys ------------------------------------------------------------------------------------ */

struct key_context {
    const struct store *s;
};

static const char *key_at(const void *context, int i)
{
    const struct store *s = ((const struct key_context *)context)->s;
    for (size_t k = 0; k < s->name_count; k++)
        if (s->names[k].kind == NAME_KEY && s->names[k].in_cell && i-- == 0)
            return s->names[k].text;
    return NULL;
}

int64_t table_key_id(const struct store *s, const char *key)
{
    for (size_t k = 0; k < s->name_count; k++)
        if (s->names[k].kind == NAME_KEY && s->names[k].in_cell &&
            strcmp(s->names[k].text, key) == 0)
            return s->names[k].id;
    return -1;
}

const char *table_near_key(const struct store *s, const char *key)
{
    const char *near[CONFIG_NEAR];
    struct key_context context = {s};
    return config_near(key, key_at, &context, near) > 0 ? near[0] : NULL;
}

int table_check_key(struct store *s, const char *key, struct error *err)
{
    struct key_context context = {s};
    if (table_key_id(s, key) >= 0)
        return 0;
    struct strbuf hint = STRBUF_INIT;
    config_hint(&hint, key, key_at, &context);
    error_set(err, "no cell has the key %s%s", key, hint.text);
    strbuf_release(&hint);
    return -1;
}

/* The rows and columns asked for, then the axes that are neither. */
static int load_keys(struct table_data *d, struct store *s, const struct table_options *o,
                     struct error *err)
{
    if ((o->rows && table_check_key(s, o->rows, err)) ||
        (o->cols && table_check_key(s, o->cols, err)))
        return -1;
    struct rows *axes = store_query(s, err,
                                    "SELECT a.key FROM experiment_axis a JOIN experiment e ON e.id "
                                    "= a.experiment WHERE e.name = ?"
                                    " ORDER BY a.position",
                                    "s", d->experiment);
    if (!axes)
        return -1;
    d->keys = ARENA_ARRAY(&d->arena, const char *, axes->count + 2);
    if (o->rows)
        d->keys[d->key_count++] = o->rows;
    if (o->cols)
        d->keys[d->key_count++] = o->cols;
    for (size_t i = 0; i < axes->count; i++) {
        const char *key = rows_cell(axes, i, 0)->text;
        int taken = table_key_id(s, key) < 0 || (o->rows && strcmp(key, o->rows) == 0) ||
                    (o->cols && strcmp(key, o->cols) == 0);
        if (!taken)
            d->keys[d->key_count++] = arena_strdup(&d->arena, key);
    }
    rows_free(axes);
    return 0;
}

/* ---- cells ----------------------------------------------------------------------------------- */

const char *table_value_text(struct arena *arena, const struct rows_cell *cell)
{
    char text[32];
    switch (cell->type) {
    case ROWS_TEXT:
        return arena_strdup(arena, cell->text);
    case ROWS_INTEGER:
        return arena_printf(arena, "%lld", (long long)cell->integer);
    case ROWS_REAL:
        return arena_strdup(arena, number_format(cell->real, text));
    default:
        return "";
    }
}

/* An SQL expression: whether the cell's values are of the epoch that was best in validation. */
static const char *selects_sql(struct arena *arena, const struct store *s)
{
    int64_t id = table_key_id(s, "train.select");
    return id < 0 ? "0" : arena_printf(arena, "coalesce(c.k%lld LIKE 'best%%', 0)", (long long)id);
}

static int load_cells(struct table_data *d, struct store *s, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    strbuf_addf(&sql, "SELECT c.id, c.hash, coalesce(mc.label, substr(c.hash, 1, 8)), %s",
                selects_sql(&d->arena, s));
    for (size_t k = 0; k < d->key_count; k++)
        strbuf_addf(&sql, ", c.k%lld", (long long)table_key_id(s, d->keys[k]));
    strbuf_adds(&sql, " FROM experiment e JOIN member_cell mc ON mc.experiment = e.id"
                      " JOIN cell c ON c.id = mc.cell WHERE e.name = ? ORDER BY mc.position, c.id");
    struct rows *r = store_query(s, err, sql.text, "s", d->experiment);
    strbuf_release(&sql);
    if (!r)
        return -1;
    d->count = r->count;
    d->cells = ARENA_ARRAY(&d->arena, struct table_cell, r->count);
    for (size_t i = 0; i < r->count; i++) {
        struct table_cell *c = &d->cells[i];
        c->id = rows_cell(r, i, 0)->integer;
        c->hash = arena_strdup(&d->arena, rows_cell(r, i, 1)->text);
        c->label = arena_strdup(&d->arena, rows_cell(r, i, 2)->text);
        c->keys = ARENA_ARRAY(&d->arena, const char *, d->key_count);
        c->typed = ARENA_ARRAY(&d->arena, struct rows_cell, d->key_count);
        for (size_t k = 0; k < d->key_count; k++) {
            c->typed[k] = *rows_cell(r, i, 4 + k);
            const char *stored = table_value_text(&d->arena, &c->typed[k]);
            c->keys[k] = config_plain(&d->arena, stored);
            if (c->typed[k].type == ROWS_TEXT)
                c->typed[k].text = stored;
        }
        d->selecting += rows_cell(r, i, 3)->integer != 0;
        c->costs = ARENA_ARRAY(&d->arena, double, d->cost_count);
    }
    rows_free(r);
    return 0;
}

/* ---- runs ------------------------------------------------------------------------------------ */

static int by_id(const void *a, const void *b)
{
    const struct table_cell *x = *(struct table_cell *const *)a,
                            *y = *(struct table_cell *const *)b;
    return (x->id > y->id) - (x->id < y->id);
}

static struct table_cell *find(struct table_cell **sorted, size_t n, int64_t id)
{
    struct table_cell wanted = {.id = id}, *key = &wanted;
    struct table_cell **found = bsearch(&key, sorted, n, sizeof *sorted, by_id);
    return found ? *found : NULL;
}

/* cell, state, seed, device, value, costs… of one run. */
static void take_run(struct table_data *d, struct table_cell *c, const struct rows *r, size_t i,
                     size_t *cost_runs)
{
    const char *state = rows_cell(r, i, 1)->text;
    c->runs++;
    c->failed += strcmp(state, "failed") == 0 || strcmp(state, "timeout") == 0;
    int done = strcmp(state, "done") == 0;
    for (size_t k = 0; k < d->cost_count; k++) {
        double cost = rows_number(rows_cell(r, i, 5 + k));
        if (!isnan(cost)) {
            c->costs[k] += cost;
            cost_runs[k]++;
        }
    }
    double value = rows_number(rows_cell(r, i, 4));
    if (!done || isnan(value))
        return;
    c->values[c->n] = value;
    c->seeds[c->n] = rows_cell(r, i, 2)->integer;
    c->devices[c->n++] = arena_strdup(&d->arena, rows_cell(r, i, 3)->text);
}

/* Rows come ordered by cell, so each cell's runs are one stretch. */
static void take_runs(struct table_data *d, const struct rows *r)
{
    struct table_cell **sorted = ARENA_ARRAY(&d->arena, struct table_cell *, d->count);
    size_t *cost_runs = ARENA_ARRAY(&d->arena, size_t, d->cost_count + 1);
    for (size_t i = 0; i < d->count; i++)
        sorted[i] = &d->cells[i];
    qsort(sorted, d->count, sizeof *sorted, by_id);
    for (size_t i = 0, end; i < r->count; i = end) {
        int64_t id = rows_cell(r, i, 0)->integer;
        for (end = i; end < r->count && rows_cell(r, end, 0)->integer == id; end++)
            ;
        struct table_cell *c = find(sorted, d->count, id);
        if (!c)
            continue;
        c->values = ARENA_ARRAY(&d->arena, double, end - i);
        c->seeds = ARENA_ARRAY(&d->arena, int64_t, end - i);
        c->devices = ARENA_ARRAY(&d->arena, const char *, end - i);
        memset(cost_runs, 0, d->cost_count * sizeof *cost_runs);
        for (size_t k = i; k < end; k++)
            take_run(d, c, r, k, cost_runs);
        for (size_t k = 0; k < d->cost_count; k++)
            c->costs[k] = cost_runs[k] ? c->costs[k] / (double)cost_runs[k] : NAN;
    }
}

/* The value of a metric for run r of cell c: measured, or else known beforehand. */
static void add_value(struct strbuf *sql, const char *metric)
{
    char *quoted = sqlite3_mprintf("(SELECT id FROM name WHERE kind = 1 AND name = %Q)", metric);
    strbuf_addf(sql,
                ", coalesce((SELECT value FROM run_metric v WHERE v.run = r.id AND v.name = %s),"
                " (SELECT value FROM cell_metric w WHERE w.cell = r.cell AND w.name = %s))",
                quoted ? quoted : "NULL", quoted ? quoted : "NULL");
    sqlite3_free(quoted);
}

static int load_runs(struct table_data *d, struct store *s, const char *device, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    strbuf_adds(&sql, "SELECT r.cell, r.state, r.seed, r.device");
    add_value(&sql, d->metric);
    for (size_t k = 0; k < d->cost_count; k++)
        add_value(&sql, d->costs[k]);
    strbuf_adds(&sql,
                " FROM experiment e JOIN member_run m ON m.experiment = e.id"
                " JOIN run r ON r.id = m.run WHERE e.name = ?1 AND (?2 IS NULL OR r.device = ?2)"
                " ORDER BY r.cell, r.seed, r.device");
    struct rows *r = store_query(s, err, sql.text, "ss", d->experiment, device);
    strbuf_release(&sql);
    if (!r)
        return -1;
    if (r->count == 0 && device) {
        rows_free(r);
        return error_set(err, "%s has no run on %s", d->experiment, device);
    }
    take_runs(d, r);
    rows_free(r);
    return 0;
}

static int load_mixtures(struct table_data *d, struct store *s, const char *device,
                         struct error *err)
{
    struct rows *r = store_query(
        s, err,
        "SELECT count(DISTINCT f.text), count(DISTINCT r.device) FROM experiment e"
        " JOIN member_run m ON m.experiment = e.id JOIN run r ON r.id = m.run AND r.state = 'done'"
        " LEFT JOIN fact f ON f.run = r.id AND f.key = 'commit'"
        " WHERE e.name = ?1 AND (?2 IS NULL OR r.device = ?2)",
        "ss", d->experiment, device);
    if (!r)
        return -1;
    d->commits = (size_t)rows_cell(r, 0, 0)->integer;
    d->devices = (size_t)rows_cell(r, 0, 1)->integer;
    rows_free(r);
    return 0;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int load_experiment(struct table_data *d, struct store *s, const char *name,
                           struct error *err)
{
    int64_t id;
    if (find_experiment(s, name, &id, err))
        return -1;
    struct rows *r = store_query(s, err, "SELECT title FROM experiment WHERE id = ?", "i", id);
    if (!r)
        return -1;
    d->experiment = arena_strdup(&d->arena, name);
    d->title = r->count ? table_value_text(&d->arena, rows_cell(r, 0, 0)) : "";
    rows_free(r);
    return names_load(s, err);
}

int table_load(struct table_data *d, struct store *s, const struct table_options *o,
               struct error *err)
{
    if (load_experiment(d, s, o->experiment, err) || load_metrics(d, s, o->metric, err) ||
        load_keys(d, s, o, err) || load_cells(d, s, err) || load_runs(d, s, o->device, err) ||
        load_mixtures(d, s, o->device, err) || table_baseline(d, s, o, err)) {
        table_release(d);
        return -1;
    }
    return 0;
}

void table_release(struct table_data *d)
{
    arena_release(&d->arena);
    *d = (struct table_data){0};
}
