/* What a cell costs and where: peak memory of each cell as bars, and multiply-adds of each layer as
 * a line for each level of the first factor. */
#include "plots/figure.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "plots/axis.h"
#include "plots/canvas.h"
#include "plots/data.h"
#include "plots/encode.h"
#include "plots/gnuplot.h"
#include "plots/layers.h"
#include "plots/metric.h"
#include "plots/style.h"

enum { TEXT = 12, SMALL = 11, ROW = 21, MOST_BARS = 40, GAP = 74 };

struct memory {
    struct plot_data *data;
    struct canvas *out;
    struct encoding encoding;
    struct metric_scale bytes, macs;
    size_t *cells; /* with a peak, in order */
    size_t n;
    size_t left_out;
    struct layers layers;
    double top, bars_bottom, layers_top, layers_bottom;
};

static double peak(const struct memory *m, size_t i)
{
    return data_stat(m->data, &m->data->cells[m->cells[i]], "memory/peak_bytes").mean;
}

static void collect(struct memory *m)
{
    double largest = 0;
    m->cells = mem_zalloc(m->data->n_cells + 1, sizeof *m->cells);
    for (size_t i = 0; i < m->data->n_cells; i++) {
        struct plot_stat s = data_stat(m->data, &m->data->cells[i], "memory/peak_bytes");
        if (s.n == 0)
            continue;
        if (m->n == MOST_BARS) {
            m->left_out++;
            continue;
        }
        largest = fmax(largest, s.mean);
        m->cells[m->n++] = i;
    }
    metric_scale(&m->bytes, "memory/peak_bytes", largest);
    layers_collect(&m->layers, m->data, &m->encoding);
    metric_scale(&m->macs, "cost/macs", m->layers.largest);
}

static double row_y(const struct memory *m, size_t i)
{
    return m->top + (i + 0.5) * ROW;
}

static void put_bars(struct memory *m)
{
    char color[8];
    canvas_block(m->out, "bars", "zero row bytes color cell");
    for (size_t i = 0; i < m->n; i++) {
        const struct plot_cell *c = &m->data->cells[m->cells[i]];
        const char *ink = encode_color(&m->encoding, c, color);
        strbuf_adds(&m->out->data, "0 ");
        canvas_number(m->out, row_y(m, i));
        canvas_number(m->out, peak(m, i) * m->bytes.factor);
        strbuf_addf(&m->out->data, "%lu ", strtoul(ink + 1, NULL, 16));
        canvas_word(m->out, data_cell_title(m->data, c));
        strbuf_adds(&m->out->data, "\n");
    }
    canvas_block_end(m->out);
}

static void draw_bars(struct memory *m, double left)
{
    struct canvas *c = m->out;
    struct axis x;
    double most = 0;
    char text[32];
    for (size_t i = 0; i < m->n; i++)
        most = fmax(most, peak(m, i) * m->bytes.factor);
    axis_fit(&x, 0, most, 0.04, 0);
    canvas_area(c, left, m->top, c->width - 78, m->bars_bottom);
    axis_script(&x, 'x', &c->script);
    strbuf_addf(&c->script, "set yrange [%g:%g]\nunset ytics\nset border 1\n", m->bars_bottom,
                m->top);
    canvas_titles(c, m->bytes.label, "", 0);
    for (size_t i = 0; i < m->n; i++) {
        canvas_text(c, left - 10, row_y(m, i), CANVAS_RIGHT, SMALL, 0, STYLE_INK,
                    data_cell_title(m->data, &m->data->cells[m->cells[i]]));
        snprintf(text, sizeof text, "%.*f", m->bytes.decimals, peak(m, i) * m->bytes.factor);
        canvas_text(c, c->width - 16, row_y(m, i), CANVAS_RIGHT, SMALL, 0, STYLE_INK, text);
    }
    strbuf_addf(&c->script,
                "plot data index 'bars' using ($3/2):2:($3/2):(%g):4 with boxxyerror fillstyle "
                "solid 0.85 noborder "
                "linecolor rgb variable\n",
                ROW * 0.36);
}

static void put_layers(struct memory *m)
{
    char name[32];
    for (int s = 0; s < m->layers.series; s++) {
        snprintf(name, sizeof name, "layers %d", s);
        canvas_block(m->out, name, "layer macs name");
        for (int i = 0; i < m->layers.n; i++) {
            strbuf_addf(&m->out->data, "%d ", i);
            canvas_number(m->out, m->layers.macs[s * m->layers.n + i] * m->macs.factor);
            canvas_word(m->out, m->layers.names[i]);
            strbuf_adds(&m->out->data, "\n");
        }
        canvas_block_end(m->out);
    }
}

static void layer_names(struct memory *m)
{
    struct canvas *c = m->out;
    double step = (c->right - c->left) / m->layers.n;
    for (int i = 0; i < m->layers.n; i++) {
        strbuf_adds(&c->script, "set label ");
        gnuplot_quote(&c->script, m->layers.names[i]);
        strbuf_addf(&c->script,
                    " at screen %.5f,%.5f right rotate by 40 font '%s,%d' textcolor rgb '%s' "
                    "noenhanced front\n",
                    (c->left + (i + 0.6) * step) / c->width, 1 - (c->bottom + 10) / c->height,
                    STYLE_FONT, SMALL, STYLE_INK);
    }
}

