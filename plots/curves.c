/* Training curves: a line a cell (mean over seeds) in a band of one standard deviation. With two
 * factors there is a panel for each level of the first, and the second is the colour: twelve bands
 * in one panel cannot be read. */
#include "plots/figure.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "plots/axis.h"
#include "plots/canvas.h"
#include "plots/curve.h"
#include "plots/data.h"
#include "plots/encode.h"
#include "plots/gnuplot.h"
#include "plots/metric.h"
#include "plots/panels.h"
#include "plots/style.h"

enum { TEXT = 12, MOST_PANELS = 12 };

struct curves {
    struct plot_data *data;
    struct canvas *out;
    const struct curve *curves;
    size_t n;
    const char *metric, *x_name;
    struct metric_scale scale;
    struct axis x, y;
    struct encoding encoding;
    int facet; /* factor with a panel for each level, or -1 */
    struct panels panels;
};

static void fit_axes(struct curves *c)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->curves[i].n; k++) {
            const struct curve_point *p = &c->curves[i].points[k];
            double std = isfinite(p->std) ? p->std : 0;
            x0 = fmin(x0, p->x);
            x1 = fmax(x1, p->x);
            y0 = fmin(y0, (p->mean - std) * c->scale.factor);
            y1 = fmax(y1, (p->mean + std) * c->scale.factor);
        }
    axis_fit(&c->x, fmin(x0, x1), fmax(x0, x1), 0.02, 0);
    if (c->x.step < 1) {
        c->x.step = 1;
        c->x.decimals = 0;
    }
    axis_fit(&c->y, y0, y1, 0.04, 0);
}

static void put_curve(struct curves *c, size_t i)
{
    char name[32];
    snprintf(name, sizeof name, "curve %zu", i);
    canvas_block(c->out, name, "x mean std n cell");
    for (size_t k = 0; k < c->curves[i].n; k++) {
        const struct curve_point *p = &c->curves[i].points[k];
        canvas_number(c->out, p->x);
        canvas_number(c->out, p->mean * c->scale.factor);
        canvas_number(c->out, isfinite(p->std) ? p->std * c->scale.factor : 0);
        strbuf_addf(&c->out->data, "%zu ", p->n);
        if (k == 0)
            canvas_word(c->out, data_cell_title(c->data, &c->data->cells[c->curves[i].cell]));
        strbuf_adds(&c->out->data, "\n");
    }
    canvas_block_end(c->out);
}

static const struct plot_cell *cell_of(const struct curves *c, size_t i)
{
    return &c->data->cells[c->curves[i].cell];
}

/* Levels of the facet start at -1 where a key is not active in some cell. */
static int in_panel(const struct curves *c, size_t i, int panel)
{
    return c->facet < 0 || cell_of(c, i)->levels[c->facet] == panel;
}

/* In panels the colour is the second factor's. */
static const char *line_color(const struct curves *c, size_t i, char text[8])
{
    return encode_color(&c->encoding, cell_of(c, i), text);
}

static void plot_panel(struct curves *c, int panel)
{
    struct strbuf *s = &c->out->script;
    const char *comma = "plot ";
    char color[8];
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; i < c->n; i++) {
            if (!in_panel(c, i, panel))
                continue;
            const char *ink = line_color(c, i, color);
            strbuf_addf(s, "%sdata index 'curve %zu' using 1:", comma, i);
            if (pass == 0)
                strbuf_addf(s,
                            "($2-$3):($2+$3) with filledcurves fc rgb '%s' fs transparent solid "
                            "0.16 noborder",
                            ink);
            else if (c->curves[i].n == 1) /* which no line shows */
                strbuf_addf(s, "2:3 with yerrorbars pt 7 ps 0.9*scale lw 1.1 lc rgb '%s'", ink);
            else
                strbuf_addf(s, "2 with lines lw 1.9 dt %s lc rgb '%s'",
                            c->facet < 0 ? style_dash(encode_shape(&c->encoding, cell_of(c, i)))
                                         : "1",
                            ink);
            comma = ", \\\n     ";
        }
    if (comma[0] == 'p') /* gnuplot wants something to plot for an axis to appear */
        strbuf_adds(s, "plot nan");
    strbuf_addc(s, '\n');
}

static void set_tics(struct curves *c, int panel)
{
    axis_script(&c->x, 'x', &c->out->script);
    axis_script(&c->y, 'y', &c->out->script);
    if (!panels_at_bottom(&c->panels, panel))
        strbuf_adds(&c->out->script, "set format x ''\n");
    if (!panels_at_left(&c->panels, panel))
        strbuf_adds(&c->out->script, "set format y ''\n");
}

static int count_panels(const struct curves *c)
{
    return c->facet >= 0 ? c->data->factors[c->facet].n : 1;
}

