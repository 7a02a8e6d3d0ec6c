/* The section of the ablation: rows and columns are the first two factors, or a row a cell. */
#include "plots/report_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "plots/html.h"
#include "results/table.h"

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
        report_level_title(r, p->row, y, text, sizeof text);
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
    html_section(r->out, "ablation", "Ablation");
    if (r->labelled || leaves_out(r, &p)) {
        write_list(r);
    } else {
        fill_pivot(r, &p);
        write_pivot(r, &p);
        free(p.squares);
    }
    html_section_end(r->out);
}