static void draw_layers(struct memory *m)
{
    struct canvas *c = m->out;
    struct axis y;
    char color[8];
    const char *comma = "plot ";
    axis_fit(&y, 0, m->layers.largest * m->macs.factor, 0.06, 0);
    canvas_area(c, 64, m->layers_top, c->width - 16, m->layers_bottom);
    strbuf_addf(&c->script, "set border 3\nset xrange [-0.5:%d.5]\nunset xtics\n", m->layers.n - 1);
    axis_script(&y, 'y', &c->script);
    canvas_titles(c, "", m->macs.label, axis_text_width(&y));
    layer_names(m);
    for (int s = 0; s < m->layers.series; s++) {
        const char *ink =
            m->layers.series > 1 ? encode_level_color(&m->encoding, s, color) : style_color(0);
        strbuf_addf(&c->script,
                    "%sdata index 'layers %d' using 1:2 with linespoints lw 1.6 pt 7 ps 0.8*scale "
                    "lc rgb '%s'",
                    comma, s, ink);
        comma = ", \\\n     ";
    }
    strbuf_addc(&c->script, '\n');
}

/* Two columns of entries above the second plot would be wider than the figure: one line is enough.
 */
static void layer_legend(struct memory *m)
{
    if (m->layers.series < 2)
        return;
    char text[64], color[8];
    double x = 64, y = m->layers_top - 16;
    metric_key_title(m->data->factors[m->encoding.color].key, text, 32);
    canvas_text(m->out, x, y, CANVAS_LEFT, SMALL, 1, STYLE_INK, text);
    x += gnuplot_text_width(text) * SMALL * 1.1 + 16; /* bold is wider */
    for (int s = 0; s < m->layers.series; s++) {
        metric_level_title(m->data->factors[m->encoding.color].levels[s], text, 32);
        double width = gnuplot_text_width(text) * SMALL + 34;
        if (x + width > m->out->width)
            return;
        canvas_point(m->out, x + 6, y, 7, 1, encode_level_color(&m->encoding, s, color));
        canvas_text(m->out, x + 16, y, CANVAS_LEFT, SMALL, 0, STYLE_INK, text);
        x += width;
    }
}

static double name_width(const struct memory *m)
{
    double width = 40;
    for (size_t i = 0; i < m->n; i++)
        width =
            fmax(width, gnuplot_text_width(data_cell_title(m->data, &m->data->cells[m->cells[i]])) *
                            SMALL);
    return fmin(width, 330);
}

static void layout(struct memory *m)
{
    double name = 0;
    for (int i = 0; i < m->layers.n; i++)
        name = fmax(name, gnuplot_text_width(m->layers.names[i]) * SMALL);
    m->top = 12;
    m->bars_bottom = m->n > 0 ? m->top + m->n * ROW + 4 : 0;
    m->layers_top = m->n > 0 ? m->bars_bottom + GAP + 20 : 34;
    m->layers_bottom = m->layers_top + 190;
    m->out->width = 720;
    m->out->height =
        (int)(m->layers.n > 0 ? m->layers_bottom + 26 + 0.64 * name : m->bars_bottom + 60);
}

static void write_script(struct memory *m)
{
    strbuf_adds(&m->out->script, "set multiplot\n");
    if (m->n > 0) {
        put_bars(m);
        draw_bars(m, 30 + name_width(m));
        canvas_clear(m->out);
    }
    if (m->layers.n > 0) {
        put_layers(m);
        layer_legend(m);
        draw_layers(m);
    }
    strbuf_adds(&m->out->script, "unset multiplot\n");
}

/* The value of a key that all cells with a peak have, or NULL. */
static const char *shared_key(const struct memory *m, const char *key)
{
    const char *first = NULL;
    for (size_t i = 0; i < m->n; i++) {
        const char *text = data_cell_key(m->data, &m->data->cells[m->cells[i]], key);
        if (text == NULL || (first != NULL && strcmp(first, text) != 0))
            return NULL;
        first = text;
    }
    return first;
}

static void summarize(struct memory *m)
{
    struct strbuf *s = &m->out->summary;
    const char *batch = shared_key(m, "train.batch"), *precision = shared_key(m, "train.precision");
    strbuf_addf(s, "Peak memory of training of %zu %s", m->n, m->n == 1 ? "cell" : "cells");
    if (batch != NULL)
        strbuf_addf(s, ", batch %s", batch);
    if (precision != NULL)
        strbuf_addf(s, ", %s", precision);
    if (m->left_out > 0)
        strbuf_addf(s, " (%zu more are left out)", m->left_out);
    if (m->layers.n > 0)
        strbuf_addf(s, "; multiply-adds of one image by layer%s",
                    m->layers.series > 1 ? ", averaged over the cells of each level" : "");
    strbuf_addc(s, '.');
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct memory m = {.data = d, .out = out};
    (void)o;
    encode_init(&m.encoding, d);
    collect(&m);
    if (m.n + (size_t)m.layers.n == 0) {
        free(m.cells);
        return error_code(err, EXIT_FAILED,
                          "no run has a peak of memory or costs by layer yet: nothing to draw");
    }
    layout(&m);
    write_script(&m);
    summarize(&m);
    free(m.cells);
    return 0;
}

const struct figure figure_memory = {
    {"memory", "peak memory of each cell and multiply-adds by layer", NULL}, draw};
