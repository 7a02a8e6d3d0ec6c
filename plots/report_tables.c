/* The tables of a report that hold results: ablation, main effects, all cells. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plots/effect.h"
#include "plots/html.h"
#include "results/stats.h"
#include "results/table.h"

static void section(struct report *r, const char *id, const char *title)
{
    strbuf_addf(r->out, "<section id=\"%s\"><h2>", id);
    html_text(r->out, title);
    strbuf_adds(r->out, "</h2>\n");
}

static void end_section(struct report *r)
{
    strbuf_adds(r->out, "</section>\n");
}

static void level_title(const struct report *r, int factor, int level, char *text, size_t size)
{
    if (level < 0)
        snprintf(text, size, "—");
    else
        metric_level_title(r->data->factors[factor].levels[level], text, size);
}

/* ---- ablation: rows and columns are the first two factors ---- */

struct square {
    size_t cells, n, runs;
    double sum;
    struct plot_stat stat; /* of the only cell */
    size_t cell;           /* the last one */
};

struct pivot {
    int row, column; /* factors; column -1: one column */
    int rows, columns;
    struct square *squares;
    int best;
};

static double square_mean(const struct square *q)
{
    return q->cells > 0 ? q->sum / (double)q->cells : NAN;
}

static void fill_pivot(const struct report *r, struct pivot *p)
{
    p->squares = mem_zalloc((size_t)p->rows * (size_t)p->columns, sizeof *p->squares);
    p->best = -1;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const struct plot_cell *c = &r->data->cells[i];
        int y = c->levels[p->row], x = p->column >= 0 ? c->levels[p->column] : 0;
        if (y < 0 || x < 0)
            continue;
        struct square *q = &p->squares[y * p->columns + x];
        q->runs += c->n_rows;
        q->cell = i;
        if (r->stats[i].n == 0)
            continue;
        q->cells++;
        q->n += r->stats[i].n;
        q->sum += r->stats[i].mean;
        q->stat = r->stats[i];
    }
    for (int i = 0; i < p->rows * p->columns; i++) {
        double mean = square_mean(&p->squares[i]);
        double most = p->best >= 0 ? square_mean(&p->squares[p->best]) : NAN;
        if (isfinite(mean) && (p->best < 0 || (r->maximize ? mean > most : mean < most)))
            p->best = i;
    }
}

static void pivot_square(struct report *r, const struct pivot *p, int i)
{
    const struct square *q = &p->squares[i];
    struct strbuf text = STRBUF_INIT;
    double mean = square_mean(q);
    if (q->runs == 0)
        strbuf_adds(&text, "");
    else if (q->cells == 0)
        strbuf_addf(&text, "no result (%zu runs)", q->runs);
    else if (q->cells == 1)
        report_value(&text, q->stat, &r->metric_scale);
    else
        strbuf_addf(&text, "%.*f", r->metric_scale.decimals, mean * r->metric_scale.factor);
    if (q->cells > 0 && q->n < q->runs)
        strbuf_addf(&text, " (n = %zu of %zu)", q->n, q->runs);
    int best = p->best >= 0 && mean == square_mean(&p->squares[p->best]); /* all that are equal */
    html_value(r->out, best ? HTML_STRONG : HTML_NUMBER, mean, text.text);
    strbuf_release(&text);
}

/* The mean of a row (step 1) or column of squares, where all of them have one. */
static void margin(struct report *r, const struct pivot *p, int first, int step, int n)
{
    double sum = 0;
    char text[64] = "—";
    for (int i = 0; i < n; i++)
        sum += square_mean(&p->squares[first + i * step]);
    if (isfinite(sum))
        snprintf(text, sizeof text, "%.*f", r->metric_scale.decimals,
                 sum / n * r->metric_scale.factor);
    html_value(r->out, HTML_NUMBER, sum / n, text);
}

