/* A metric over two factors as coloured squares with their numbers. Further factors are averaged
 * over. */
#include "plots/figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "plots/canvas.h"
#include "plots/data.h"
#include "plots/encode.h"
#include "plots/gnuplot.h"
#include "plots/metric.h"
#include "plots/protocol.h"
#include "plots/style.h"

enum { TEXT = 12, MOST_LEVELS = 24 };

struct square {
    double sum, std;
    size_t cells, n;
};

struct heatmap {
    struct plot_data *data;
    struct canvas *out;
    const char *metric;
    int column, row; /* factors; -1: the only row */
    int columns, rows;
    struct square *squares; /* rows x columns */
    struct metric_scale scale;
    double low, high;
    int maximize;
};

static int pick_factor(struct plot_data *d, const char *key, int otherwise, int *factor,
                       struct error *err)
{
    *factor = key != NULL ? data_factor(d, key) : otherwise;
    if (key == NULL || *factor >= 0)
        return 0;
    return error_set(err, "%s does not vary between these cells: a heatmap needs a key that does",
                     key);
}

static int choose(struct heatmap *h, const struct figure_options *o, struct error *err)
{
    struct encoding e;
    encode_init(&e, h->data);
    h->metric = o->metric != NULL ? o->metric : data_main_metric(h->data);
    if (h->metric == NULL)
        return error_code(err, EXIT_FAILED, "no run has finished yet: nothing to draw");
    if (data_check_metric(h->data, h->metric, err) != 0 ||
        pick_factor(h->data, o->x, e.shape >= 0 ? e.shape : e.color, &h->column, err) != 0 ||
        pick_factor(h->data, o->y, e.shape >= 0 ? e.color : -1, &h->row, err) != 0)
        return -1;
    if (h->column < 0)
        return error_code(err, EXIT_FAILED,
                          "the cells do not differ in any key: a heatmap needs one or two");
    if (h->row == h->column)
        h->row = -1;
    h->columns = h->data->factors[h->column].n;
    h->rows = h->row >= 0 ? h->data->factors[h->row].n : 1;
    if (h->columns > MOST_LEVELS || h->rows > MOST_LEVELS)
        return error_set(err, "%s has more than %d values: too many squares to read",
                         h->data->factors[h->columns > MOST_LEVELS ? h->column : h->row].key,
                         MOST_LEVELS);
    return 0;
}

static void collect(struct heatmap *h)
{
    double largest = 0;
    h->squares = mem_zalloc((size_t)h->columns * (size_t)h->rows, sizeof *h->squares);
    for (size_t i = 0; i < h->data->n_cells; i++) {
        const struct plot_cell *c = &h->data->cells[i];
        struct plot_stat s = data_stat(h->data, c, h->metric);
        int x = c->levels[h->column], y = h->row >= 0 ? c->levels[h->row] : 0;
        if (s.n == 0 || x < 0 || y < 0)
            continue;
        struct square *q = &h->squares[y * h->columns + x];
        q->sum += s.mean;
        q->std = s.std;
        q->n += s.n;
        q->cells++;
        largest = fmax(largest, fabs(s.mean));
    }
    metric_scale(&h->scale, h->metric, largest);
    h->low = INFINITY;
    h->high = -INFINITY;
    for (int i = 0; i < h->rows * h->columns; i++)
        if (h->squares[i].cells > 0) {
            double mean = h->squares[i].sum / (double)h->squares[i].cells;
            h->low = fmin(h->low, mean);
            h->high = fmax(h->high, mean);
        }
}

static int best_square(const struct heatmap *h)
{
    int best = -1;
    for (int i = 0; i < h->rows * h->columns; i++) {
        const struct square *q = &h->squares[i], *b = &h->squares[best < 0 ? 0 : best];
        if (q->cells == 0)
            continue;
        double mean = q->sum / (double)q->cells, most = b->sum / (double)b->cells;
        if (best < 0 || (h->maximize ? mean > most : mean < most))
            best = i;
    }
    return best;
}

static void put_square(struct heatmap *h, int x, int y)
{
    const struct square *q = &h->squares[y * h->columns + x];
    if (q->cells == 0)
        return;
    double mean = q->sum / (double)q->cells;
    double t = h->high > h->low ? (mean - h->low) / (h->high - h->low) : 0.5;
    char color[8], text[64], spread[64] = "";
    style_map(h->maximize ? t : 1 - t, color);
    snprintf(text, sizeof text, "%.*f", h->scale.decimals, mean * h->scale.factor);
    if (q->cells == 1 && isfinite(q->std))
        snprintf(spread, sizeof spread, "± %.*f", h->scale.decimals, q->std * h->scale.factor);
    canvas_number(h->out, x);
    canvas_number(h->out, y);
    canvas_number(h->out, mean * h->scale.factor);
    canvas_number(h->out, q->std * h->scale.factor);
    strbuf_addf(&h->out->data, "%zu %lu %lu ", q->n, strtoul(color + 1, NULL, 16),
                strtoul(style_contrast(color) + 1, NULL, 16));
    canvas_word(h->out, text);
    canvas_word(h->out, spread);
    canvas_number(h->out, spread[0] != 0 ? -0.13 : 0); /* in the middle where it stands alone */
    strbuf_adds(&h->out->data, "\n");
}

static void level_text(const struct heatmap *h, int factor, int level, char *text, size_t size)
{
    if (factor >= 0)
        metric_level_title(h->data->factors[factor].levels[level], text, size);
    else
        text[0] = 0;
}

