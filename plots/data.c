#include "plots/data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "plots/metric.h"
#include "results/rows.h"
#include "results/stats.h"

static const char *cell_text(struct arena *a, const struct rows_cell *c)
{
    char text[32];
    switch (c->type) {
    case ROWS_TEXT:
        return c->text;
    case ROWS_INTEGER:
        return arena_printf(a, "%lld", (long long)c->integer);
    case ROWS_REAL:
        return arena_strdup(a, isfinite(c->real) ? number_format(c->real, text) : "nan");
    default:
        return NULL;
    }
}

static const char *text_at(struct arena *a, const struct rows *r, size_t row, int column)
{
    const char *text = column >= 0 ? cell_text(a, rows_cell(r, row, (size_t)column)) : NULL;
    return text != NULL ? text : "";
}

/* A configuration key's value as people write it; NULL where the cell has none. */
static const char *key_text(struct plot_data *d, const struct plot_cell *c, int column)
{
    const char *text = cell_text(&d->arena, rows_cell(d->source.runs, c->rows[0], (size_t)column));
    return text != NULL ? config_plain(&d->arena, text) : NULL;
}

/* ---- cells ---- */

struct grouping {
    const char *id, *experiment, *device;
};

static int same(const struct plot_cell *c, const struct grouping *g)
{
    return strcmp(c->id, g->id) == 0 && strcmp(c->experiment, g->experiment) == 0 &&
           strcmp(c->device, g->device) == 0;
}

/* Rows of one cell are neighbours where they come from a store, so the last cell is nearly always
 * it. */
static struct plot_cell *find_cell(struct plot_data *d, const struct grouping *g)
{
    for (size_t i = d->n_cells; i-- > 0;)
        if (same(&d->cells[i], g))
            return &d->cells[i];
    return NULL;
}

static void add_row(struct plot_data *d, struct plot_cell *c, size_t row)
{
    if ((c->n_rows & (c->n_rows - 1)) == 0) {
        size_t *grown = ARENA_ARRAY(&d->arena, size_t, c->n_rows ? c->n_rows * 2 : 1);
        if (c->n_rows > 0)
            memcpy(grown, c->rows, c->n_rows * sizeof *grown);
        c->rows = grown;
    }
    ((size_t *)c->rows)[c->n_rows++] = row;
}

static void collect_cells(struct plot_data *d)
{
    const struct rows *r = d->source.runs;
    int cell = rows_column(r, "cell"), label = rows_column(r, "label");
    int experiment = rows_column(r, "experiment"), device = rows_column(r, "device");
    d->cells = ARENA_ARRAY(&d->arena, struct plot_cell, r->count + 1);
    for (size_t i = 0; i < r->count; i++) {
        struct grouping g = {text_at(&d->arena, r, i, cell), text_at(&d->arena, r, i, experiment),
                             text_at(&d->arena, r, i, device)};
        struct plot_cell *c = find_cell(d, &g);
        if (c == NULL) {
            c = &d->cells[d->n_cells++];
            *c = (struct plot_cell){.id = g.id,
                                    .experiment = g.experiment,
                                    .device = g.device,
                                    .label = text_at(&d->arena, r, i, label)};
        }
        add_row(d, c, i);
    }
}

/* ---- factors ---- */

int data_is_key(const char *column)
{
    return strcmp(column, "experiment") == 0 || strcmp(column, "device") == 0 ||
           strncmp(column, "config.", 7) == 0 ||
           (strchr(column, '.') != NULL && strchr(column, '/') == NULL);
}

static int find_level(const struct plot_factor *f, const char *text)
{
    for (int i = 0; i < f->n; i++)
        if (strcmp(f->levels[i], text) == 0)
            return i;
    return -1;
}

static int by_number(const void *a, const void *b)
{
    double x = 0, y = 0;
    number_float(*(const char *const *)a, &x);
    number_float(*(const char *const *)b, &y);
    return x < y ? -1 : x > y;
}

/* Returns the factor's number of distinct values over the cells. "Not active" counts as one beside
 * two others; a key with one value that some cells do not read splits them as another key does
 * (latent_dim, by the head). */
static int read_factor(struct plot_data *d, const char *key, struct plot_factor *f)
{
    int column = rows_column(d->source.runs, key), inactive = 0;
    *f = (struct plot_factor){.key = key, .numeric = 1};
    if (column < 0)
        return 0;
    f->levels = ARENA_ARRAY(&d->arena, const char *, d->n_cells + 1);
    for (size_t i = 0; i < d->n_cells; i++) {
        const char *text = key_text(d, &d->cells[i], column);
        double number;
        if (text == NULL)
            inactive = 1;
        else if (find_level(f, text) < 0) {
            f->levels[f->n++] = text;
            f->numeric &= number_float(text, &number) == 0;
        }
    }
    if (f->numeric)
        qsort(f->levels, (size_t)f->n, sizeof *f->levels, by_number);
    return f->n >= 2 ? f->n + inactive : f->n;
}