/* others: keys that vary within a square. */
static void ablation_caption(const struct report *r, int others, struct strbuf *s)
{
    strbuf_addf(s, "%s, mean ± standard deviation over seeds (n = ", r->metric_scale.label);
    if (r->least_seeds != r->most_seeds)
        strbuf_addf(s, "%zu to %zu", r->least_seeds, r->most_seeds);
    else
        strbuf_addf(s, "%zu", r->most_seeds);
    strbuf_addf(s, "); %s; %s is better, the best is bold.",
                table_epoch_words(report_selecting(r), r->data->n_cells),
                r->maximize ? "larger" : "smaller");
    if (others > 0)
        strbuf_adds(s, " Means over the cells that differ in other keys only.");
}

static void write_pivot(struct report *r, const struct pivot *p)
{
    char text[128];
    struct strbuf caption = STRBUF_INIT;
    int margins = p->columns > 1 && p->rows > 1;
    ablation_caption(r, r->data->n_factors - 1 - (p->column >= 0), &caption);
    html_table(r->out, caption.text, margins ? "sortable margins" : "sortable");
    metric_key_title(r->data->factors[p->row].key, text, sizeof text);
    html_head(r->out, HTML_WORD, text);
    for (int x = 0; x < p->columns; x++) {
        if (p->column >= 0)
            data_level_title(r->data, p->column, x, text, sizeof text);
        html_head(r->out, HTML_NUMBER, p->column >= 0 ? text : r->metric_scale.header);
    }
    if (margins)
        html_head(r->out, HTML_NUMBER, "mean");
    html_body(r->out);
    for (int y = 0; y < p->rows; y++) {
        html_row(r->out);
        level_title(r, p->row, y, text, sizeof text);
        html_row_name(r->out, text);
        for (int x = 0; x < p->columns; x++)
            pivot_square(r, p, y * p->columns + x);
        if (margins)
            margin(r, p, y * p->columns, 1, p->columns);
        html_row_end(r->out);
    }
    if (margins) {
        strbuf_adds(r->out, "<tr class=\"margin\">");
        html_row_name(r->out, "mean");
        for (int x = 0; x < p->columns; x++)
            margin(r, p, x, p->columns, p->rows);
        margin(r, p, 0, 1, p->rows * p->columns);
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_release(&caption);
}

/* A row a cell: where cells have names, or a key that some do not read. */
static void write_list(struct report *r)
{
    struct strbuf caption = STRBUF_INIT, text = STRBUF_INIT;
    ablation_caption(r, 0, &caption);
    html_table(r->out, caption.text, "sortable");
    html_head(r->out, HTML_WORD, "cell");
    html_head(r->out, HTML_NUMBER, r->metric_scale.header);
    html_body(r->out);
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const struct plot_stat s = r->stats[i];
        int best = r->best >= 0 && s.mean == r->stats[r->best].mean;
        strbuf_clear(&text);
        if (s.n > 0)
            report_value(&text, s, &r->metric_scale);
        else
            strbuf_addf(&text, "no result (%zu runs)", r->data->cells[i].n_rows);
        html_row(r->out);
        html_row_name(r->out, data_cell_title(r->data, &r->data->cells[i]));
        html_value(r->out, best ? HTML_STRONG : HTML_NUMBER, s.mean, text.text);
        html_row_end(r->out);
    }
    html_table_end(r->out);
    strbuf_release(&caption);
    strbuf_release(&text);
}

/* Whether a cell has no place among the rows and columns. */
static int leaves_out(const struct report *r, const struct pivot *p)
{
    for (size_t i = 0; i < r->data->n_cells; i++) {
        const int *levels = r->data->cells[i].levels;
        if (levels[p->row] < 0 || (p->column >= 0 && levels[p->column] < 0))
            return 1;
    }
    return 0;
}

void report_ablation(struct report *r)
{
    if (r->encoding.color < 0 || r->metric == NULL)
        return;
    struct pivot p = {.row = r->encoding.color, .column = r->encoding.shape};
    p.rows = r->data->factors[p.row].n;
    p.columns = p.column >= 0 ? r->data->factors[p.column].n : 1;
    if (p.rows == 0 || p.columns == 0)
        return;
    section(r, "ablation", "Ablation");
    if (r->labelled || leaves_out(r, &p)) {
        write_list(r);
    } else {
        fill_pivot(r, &p);
        write_pivot(r, &p);
        free(p.squares);
    }
    end_section(r);
}

/* ---- main effects ---- */

