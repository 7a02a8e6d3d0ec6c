/* The layout of the ablation table: a row a cell, or flat for machines; pivoted: table_pivot.c. */
#include "results/table.h"
#include "results/rows.h"
#include "results/stats.h"
#include "results/table_figures.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- texts ----------------------------------------------------------------------------------- */

void table_put_figure(struct rows *r, struct rows_cell *out, const struct table_layout *l, size_t i)
{
    const struct table_cell *c = &l->d->cells[i];
    const struct table_figure *f = &l->figures[i];
    struct strbuf s = STRBUF_INIT;
    if (c->n == 0) {
        if (c->failed)
            strbuf_addf(&s, "failed (%zu of %zu)", c->failed, c->runs);
        else
            strbuf_adds(&s, "—");
    } else {
        strbuf_addf(&s, "%.*f", l->decimals, f->mean);
        if (c->n > 1)
            strbuf_addf(&s, " ± %.*f", l->decimals, f->error);
        strbuf_addf(&s, " (n=%zu", c->n);
        if (c->failed)
            strbuf_addf(&s, ", %zu failed", c->failed);
        strbuf_adds(&s, ")");
    }
    rows_set_text(r, out, s.text);
    out->strong = (unsigned char)f->best;
    strbuf_release(&s);
}

static void put_p(struct rows *r, struct rows_cell *out, const struct table_figure *f,
                  int is_baseline)
{
    if (is_baseline)
        rows_set_text(r, out, "baseline");
    else if (isnan(f->p))
        rows_set_text(r, out, "—");
    else if (f->hopeless)
        rows_set_format(r, out, "n too small (%.2g)", f->holm);
    else
        rows_set_format(r, out, "%.2g", f->holm);
}

const char *table_epoch_words(size_t best, size_t all)
{
    return !best         ? "value of the final epoch, no epoch was selected"
           : best == all ? "value of the epoch that was best in validation (train.select)"
                         : "value of the final epoch, or of the best in validation where "
                           "train.select asks for that";
}

/* "3 common seeds cannot give p < 0.05 (at least 0.75 after correction); 7 seeds could"; nothing
 * where they can. */
static void add_hopeless(struct strbuf *out, const struct table_layout *l)
{
    size_t hopeless = 0, pairs = 0;
    for (size_t i = 0; i < l->d->count; i++) {
        hopeless += (size_t)l->figures[i].hopeless;
        pairs = l->figures[i].pairs > pairs ? l->figures[i].pairs : pairs;
    }
    if (hopeless)
        strbuf_addf(out,
                    "n too small to decide in %zu of %zu comparisons: %zu common seed%s cannot "
                    "give p < 0.05 (at least %.2g after correction); %zu seeds could",
                    hopeless, l->comparisons, pairs, pairs == 1 ? "" : "s",
                    fmin(1, stats_signflip_floor(pairs) * (double)l->comparisons),
                    stats_signflip_needed(0.05, l->comparisons));
}

static void put_caption(struct rows *r, const struct table_layout *l)
{
    const struct table_data *d = l->d;
    struct strbuf s = STRBUF_INIT;
    size_t least = SIZE_MAX, most = 0;
    for (size_t i = 0; i < d->count; i++) {
        least = d->cells[i].n < least ? d->cells[i].n : least;
        most = d->cells[i].n > most ? d->cells[i].n : most;
    }
    strbuf_addf(&s, "%s: %s, mean ± %s over n seeds (n = ", *d->title ? d->title : d->experiment,
                d->metric, table_error_words(l->o->error));
    if (d->count && least != most)
        strbuf_addf(&s, "%zu to %zu", least, most);
    else
        strbuf_addf(&s, "%zu", most);
    strbuf_addf(&s, "); %s; %s is better.", table_epoch_words(d->selecting, d->count),
                d->maximize ? "larger" : "smaller");
    if (l->o->cols)
        strbuf_addf(&s, " Columns: %s.", l->o->cols);
    if (l->o->test == TABLE_PAIRED && d->baseline) {
        struct strbuf hopeless = STRBUF_INIT;
        strbuf_addf(
            &s,
            " p: exact paired sign-flip test over common seeds against %s, Holm-corrected for %zu"
            " comparison%s.",
            d->baseline->label, l->comparisons, l->comparisons == 1 ? "" : "s");
        add_hopeless(&hopeless, l);
        if (hopeless.len)
            strbuf_addf(&s, " %s.", hopeless.text);
        strbuf_release(&hopeless);
    }
    if (l->has_front)
        strbuf_addf(&s,
                    " P(front): how often it is on the Pareto front of %s and %s when seeds are "
                    "drawn again.",
                    d->metric, d->costs[d->front_cost]);
    r->caption = arena_strdup(&r->arena, s.text);
    r->label = arena_printf(&r->arena, "tab:%s", d->experiment);
    strbuf_release(&s);
}

