#include "plots/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "plots/data.h"
#include "results/rows.h"
#include "results/stats.h"

/* A run that two experiments share is in a cell of each; the rows then say which experiment they
 * mean. */
struct owner {
    const char *run, *experiment;
    size_t cell;
};

struct sample {
    size_t cell;
    double x, value;
};

static int by_run(const void *a, const void *b)
{
    const struct owner *p = a, *q = b;
    int order = strcmp(p->run, q->run);
    return order != 0 ? order : strcmp(p->experiment, q->experiment);
}

static int by_place(const void *a, const void *b)
{
    const struct sample *p = a, *q = b;
    if (p->cell != q->cell)
        return p->cell < q->cell ? -1 : 1;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->value < q->value ? -1 : p->value > q->value;
}

static struct owner *list_owners(const struct plot_data *d, size_t *n)
{
    struct owner *owners = mem_zalloc(d->source.runs->count + 1, sizeof *owners);
    int named = rows_column(d->source.curves, "experiment") >= 0;
    *n = 0;
    for (size_t i = 0; i < d->n_cells; i++)
        for (size_t k = 0; k < d->cells[i].n_rows; k++)
            owners[(*n)++] = (struct owner){data_text(d, d->cells[i].rows[k], "run"),
                                            named ? d->cells[i].experiment : "", i};
    qsort(owners, *n, sizeof *owners, by_run);
    return owners;
}

static const char *column_text(const struct rows *r, size_t row, int column)
{
    return column >= 0 ? rows_text(rows_cell(r, row, (size_t)column)) : "";
}

static size_t list_samples(const struct plot_data *d, const char *metric, const char *x,
                           struct sample *out)
{
    const struct rows *r = d->source.curves;
    int run = rows_column(r, "run"), name = rows_column(r, "metric"), at = rows_column(r, x);
    int value = rows_column(r, "value"), experiment = rows_column(r, "experiment");
    size_t n = 0, n_owners;
    struct owner *owners = list_owners(d, &n_owners);
    for (size_t i = 0; i < r->count && at >= 0 && value >= 0; i++) {
        if (strcmp(column_text(r, i, name), metric) != 0)
            continue;
        struct owner key = {column_text(r, i, run), column_text(r, i, experiment), 0};
        const struct owner *o = bsearch(&key, owners, n_owners, sizeof key, by_run);
        struct sample s = {.x = rows_number(rows_cell(r, i, (size_t)at)),
                           .value = rows_number(rows_cell(r, i, (size_t)value))};
        if (o == NULL || !isfinite(s.x) || !isfinite(s.value))
            continue;
        s.cell = o->cell;
        out[n++] = s;
    }
    free(owners);
    qsort(out, n, sizeof *out, by_place);
    return n;
}

/* One point from the samples of one cell at one x. */
static struct curve_point summarize(const struct sample *s, size_t n, double *values)
{
    for (size_t i = 0; i < n; i++)
        values[i] = s[i].value;
    return (struct curve_point){s[0].x, stats_mean(values, n), stats_std(values, n), n};
}

size_t curve_collect(struct plot_data *d, const char *metric, const char *x,
                     const struct curve **curves)
{
    size_t rows = d->source.curves != NULL ? d->source.curves->count : 0, n_curves = 0, used = 0;
    if (rows == 0)
        return 0;
    struct sample *samples = mem_zalloc(rows + 1, sizeof *samples);
    double *values = mem_zalloc(rows + 1, sizeof *values);
    size_t n = list_samples(d, metric, x, samples);
    struct curve_point *points = ARENA_ARRAY(&d->arena, struct curve_point, n + 1);
    struct curve *out = ARENA_ARRAY(&d->arena, struct curve, d->n_cells + 1);
    for (size_t i = 0, next; i < n; i = next) {
        for (next = i;
             next < n && samples[next].cell == samples[i].cell && samples[next].x == samples[i].x;)
            next++;
        if (n_curves == 0 || out[n_curves - 1].cell != samples[i].cell)
            out[n_curves++] = (struct curve){samples[i].cell, points + used, 0};
        points[used++] = summarize(samples + i, next - i, values);
        out[n_curves - 1].n++;
    }
    free(samples);
    free(values);
    *curves = out;
    return n_curves;
}

static const char *metric_at(const void *context, int i)
{
    const struct rows *r = context;
    return r != NULL && (size_t)i < r->count ? column_text(r, (size_t)i, rows_column(r, "metric"))
                                             : NULL;
}

int curve_missing(const struct plot_data *d, const char *metric, struct error *err)
{
    struct strbuf hint = STRBUF_INIT;
    if (metric != NULL)
        config_hint(&hint, metric, metric_at, d->source.curves);
    if (hint.len > 0)
        error_set(err, "no run has a curve of %s%s", metric, hint.text);
    else
        error_code(err, EXIT_FAILED, "no run has a curve of %s yet: nothing to draw",
                   metric != NULL ? metric : "anything");
    strbuf_release(&hint);
    return -1;
}

const char *curve_main_metric(const struct plot_data *d)
{
    static const char *const usual[] = {"val/top1", "val/miou", "val/loss", "train/loss"};
    const struct rows *r = d->source.curves;
    int name = r != NULL ? rows_column(r, "metric") : -1;
    if (name < 0 || r->count == 0)
        return NULL;
    for (size_t k = 0; k < sizeof usual / sizeof *usual; k++)
        for (size_t i = 0; i < r->count; i++)
            if (strcmp(column_text(r, i, name), usual[k]) == 0)
                return usual[k];
    return column_text(r, 0, name);
}
