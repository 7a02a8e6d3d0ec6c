/* The section of all cells: result, comparison with the baseline, costs. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "plots/html.h"
#include "results/stats.h"

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
        report_level_title(r, f, c->levels[f], text, sizeof text);
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
    html_section(r->out, "cells", "All cells");
    html_table(r->out, NULL, "sortable");
    cells_head(r, columns, n);
    for (size_t i = 0; i < r->data->n_cells; i++)
        cell_row(r, i, columns, n);
    html_table_end(r->out);
    cells_notes(r);
    html_section_end(r->out);
}