static void draw_panels(struct curves *c)
{
    char heading[96];
    strbuf_adds(&c->out->script, "set errorbars 0\nset multiplot\n");
    for (int i = 0; i < count_panels(c); i++) {
        if (c->facet >= 0)
            data_level_title(c->data, c->facet, i, heading, sizeof heading);
        panels_select(&c->panels, i, c->out, c->facet >= 0 ? heading : NULL);
        set_tics(c, i);
        plot_panel(c, i);
        canvas_clear(c->out);
    }
    strbuf_adds(&c->out->script, "unset multiplot\n");
}

static size_t most_seeds(const struct curves *c)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->curves[i].n; k++)
            n = c->curves[i].points[k].n > n ? c->curves[i].points[k].n : n;
    return n;
}

static void draw_legend(struct curves *c)
{
    struct legend l = {c->out, c->panels.right + 22, c->panels.top + 8, TEXT};
    encode_legend(&c->encoding, ENCODE_LINES, TEXT, &l);
    char note[64];
    snprintf(note, sizeof note, "bands: ± 1 std, n = %zu", most_seeds(c));
    legend_note(&l, most_seeds(c) > 1 ? note : "one seed");
}

static void layout(struct curves *c)
{
    double legend = fmin(fmax(encode_legend(&c->encoding, ENCODE_LINES, TEXT, NULL), 138), 230);
    int n = count_panels(c);
    int rows = n <= 3 ? 1 : n == 4 ? 2 : (n + 2) / 3;
    c->out->width = 780;
    c->out->height = c->facet < 0 ? 440 : 120 + 170 * (rows < 2 ? 2 : rows) - (rows < 2 ? 60 : 0);
    panels_init(&c->panels, n, 44 + axis_text_width(&c->y), c->facet >= 0 ? 34 : 18,
                c->out->width - 34 - legend, c->out->height - 54);
}

/* With two factors the second one colours, and the first has the panels. */
static void choose_facet(struct curves *c)
{
    c->facet = -1;
    if (c->encoding.color < 0 || c->encoding.shape < 0 || c->n < 5 ||
        c->data->factors[c->encoding.color].n > MOST_PANELS)
        return;
    c->facet = c->encoding.color;
    c->encoding.color = c->encoding.shape;
    c->encoding.shape = -1;
    c->encoding.panel = c->facet;
    for (size_t i = 0; i < c->n; i++)
        if (cell_of(c, i)->levels[c->facet] < 0) { /* a cell without that key has no panel */
            encode_init(&c->encoding, c->data);
            c->facet = -1;
            return;
        }
}

static void scale_values(struct curves *c)
{
    double largest = 0;
    for (size_t i = 0; i < c->n; i++)
        for (size_t k = 0; k < c->curves[i].n; k++)
            largest = fmax(largest, fabs(c->curves[i].points[k].mean));
    metric_scale(&c->scale, c->metric, largest);
}

static void summarize(struct curves *c)
{
    strbuf_addf(&c->out->summary, "%s over the %s of training for %zu %s", c->scale.label,
                c->x_name, c->n, c->n == 1 ? "cell" : "cells");
    if (most_seeds(c) > 1)
        strbuf_addf(&c->out->summary,
                    "; lines are means and bands one standard deviation over seeds (n = %zu).",
                    most_seeds(c));
    else
        strbuf_adds(&c->out->summary, ", of one seed.");
}

/* Points within an epoch are told apart by their step. */
static const char *usual_x(const char *metric)
{
    return metric != NULL && strncmp(metric, "step/", 5) == 0 ? "step" : "epoch";
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct curves c = {.data = d, .out = out};
    c.metric = o->y != NULL ? o->y : o->metric != NULL ? o->metric : curve_main_metric(d);
    c.x_name = o->x != NULL ? o->x : usual_x(c.metric);
    if (strcmp(c.x_name, "epoch") != 0 && strcmp(c.x_name, "step") != 0)
        return error_set(err, "curves run over epoch or step, not over %s", c.x_name);
    c.n = c.metric != NULL ? curve_collect(d, c.metric, c.x_name, &c.curves) : 0;
    if (c.n == 0)
        return curve_missing(d, c.metric, err);
    encode_init(&c.encoding, d);
    choose_facet(&c);
    scale_values(&c);
    fit_axes(&c);
    layout(&c);
    for (size_t i = 0; i < c.n; i++)
        put_curve(&c, i);
    draw_legend(&c);
    panels_titles(&c.panels, out, c.x_name, c.scale.label, axis_text_width(&c.y));
    draw_panels(&c);
    summarize(&c);
    return 0;
}

const struct figure figure_curves = {
    {"curves", "training curves, mean and band of one standard deviation over seeds", NULL}, draw};