/* The most seeds of a cell whose spread is printed; 0: none is. */
static size_t spread_seeds(const struct heatmap *h)
{
    size_t n = 0;
    for (int i = 0; i < h->rows * h->columns; i++)
        if (h->squares[i].cells == 1 && isfinite(h->squares[i].std) && h->squares[i].n > n)
            n = h->squares[i].n;
    return n;
}

static void draw_names(struct heatmap *h)
{
    struct canvas *c = h->out;
    double wide = (c->right - c->left) / h->columns, high = (c->bottom - c->top) / h->rows;
    char text[64];
    for (int x = 0; x < h->columns; x++) {
        level_text(h, h->column, x, text, sizeof text);
        canvas_text(c, c->left + (x + 0.5) * wide, c->bottom + 16, CANVAS_CENTER, TEXT, 0,
                    STYLE_INK, text);
    }
    for (int y = 0; y < h->rows; y++) {
        level_text(h, h->row, y, text, sizeof text);
        canvas_text(c, c->left - 8, c->top + (y + 0.5) * high, CANVAS_RIGHT, TEXT, 0, STYLE_INK,
                    text);
    }
    metric_key_title(h->data->factors[h->column].key, text, sizeof text);
    canvas_text(c, (c->left + c->right) / 2, c->bottom + 40, CANVAS_CENTER, TEXT, 1, STYLE_INK,
                text);
    if (h->row >= 0) {
        metric_key_title(h->data->factors[h->row].key, text, sizeof text);
        canvas_text(c, 16, c->top - 14, CANVAS_LEFT, TEXT, 1, STYLE_INK, text);
    }
    canvas_text(c, c->right, c->top - 14, CANVAS_RIGHT, TEXT, 0, STYLE_MUTED, h->scale.label);
    snprintf(text, sizeof text, "± 1 std, n = %zu", spread_seeds(h));
    if (spread_seeds(h) > 0)
        canvas_text(c, c->right, c->bottom + 62, CANVAS_RIGHT, TEXT - 1, 0, STYLE_MUTED, text);
}

static double name_width(const struct heatmap *h)
{
    char text[64];
    double width = 0;
    for (int y = 0; y < h->rows; y++) {
        level_text(h, h->row, y, text, sizeof text);
        width = fmax(width, gnuplot_text_width(text) * TEXT);
    }
    return width;
}

static void write_script(struct heatmap *h)
{
    struct canvas *c = h->out;
    double left = 26 + name_width(h), column = fmin(fmax(600.0 / h->columns, 62), 130),
           row = h->rows > 8 ? 40 : 52;
    double below = spread_seeds(h) > 0 ? 78 : 58;
    c->width = (int)(left + column * h->columns + 24);
    c->height = (int)(36 + row * h->rows + below);
    canvas_area(c, left, 36, c->width - 24, c->height - below);
    strbuf_addf(
        &c->script,
        "set xrange [-0.5:%d.5]\nset yrange [%d.5:-0.5]\nunset border\nunset tics\nunset grid\n",
        h->columns - 1, h->rows - 1);
    draw_names(h);
    int best = best_square(h), x = best % h->columns, y = best / h->columns;
    if (best >= 0)
        strbuf_addf(
            &c->script,
            "set object rectangle from %g,%g to %g,%g front fillstyle empty border linecolor rgb "
            "'%s' linewidth 2.5\n",
            x - 0.465, y - 0.455, x + 0.465, y + 0.455, style_color(1));
    strbuf_addf(&c->script,
                "plot data index 'squares' using 1:2:(0.485):(0.475):6 with boxxyerror fillstyle "
                "solid 1 noborder "
                "linecolor rgb variable, \\\n"
                "     data index 'squares' using 1:($2+$10):8:7 with labels font '%s,13' "
                "textcolor rgb variable, \\\n"
                "     data index 'squares' using 1:($2+0.2):9:7 with labels font '%s,10' textcolor "
                "rgb variable\n",
                STYLE_FONT, STYLE_FONT);
}

static void summarize(struct heatmap *h)
{
    char row[128] = "", column[128];
    metric_key_title(h->data->factors[h->column].key, column, sizeof column);
    if (h->row >= 0)
        metric_key_title(h->data->factors[h->row].key, row, sizeof row);
    strbuf_addf(&h->out->summary, "%s by %s%s%s", h->scale.label, row, h->row >= 0 ? " and " : "",
                column);
    int best = best_square(h);
    if (best >= 0) {
        if (h->row >= 0)
            data_level_title(h->data, h->row, best / h->columns, row, sizeof row);
        data_level_title(h->data, h->column, best % h->columns, column, sizeof column);
        strbuf_addf(&h->out->summary, "; best: %s%s%s, outlined", row, h->row >= 0 ? " · " : "",
                    column);
    }
    int others = h->data->n_factors - 1 - (h->row >= 0);
    strbuf_adds(&h->out->summary, others > 0 ? "; averaged over the other keys that vary." : ".");
    if (spread_seeds(h) > 0)
        strbuf_addf(&h->out->summary, " ±: one standard deviation over seeds (n = %zu).",
                    spread_seeds(h));
    protocol_caption(h->data, h->metric, &h->out->summary);
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct heatmap h = {.data = d, .out = out};
    if (choose(&h, o, err) != 0)
        return -1;
    h.maximize = data_maximize(d, h.metric);
    collect(&h);
    canvas_block(out, "squares", "column row mean std n color text_color text spread shift");
    for (int y = 0; y < h.rows; y++)
        for (int x = 0; x < h.columns; x++)
            put_square(&h, x, y);
    canvas_block_end(out);
    write_script(&h);
    summarize(&h);
    free(h.squares);
    return 0;
}

const struct figure figure_heatmap = {
    {"heatmap", "a metric over two keys as coloured squares with their numbers", NULL}, draw};