static void put_warnings(const struct table_layout *l, struct strbuf *out)
{
    const struct table_data *d = l->d;
    struct strbuf hopeless = STRBUF_INIT;
    if (d->commits > 1)
        strbuf_addf(out, "vittm: warning: %s: the runs come from %zu different commits\n",
                    d->experiment, d->commits);
    if (d->devices > 1)
        strbuf_addf(
            out,
            "vittm: warning: %s: the runs come from %zu device classes: choose one with --device\n",
            d->experiment, d->devices);
    if (l->o->machine) /* people read it in the caption */
        add_hopeless(&hopeless, l);
    if (hopeless.len)
        strbuf_addf(out, "vittm: warning: %s: %s\n", d->experiment, hopeless.text);
    strbuf_release(&hopeless);
}

/* ---- a row a cell ---------------------------------------------------------------------------- */

/* How a cost is shown to people: name, divisor, least decimals. */
struct cost_column {
    const char *metric, *name;
    double divisor;
    int decimals;
};

static const struct cost_column cost_columns[] = {
    {"cost/params", "params (M)", 1e6, 2},        {"cost/macs", "MACs (M)", 1e6, 1},
    {"latency/p50_ms", "latency (ms)", 1, 2},     {"throughput/img_s", "images/s", 1, 0},
    {"memory/peak_bytes", "memory (MB)", 1e6, 1},
};

static const struct cost_column *cost_column(const char *metric)
{
    for (size_t i = 0; i < sizeof cost_columns / sizeof *cost_columns; i++)
        if (strcmp(cost_columns[i].metric, metric) == 0)
            return &cost_columns[i];
    BUG("%s has no column", metric);
}

/* Three digits of the smallest, so that cells of small models can be told apart. */
static int cost_decimals(const struct table_data *d, size_t k)
{
    const struct cost_column *c = cost_column(d->costs[k]);
    double least = INFINITY;
    for (size_t i = 0; i < d->count; i++)
        if (d->cells[i].costs[k] > 0)
            least = fmin(least, d->cells[i].costs[k] / c->divisor);
    int decimals = isfinite(least) ? 2 - (int)floor(log10(least)) : 0;
    return decimals < c->decimals ? c->decimals : decimals > 6 ? 6 : decimals;
}

