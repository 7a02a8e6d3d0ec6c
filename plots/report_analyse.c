/* What the sections of a report are made from: counts, the best cell, the front, comparisons with
 * the baseline; and looking things up. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "plots/chance.h"
#include "results/rows.h"
#include "results/stats.h"

static int is_done(const struct plot_data *d, size_t row)
{
    return strcmp(data_text(d, row, "state"), "done") == 0;
}

static void count_runs(struct report *r)
{
    const struct plot_data *d = r->data;
    r->least_seeds = SIZE_MAX;
    for (size_t i = 0; i < d->n_cells; i++) {
        const struct plot_cell *c = &d->cells[i];
        size_t done = data_count_state(d, c, "done");
        size_t failed = data_count_state(d, c, "failed") + data_count_state(d, c, "timeout");
        r->runs += c->n_rows;
        r->done += done;
        r->failed += failed;
        r->unfinished += c->n_rows - done - failed;
        r->most_seeds = done > r->most_seeds ? done : r->most_seeds;
        r->least_seeds = done < r->least_seeds ? done : r->least_seeds;
    }
    r->least_seeds = d->n_cells > 0 ? r->least_seeds : 0;
}

/* Different texts of a column among the runs that are done. */
static size_t count_kinds(const struct plot_data *d, const char *column)
{
    const struct rows *runs = d->source.runs;
    const char **seen = mem_zalloc(runs->count + 1, sizeof *seen);
    size_t n = 0;
    for (size_t i = 0; i < runs->count; i++) {
        const char *text = data_text(d, i, column);
        size_t k = 0;
        while (k < n && strcmp(seen[k], text) != 0)
            k++;
        if (k == n && text[0] != 0 && is_done(d, i))
            seen[n++] = text;
    }
    free(seen);
    return n;
}

static void find_best(struct report *r)
{
    double largest = 0, dearest = 0;
    r->best = -1;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const struct plot_cell *c = &r->data->cells[i];
        r->stats[i] =
            r->metric != NULL ? data_stat(r->data, c, r->metric) : (struct plot_stat){0, NAN, NAN};
        r->costs[i] =
            r->cost != NULL ? data_stat(r->data, c, r->cost) : (struct plot_stat){0, NAN, NAN};
        if (r->costs[i].n > 0)
            dearest = fmax(dearest, fabs(r->costs[i].mean));
        if (r->stats[i].n == 0)
            continue;
        largest = fmax(largest, fabs(r->stats[i].mean));
        double mean = r->stats[i].mean, most = r->best >= 0 ? r->stats[r->best].mean : NAN;
        if (r->best < 0 || (r->maximize ? mean > most : mean < most))
            r->best = (int)i;
    }
    metric_scale(&r->metric_scale, r->metric != NULL ? r->metric : "", largest);
    metric_scale(&r->cost_scale, r->cost != NULL ? r->cost : "", dearest);
}

/* ---- baseline ---- */

/* Whether the cell has the value of one "key=value". */
static int has_pair(struct report *r, const struct plot_cell *c, const char *pair, size_t length)
{
    const char *equals = memchr(pair, '=', length);
    if (equals == NULL)
        return 0;
    char *key = arena_strndup(&r->data->arena, pair, (size_t)(equals - pair));
    char *value = arena_strndup(&r->data->arena, equals + 1, length - (size_t)(equals + 1 - pair));
    const char *have = data_cell_key(r->data, c, key);
    return have != NULL && strcmp(have, config_plain(&r->data->arena, value)) == 0;
}

static int is_baseline(struct report *r, const struct plot_cell *c, const char *pairs)
{
    while (*pairs != 0) {
        pairs += strspn(pairs, ", ");
        size_t n = strcspn(pairs, ",");
        if (n > 0 && !has_pair(r, c, pairs, n))
            return 0;
        pairs += n;
    }
    return 1;
}

/* Exactly one cell must fit. */
static void find_baseline(struct report *r)
{
    const char *pairs = report_experiment(r, "baseline");
    r->baseline = -1;
    for (size_t i = 0; pairs[0] != 0 && i < r->data->n_cells; i++)
        if (is_baseline(r, &r->data->cells[i], pairs)) {
            if (r->baseline >= 0) {
                r->baseline = -1;
                return;
            }
            r->baseline = (int)i;
        }
}

static struct report_compare compare(const struct report *r, const struct plot_cell *c,
                                     const struct plot_cell *base)
{
    const struct plot_data *d = r->data;
    double *deltas = mem_zalloc(c->n_rows + 1, sizeof *deltas);
    struct report_compare result = {0, NAN, NAN};
    for (size_t i = 0; i < c->n_rows; i++)
        for (size_t k = 0; k < base->n_rows; k++) {
            double delta = rows_number_of(d->source.runs, c->rows[i], r->metric) -
                           rows_number_of(d->source.runs, base->rows[k], r->metric);
            if (rows_number_of(d->source.runs, c->rows[i], "seed") ==
                    rows_number_of(d->source.runs, base->rows[k], "seed") &&
                is_done(d, c->rows[i]) && is_done(d, base->rows[k]) && isfinite(delta))
                deltas[result.pairs++] = delta;
        }
    if (result.pairs > 0) {
        result.delta = stats_mean(deltas, result.pairs);
        result.p = stats_signflip(deltas, result.pairs);
    }
    free(deltas);
    return result;
}