static void effect_row(struct report *r, const struct effect_list *list,
                       const struct effect_level *l)
{
    char text[128];
    int d = r->metric_scale.decimals;
    double f = r->metric_scale.factor;
    html_row(r->out);
    metric_key_title(r->data->factors[l->factor].key, text, sizeof text);
    html_cell(r->out, HTML_WORD, text);
    level_title(r, l->factor, l->level, text, sizeof text);
    html_cell(r->out, HTML_WORD, text);
    snprintf(text, sizeof text, "%.*f", d, l->mean * f);
    html_value(r->out, HTML_NUMBER, l->mean, text);
    snprintf(text, sizeof text, "%+.*f", d, (l->mean - list->mean) * f);
    html_value(r->out, HTML_NUMBER, l->mean - list->mean, text);
    if (isfinite(l->half))
        snprintf(text, sizeof text, "± %.*f", d, l->half * f);
    html_value(r->out, HTML_NUMBER, l->half, isfinite(l->half) ? text : "—");
    snprintf(text, sizeof text, "%zu × %zu", l->cells, l->seeds);
    html_cell(r->out, HTML_NUMBER, text);
    html_row_end(r->out);
}

void report_effects(struct report *r)
{
    struct effect_list list;
    if (r->metric == NULL || r->data->n_factors == 0)
        return;
    effect_collect(&list, r->data, r->metric, 8);
    if (list.n == 0)
        return;
    section(r, "effects", "Main effects");
    html_table(r->out,
               list.balanced ? "Mean at each level of each key over all cells that have it. The "
                               "interval is Student's at 95% "
                               "over seeds: each seed gives one mean over the cells."
                             : "Mean at each level of each key over all cells that have it. The "
                               "grid is not full, so levels "
                               "are compared over different cells: read with care.",
               "sortable");
    html_head(r->out, HTML_WORD, "key");
    html_head(r->out, HTML_WORD, "level");
    html_head(r->out, HTML_NUMBER, r->metric_scale.header);
    html_head(r->out, HTML_NUMBER, "effect");
    html_head(r->out, HTML_NUMBER, "95% interval");
    html_head(r->out, HTML_NUMBER, "cells × seeds");
    html_body(r->out);
    for (int i = 0; i < list.n; i++)
        effect_row(r, &list, &list.levels[i]);
    html_table_end(r->out);
    end_section(r);
}

/* ---- every cell ---- */

struct column {
    const char *metric;
    struct metric_scale scale;
    int shown;
};

static double largest(const struct report *r, const char *metric)
{
    double most = -1;
    for (size_t i = 0; i < r->data->n_cells; i++) {
        struct plot_stat s = data_stat(r->data, &r->data->cells[i], metric);
        if (s.n > 0)
            most = fmax(most, fabs(s.mean));
    }
    return most;
}

static int list_columns(const struct report *r, struct column *columns)
{
    static const char *const wanted[] = {"cost/params",       "cost/macs", "latency/p50_ms",
                                         "memory/peak_bytes", "val/top5",  "train/loss"};
    int n = 0;
    for (size_t i = 0; i < sizeof wanted / sizeof *wanted; i++) {
        double most = largest(r, wanted[i]);
        if (most < 0 || (r->metric != NULL && strcmp(r->metric, wanted[i]) == 0))
            continue;
        columns[n].metric = wanted[i];
        metric_scale(&columns[n++].scale, wanted[i], most);
    }
    return n;
}

static void cells_head(struct report *r, const struct column *columns, int n)
{
    char text[96];
    const char *metric = r->metric != NULL ? r->metric_scale.header : "result";
    if (r->labelled || r->data->n_factors == 0)
        html_head(r->out, HTML_WORD, "cell");
    for (int f = 0; f < r->data->n_factors; f++) {
        metric_key_title(r->data->factors[f].key, text, sizeof text);
        html_head(r->out, HTML_WORD, text);
    }
    html_head(r->out, HTML_NUMBER, "n");
    html_head(r->out, HTML_NUMBER, metric);
    if (r->comparisons > 0) {
        html_head(r->out, HTML_NUMBER, "Δ baseline");
        html_head(r->out, HTML_NUMBER, "p (Holm)");
    }
    if (r->cost != NULL && r->metric != NULL)
        html_head(r->out, HTML_NUMBER, "P(front)");
    for (int i = 0; i < n; i++)
        html_head(r->out, HTML_NUMBER, columns[i].scale.header);
    html_body(r->out);
}