static struct rows *by_cell(const struct table_layout *l)
{
    const struct table_data *d = l->d;
    int compared = d->baseline != NULL, tested = compared && l->o->test == TABLE_PAIRED;
    const char *names[16] = {"cell", d->metric};
    size_t n = 2;
    int decimals[sizeof cost_columns / sizeof *cost_columns];
    for (size_t k = 0; k < d->cost_count; k++)
        decimals[k] = cost_decimals(d, k);
    if (compared)
        names[n++] = "Δ";
    if (tested)
        names[n++] = "p";
    if (l->has_front)
        names[n++] = "P(front)";
    for (size_t k = 0; k < d->cost_count; k++)
        names[n++] = cost_column(d->costs[k])->name;
    struct rows *r = rows_new(n, names);
    for (size_t i = 0; i < d->count; i++) {
        struct rows_cell *cell = rows_append(r);
        const struct table_figure *f = &l->figures[i];
        size_t at = 0;
        rows_set_text(r, &cell[at++], d->cells[i].label);
        table_put_figure(r, &cell[at++], l, i);
        if (compared && isnan(f->delta))
            rows_set_text(r, &cell[at++], d->cells[i].is_baseline ? "baseline" : "—");
        else if (compared)
            rows_set_format(r, &cell[at++], "%+.*f", l->decimals, f->delta);
        if (tested)
            put_p(r, &cell[at++], f, d->cells[i].is_baseline);
        if (l->has_front && isnan(f->front))
            rows_set_text(r, &cell[at++], "—");
        else if (l->has_front)
            rows_set_format(r, &cell[at++], "%.2f", f->front);
        for (size_t k = 0; k < d->cost_count; k++, at++) {
            const struct cost_column *c = cost_column(d->costs[k]);
            if (!isnan(d->cells[i].costs[k]) && d->cells[i].runs)
                rows_set_format(r, &cell[at], "%.*f", decimals[k],
                                d->cells[i].costs[k] / c->divisor);
        }
    }
    return r;
}

/* ---- machines -------------------------------------------------------------------------------- */

static void put_key(struct rows *r, struct rows_cell *out, const struct rows_cell *value)
{
    if (value->type == ROWS_TEXT)
        rows_set_text(r, out, value->text);
    else
        *out = *value;
}

/* Flat: cell, label, keys, metric, mean, std|sem|ci95, n, failed, runs, best, delta, p, p_holm,
 * p_front, costs. */
static struct rows *flat(const struct table_layout *l)
{
    const struct table_data *d = l->d;
    size_t columns = 14 + d->key_count + d->cost_count, at = 0;
    const char **names = mem_zalloc(columns, sizeof *names);
    names[at++] = "cell";
    names[at++] = "label";
    for (size_t k = 0; k < d->key_count; k++)
        names[at++] = d->keys[k];
    const char *const rest[] = {"metric", "mean",     table_error_name(l->o->error),
                                "n",      "failed",   "runs",
                                "best",   "baseline", "delta",
                                "p",      "p_holm",   "p_front"};
    for (size_t k = 0; k < sizeof rest / sizeof *rest; k++)
        names[at++] = rest[k];
    for (size_t k = 0; k < d->cost_count; k++)
        names[at++] = d->costs[k];
    struct rows *r = rows_new(at, names);
    free(names);
    for (size_t i = 0; i < d->count; i++) {
        const struct table_cell *c = &d->cells[i];
        const struct table_figure *f = &l->figures[i];
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, cell++, c->hash);
        rows_set_text(r, cell++, c->label);
        for (size_t k = 0; k < d->key_count; k++)
            put_key(r, cell++, &c->typed[k]);
        rows_set_text(r, cell++, d->metric);
        rows_set_real(cell++, f->mean);
        rows_set_real(cell++, f->error);
        rows_set_integer(cell++, (int64_t)c->n);
        rows_set_integer(cell++, (int64_t)c->failed);
        rows_set_integer(cell++, (int64_t)c->runs);
        rows_set_integer(cell++, f->best);
        rows_set_integer(cell++, c->is_baseline);
        rows_set_real(cell++, f->delta);
        rows_set_real(cell++, f->p);
        rows_set_real(cell++, f->holm);
        rows_set_real(cell++, f->front);
        for (size_t k = 0; k < d->cost_count; k++)
            rows_set_real(cell++, c->runs ? c->costs[k] : NAN);
    }
    return r;
}

struct rows *table_build(struct store *s, const struct table_options *o, struct strbuf *warnings,
                         struct error *err)
{
    struct table_data d = {.arena = {0}};
    if (table_load(&d, s, o, err))
        return NULL;
    struct table_layout l = {.d = &d, .o = o};
    table_figures(&l);
    struct rows *r = o->machine           ? flat(&l)
                     : o->rows || o->cols ? table_pivot(&l, err)
                                          : by_cell(&l);
    if (r)
        put_caption(r, &l);
    if (r && warnings)
        put_warnings(&l, warnings);
    free(l.figures);
    table_release(&d);
    return r;
}