static int level_of(struct plot_data *d, const struct plot_factor *f, const struct plot_cell *c)
{
    const char *text = key_text(d, c, rows_column(d->source.runs, f->key));
    return text != NULL ? find_level(f, text) : -1;
}

/* Whether factor f splits the cells as an earlier factor does. */
static int repeats(const struct plot_data *d, int earlier, const int *levels)
{
    for (size_t i = 0; i < d->n_cells; i++)
        for (size_t k = 0; k < i; k++) {
            int together = d->cells[i].levels[earlier] == d->cells[k].levels[earlier];
            if (together != (levels[i] == levels[k]))
                return 0;
        }
    return 1;
}

static void add_factor(struct plot_data *d, const char *key)
{
    struct plot_factor f;
    for (int i = 0; i < d->n_factors; i++)
        if (strcmp(d->factors[i].key, key) == 0)
            return;
    if (read_factor(d, key, &f) < 2)
        return;
    int *levels = ARENA_ARRAY(&d->arena, int, d->n_cells);
    for (size_t i = 0; i < d->n_cells; i++)
        levels[i] = level_of(d, &f, &d->cells[i]);
    for (int i = 0; i < d->n_factors; i++)
        if (repeats(d, i, levels))
            return;
    for (size_t i = 0; i < d->n_cells; i++)
        ((int *)d->cells[i].levels)[d->n_factors] = levels[i];
    d->factors[d->n_factors++] = f;
}

/* Calls with each word of "a, b, c". */
static void each_word(struct plot_data *d, const char *text,
                      void (*call)(struct plot_data *, const char *))
{
    while (text != NULL && *text != 0) {
        size_t n = strcspn(text, ",");
        const char *start = text + strspn(text, " ");
        size_t length = n - (size_t)(start - text);
        if (length > 0)
            call(d, arena_strndup(&d->arena, start, length));
        text += n + (text[n] == ',');
    }
}

static void collect_factors(struct plot_data *d)
{
    const struct rows *r = d->source.runs, *e = d->source.experiments;
    d->factors = ARENA_ARRAY(&d->arena, struct plot_factor, r->columns + 1);
    for (size_t i = 0; i < d->n_cells; i++)
        d->cells[i].levels = ARENA_ARRAY(&d->arena, int, r->columns + 1);
    int axes = e != NULL ? rows_column(e, "axes") : -1;
    for (size_t i = 0; axes >= 0 && i < e->count; i++)
        each_word(d, text_at(&d->arena, e, i, axes), add_factor);
    for (size_t i = 0; i < r->columns; i++)
        if (data_is_key(r->names[i]))
            add_factor(d, r->names[i]);
}

static void add_objective(struct plot_data *d, const char *text)
{
    const char *end = strrchr(text, ' ');
    if (end == NULL)
        return;
    const char *metric = arena_strndup(&d->arena, text, (size_t)(end - text));
    for (int i = 0; i < d->n_objectives; i++)
        if (strcmp(d->objectives[i].metric, metric) == 0)
            return;
    struct plot_objective *grown =
        ARENA_ARRAY(&d->arena, struct plot_objective, d->n_objectives + 1);
    if (d->n_objectives > 0)
        memcpy(grown, d->objectives, (size_t)d->n_objectives * sizeof *grown);
    grown[d->n_objectives++] = (struct plot_objective){metric, strcmp(end + 1, "max") == 0};
    d->objectives = grown;
}

int data_arrange(struct plot_data *d, struct plot_source source, struct error *err)
{
    *d = (struct plot_data){.source = source};
    static const char *const needed[] = {"run", "cell", "seed", "state"};
    for (size_t i = 0; i < sizeof needed / sizeof *needed; i++)
        if (rows_column(source.runs, needed[i]) < 0)
            return error_set(err, "rows of runs have no column %s", needed[i]);
    collect_cells(d);
    collect_factors(d);
    const struct rows *e = source.experiments;
    int objectives = e != NULL ? rows_column(e, "objectives") : -1;
    for (size_t i = 0; objectives >= 0 && i < e->count; i++)
        each_word(d, text_at(&d->arena, e, i, objectives), add_objective);
    if (e != NULL && e->count == 1 && rows_column(e, "title") >= 0) {
        const char *title = text_at(&d->arena, e, 0, rows_column(e, "title"));
        d->title = title[0] != 0 ? title : NULL;
    }
    return 0;
}

void data_release(struct plot_data *d)
{
    struct rows *all[] = {d->source.runs,      d->source.curves,     d->source.costs,
                          d->source.published, d->source.latency,    d->source.compute,
                          d->source.env,       d->source.experiments};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        if (all[i] != NULL)
            rows_free(all[i]);
    arena_release(&d->arena);
}

/* ---- values ---- */

const char *data_text(const struct plot_data *d, size_t row, const char *column)
{
    return rows_text_of(d->source.runs, row, column);
}