static void cell_names(struct report *r, const struct plot_cell *c)
{
    char text[128];
    if (r->labelled || r->data->n_factors == 0)
        html_row_name(r->out, c->label);
    for (int f = 0; f < r->data->n_factors; f++) {
        level_title(r, f, c->levels[f], text, sizeof text);
        html_row_name(r->out, text);
    }
}

static void comparison_cells(struct report *r, size_t i)
{
    char text[64];
    const struct report_compare *c = &r->compare[i];
    if ((int)i == r->baseline) {
        html_value(r->out, HTML_NUMBER, 0, "baseline");
        html_cell(r->out, HTML_NUMBER, "");
        return;
    }
    snprintf(text, sizeof text, "%+.*f", r->metric_scale.decimals,
             c->delta * r->metric_scale.factor);
    html_value(r->out, HTML_NUMBER, c->delta, c->pairs > 0 ? text : "—");
    int hopeless = stats_signflip_needed(0.05, r->comparisons) > c->pairs;
    snprintf(text, sizeof text, hopeless ? "n too small" : "%.2g", c->p);
    html_value(r->out, HTML_NUMBER, c->p, c->pairs > 0 ? text : "—");
}

static void cell_row(struct report *r, size_t i, const struct column *columns, int n)
{
    const struct plot_cell *c = &r->data->cells[i];
    struct strbuf text = STRBUF_INIT;
    html_row(r->out);
    cell_names(r, c);
    if (r->stats[i].n < c->n_rows)
        strbuf_addf(&text, "%zu of %zu", r->stats[i].n, c->n_rows);
    else
        strbuf_addf(&text, "%zu", r->stats[i].n);
    html_value(r->out, HTML_NUMBER, (double)r->stats[i].n, text.text);
    strbuf_clear(&text);
    report_value(&text, r->stats[i], &r->metric_scale);
    html_value(r->out,
               r->best >= 0 && r->stats[i].mean == r->stats[r->best].mean ? HTML_STRONG
                                                                          : HTML_NUMBER,
               r->stats[i].mean, text.text);
    if (r->comparisons > 0)
        comparison_cells(r, i);
    if (r->cost != NULL && r->metric != NULL) {
        strbuf_clear(&text);
        strbuf_addf(&text, isfinite(r->front_chance[i]) ? "%.2f%s" : "—", r->front_chance[i],
                    r->front[i] ? " ●" : "");
        html_value(r->out, HTML_NUMBER, r->front_chance[i], text.text);
    }
    for (int k = 0; k < n; k++) {
        struct plot_stat s = data_stat(r->data, c, columns[k].metric);
        strbuf_clear(&text);
        report_value(&text, s, &columns[k].scale);
        html_value(r->out, HTML_NUMBER, s.mean, text.text);
    }
    html_row_end(r->out);
    strbuf_release(&text);
}

static void cells_notes(struct report *r)
{
    strbuf_adds(r->out, "<p class=\"note\">");
    if (r->metric != NULL && r->cost != NULL)
        html_textf(r->out,
                   "P(front): probability of being on the Pareto front of %s and %s when each "
                   "cell's seeds are resampled (2000 times); ● marks the cells whose means are on "
                   "it. ",
                   r->metric_scale.title, r->cost_scale.title);
    if (r->comparisons > 0)
        html_textf(
            r->out,
            "Δ: mean difference to the baseline over common seeds; p: exact paired sign-flip test, "
            "Holm-corrected for %zu comparisons. ",
            r->comparisons);
    strbuf_adds(r->out, "Select a column's head to sort.</p>\n");
}

void report_cells(struct report *r)
{
    struct column columns[8];
    int n = list_columns(r, columns);
    section(r, "cells", "All cells");
    html_table(r->out, NULL, "sortable");
    cells_head(r, columns, n);
    for (size_t i = 0; i < r->data->n_cells; i++)
        cell_row(r, i, columns, n);
    html_table_end(r->out);
    cells_notes(r);
    end_section(r);
}