static void compare_all(struct report *r)
{
    size_t n = r->data->n_cells;
    double *p = mem_zalloc(n + 1, sizeof *p), *holm = mem_zalloc(n + 1, sizeof *holm);
    for (size_t i = 0; i < n; i++) {
        r->compare[i] = (struct report_compare){0, NAN, NAN};
        if (r->baseline >= 0 && (int)i != r->baseline && r->metric != NULL)
            r->compare[i] = compare(r, &r->data->cells[i], &r->data->cells[r->baseline]);
        p[i] = r->compare[i].p;
        r->comparisons += isfinite(p[i]);
    }
    stats_holm(p, n, holm);
    for (size_t i = 0; i < n; i++)
        r->compare[i].p = holm[i];
    free(p);
    free(holm);
}

/* ---- front ---- */

/* Cells without both numbers take no part. */
static void find_front(struct report *r)
{
    size_t n = r->data->n_cells;
    double *means = mem_zalloc(2 * n + 2, sizeof *means);
    const int maximize[2] = {r->cost != NULL && data_maximize(r->data, r->cost), r->maximize};
    chance_on_front(r->data, r->cost, r->metric, r->front_chance);
    for (size_t i = 0; i < n; i++) {
        int takes_part = isfinite(r->front_chance[i]);
        means[2 * i] = takes_part ? r->costs[i].mean : NAN;
        means[2 * i + 1] = takes_part ? r->stats[i].mean : NAN;
    }
    stats_pareto(means, n, 2, maximize, r->front);
    free(means);
}

void report_analyse(struct report *r)
{
    size_t n = r->data->n_cells + 1;
    r->metric = data_main_metric(r->data);
    r->cost = data_main_cost(r->data);
    r->maximize = r->metric != NULL && data_maximize(r->data, r->metric);
    r->stats = mem_zalloc(n, sizeof *r->stats);
    r->costs = mem_zalloc(n, sizeof *r->costs);
    r->compare = mem_zalloc(n, sizeof *r->compare);
    r->front = mem_zalloc(n, 1);
    r->front_chance = mem_zalloc(n, sizeof *r->front_chance);
    encode_init(&r->encoding, r->data);
    for (size_t i = 0; i < r->data->n_cells; i++)
        r->labelled |= data_is_labelled(r->data, &r->data->cells[i]);
    count_runs(r);
    r->commits = count_kinds(r->data, "commit_hash");
    r->devices = count_kinds(r->data, "device");
    find_best(r);
    find_baseline(r);
    compare_all(r);
    find_front(r);
}

void report_release(struct report *r)
{
    free(r->stats);
    free(r->costs);
    free(r->compare);
    free(r->front);
    free(r->front_chance);
}

/* ---- looking things up ---- */

void report_value(struct strbuf *out, struct plot_stat s, const struct metric_scale *scale)
{
    if (s.n == 0) {
        strbuf_adds(out, "—");
        return;
    }
    strbuf_addf(out, "%.*f", scale->decimals, s.mean * scale->factor);
    if (isfinite(s.std) && s.std > 0)
        strbuf_addf(out, " ± %.*f", scale->decimals, s.std * scale->factor);
}

void report_hours(struct strbuf *out, double hours)
{
    char text[32];
    strbuf_adds(out, clock_format(hours * 3600, text, sizeof text));
}

void report_level_title(const struct report *r, int factor, int level, char *text, size_t size)
{
    if (level < 0)
        snprintf(text, size, "—");
    else
        metric_level_title(r->data->factors[factor].levels[level], text, size);
}

const char *report_cell_title(struct report *r, const char *id)
{
    for (size_t i = 0; i < r->data->n_cells; i++)
        if (strcmp(r->data->cells[i].id, id) == 0)
            return data_cell_title(r->data, &r->data->cells[i]);
    return id;
}

double report_total(const struct report *r, const char *column)
{
    const struct rows *c = r->data->source.compute;
    int i = c != NULL ? rows_column(c, column) : -1;
    double sum = 0;
    for (size_t k = 0; i >= 0 && k < c->count; k++) {
        double v = rows_number(rows_cell(c, k, (size_t)i));
        sum += isfinite(v) ? v : 0;
    }
    return sum;
}

const char *report_fact(const struct report *r, const char *key, size_t *kinds)
{
    const struct rows *env = r->data->source.env;
    const char *first = "";
    size_t n = 0;
    for (size_t i = 0; env != NULL && i < env->count; i++)
        if (strcmp(rows_text_of(env, i, "key"), key) == 0 && n++ == 0)
            first = rows_text_of(env, i, "text");
    if (kinds != NULL)
        *kinds = n;
    return first;
}

const char *report_experiment(const struct report *r, const char *column)
{
    const struct rows *e = r->data->source.experiments;
    return e != NULL && e->count > 0 ? rows_text_of(e, 0, column) : "";
}

const char *report_common(const struct report *r, const char *key)
{
    const char *common = NULL;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const char *text = data_cell_key(r->data, &r->data->cells[i], key);
        if (text == NULL || (common != NULL && strcmp(common, text) != 0))
            return NULL;
        common = text;
    }
    return common;
}

size_t report_selecting(const struct report *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const char *select = data_cell_key(r->data, &r->data->cells[i], "train.select");
        n += select != NULL && strncmp(select, "best", 4) == 0;
    }
    return n;
}

/* The experiment file says what stands in for a data set that is missing; here the runs used it. */
int report_is_fallback(const struct report *r)
{
    const char *used = report_common(r, "data.dataset");
    const char *fallback = strstr(report_experiment(r, "text"), "\nfallback:");
    const char *named = fallback != NULL ? strstr(fallback, "data.dataset:") : NULL;
    if (named == NULL || used == NULL)
        return 0;
    named += strlen("data.dataset:");
    named += strspn(named, " '\"");
    return strncmp(named, used, strlen(used)) == 0 && strcspn(named, " '\"},\n") == strlen(used);
}