/* The metric's values over the cell's runs that are done and have one; out has room for
 * cell->n_rows. */
static size_t data_values(const struct plot_data *d, const struct plot_cell *c, const char *metric,
                          double *out)
{
    int column = rows_column(d->source.runs, metric);
    size_t n = 0;
    for (size_t i = 0; column >= 0 && i < c->n_rows; i++) {
        double v = rows_number(rows_cell(d->source.runs, c->rows[i], (size_t)column));
        if (isfinite(v) && strcmp(data_text(d, c->rows[i], "state"), "done") == 0)
            out[n++] = v;
    }
    return n;
}

struct plot_stat data_stat(const struct plot_data *d, const struct plot_cell *c, const char *metric)
{
    double *values = mem_zalloc(c->n_rows + 1, sizeof *values);
    size_t n = data_values(d, c, metric, values);
    struct plot_stat s = {.n = n, .mean = stats_mean(values, n), .std = stats_std(values, n)};
    if (n == 0)
        s.mean = NAN;
    free(values);
    return s;
}

const char *data_cell_value(struct plot_data *d, const struct plot_cell *c, const char *key)
{
    int column = rows_column(d->source.runs, key);
    return column >= 0 ? cell_text(&d->arena, rows_cell(d->source.runs, c->rows[0], (size_t)column))
                       : NULL;
}

const char *data_cell_key(struct plot_data *d, const struct plot_cell *c, const char *key)
{
    int column = rows_column(d->source.runs, key);
    return column >= 0 ? key_text(d, c, column) : NULL;
}

size_t data_count_state(const struct plot_data *d, const struct plot_cell *c, const char *state)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_rows; i++)
        n += strcmp(data_text(d, c->rows[i], "state"), state) == 0;
    return n;
}

/* ---- names ---- */

int data_factor(const struct plot_data *d, const char *key)
{
    for (int i = 0; i < d->n_factors; i++)
        if (strcmp(d->factors[i].key, key) == 0)
            return i;
    for (int i = 0; i < d->n_factors; i++) {
        const char *dot = strrchr(d->factors[i].key, '.');
        if (dot != NULL && strcmp(dot + 1, key) == 0)
            return i;
    }
    return -1;
}

int data_has_metric(const struct plot_data *d, const char *metric)
{
    for (size_t i = 0; i < d->n_cells; i++)
        if (data_stat(d, &d->cells[i], metric).n > 0)
            return 1;
    return 0;
}

static const char *metric_column(const void *context, int i)
{
    const struct rows *r = context;
    for (size_t c = 0; c < r->columns; c++)
        if (strchr(r->names[c], '/') != NULL && i-- == 0)
            return r->names[c];
    return NULL;
}

int data_check_metric(const struct plot_data *d, const char *metric, struct error *err)
{
    if (data_has_metric(d, metric))
        return 0;
    if (rows_column(d->source.runs, metric) >= 0)
        return error_code(err, EXIT_FAILED, "no finished run has a value of %s yet", metric);
    struct strbuf hint = STRBUF_INIT;
    config_hint(&hint, metric, metric_column, d->source.runs);
    error_set(err, "unknown metric %s%s", metric,
              hint.len > 0 ? hint.text : " (`vittm list metrics` lists them)");
    strbuf_release(&hint);
    return -1;
}

static int is_cost(const char *metric)
{
    return strncmp(metric, "cost/", 5) == 0 || strncmp(metric, "latency/", 8) == 0 ||
           strncmp(metric, "memory/", 7) == 0 || strncmp(metric, "throughput/", 11) == 0;
}

const char *data_main_metric(const struct plot_data *d)
{
    static const char *const usual[] = {"val/top1", "val/miou", "test/top1", "val/loss",
                                        "train/loss"};
    for (int i = 0; i < d->n_objectives; i++)
        if (!is_cost(d->objectives[i].metric) && data_has_metric(d, d->objectives[i].metric))
            return d->objectives[i].metric;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (data_has_metric(d, usual[i]))
            return usual[i];
    return NULL;
}

const char *data_main_cost(const struct plot_data *d)
{
    static const char *const usual[] = {"cost/macs", "latency/p50_ms", "cost/params",
                                        "memory/peak_bytes"};
    for (int i = 0; i < d->n_objectives; i++)
        if (is_cost(d->objectives[i].metric) && data_has_metric(d, d->objectives[i].metric))
            return d->objectives[i].metric;
    for (size_t i = 0; i < sizeof usual / sizeof *usual; i++)
        if (data_has_metric(d, usual[i]))
            return usual[i];
    return NULL;
}

int data_maximize(const struct plot_data *d, const char *metric)
{
    for (int i = 0; i < d->n_objectives; i++)
        if (strcmp(d->objectives[i].metric, metric) == 0)
            return d->objectives[i].maximize;
    return metric_maximize(metric);
}
