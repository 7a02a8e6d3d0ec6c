/* The trade-off of two metrics: a point a cell with error bars over seeds on both axes, the Pareto
 * front as a stepped line, dominated points paler, published points open and with a front of their
 * own. */
#include "plots/figure.h"
#include "plots/pareto_internal.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "plots/canvas.h"
#include "plots/chance.h"
#include "plots/gnuplot.h"
#include "plots/protocol.h"
#include "plots/style.h"

enum { TEXT = 12 };

/* ---- values ---- */

static int choose_metrics(struct pareto *p, const struct figure_options *o, struct error *err)
{
    p->x_name = o->x != NULL ? o->x : data_main_cost(p->data);
    p->y_name = o->y != NULL ? o->y : data_main_metric(p->data);
    if (p->data->n_cells == 0) {
        p->x_name = p->x_name != NULL ? p->x_name : "cost/macs_fvcore";
        p->y_name = p->y_name != NULL ? p->y_name : "val/top1";
        return 0;
    }
    if (p->y_name == NULL || p->x_name == NULL)
        return error_code(err, EXIT_FAILED,
                          "no finished run has an accuracy and a cost yet: nothing to draw");
    if (data_check_metric(p->data, p->x_name, err) != 0 ||
        data_check_metric(p->data, p->y_name, err) != 0)
        return -1;
    return 0;
}

static struct plot_stat scaled(struct plot_stat s, double factor)
{
    s.mean *= factor;
    s.std *= factor;
    return s;
}

static double largest(const struct pareto *p, int y)
{
    double most = 0;
    for (size_t i = 0; i < p->n; i++)
        most = fmax(most, fabs(y ? p->points[i].y.mean : p->points[i].x.mean));
    for (size_t i = 0; i < p->published.n; i++)
        most = fmax(most, fabs(y ? p->published.points[i].y : p->published.points[i].x));
    return most;
}

static void collect(struct pareto *p)
{
    double *chance = mem_zalloc(p->data->n_cells + 1, sizeof *chance);
    p->points = mem_zalloc(p->data->n_cells + 1, sizeof *p->points);
    chance_on_front(p->data, p->x_name, p->y_name, chance);
    for (size_t i = 0; i < p->data->n_cells; i++) {
        struct point q = {&p->data->cells[i], data_stat(p->data, &p->data->cells[i], p->x_name),
                          data_stat(p->data, &p->data->cells[i], p->y_name), chance[i]};
        if (q.x.n > 0 && q.y.n > 0)
            p->points[p->n++] = q;
        p->resampled |= q.x.n > 0 && q.y.n > 1;
    }
    free(chance);
    published_points(&p->published, p->data->source.published, p->x_name, p->y_name,
                     &p->data->arena);
    metric_scale(&p->x_scale, p->x_name, largest(p, 0));
    metric_scale(&p->y_scale, p->y_name, largest(p, 1));
    for (size_t i = 0; i < p->n; i++) {
        p->points[i].x = scaled(p->points[i].x, p->x_scale.factor);
        p->points[i].y = scaled(p->points[i].y, p->y_scale.factor);
    }
    for (size_t i = 0; i < p->published.n; i++) {
        p->published.points[i].x *= p->x_scale.factor;
        p->published.points[i].y *= p->y_scale.factor;
    }
}

static void extend(double *low, double *high, double mean, double std)
{
    double by = isfinite(std) ? std : 0;
    *low = fmin(*low, mean > 0 ? fmax(mean - by, 0) : mean - by); /* no time is below none */
    *high = fmax(*high, mean + by);
}

static void fit_axes(struct pareto *p)
{
    double x0 = INFINITY, x1 = -INFINITY, y0 = INFINITY, y1 = -INFINITY;
    for (size_t i = 0; i < p->n; i++) {
        extend(&x0, &x1, p->points[i].x.mean, p->points[i].x.std);
        extend(&y0, &y1, p->points[i].y.mean, p->points[i].y.std);
    }
    for (size_t i = 0; i < p->published.n; i++) {
        extend(&x0, &x1, p->published.points[i].x, 0);
        extend(&y0, &y1, p->published.points[i].y, 0);
    }
    axis_fit(&p->x, x0, x1, 0.07, 1);
    axis_fit(&p->y, y0, y1, 0.08, 0);
}

static void find_fronts(struct pareto *p)
{
    double worst_x = p->maximize_x ? p->x.low : p->x.high,
           worst_y = p->maximize_y ? p->y.low : p->y.high;
    size_t n = p->n > p->published.n ? p->n : p->published.n;
    double *x = mem_zalloc(n + 1, sizeof *x), *y = mem_zalloc(n + 1, sizeof *y);
    for (size_t i = 0; i < p->n; i++) {
        x[i] = p->points[i].x.mean;
        y[i] = p->points[i].y.mean;
    }
    front_find(&p->front, x, y, p->n, p->maximize_x, p->maximize_y, worst_x, worst_y);
    for (size_t i = 0; i < p->published.n; i++) {
        x[i] = p->published.points[i].x;
        y[i] = p->published.points[i].y;
    }
    front_find(&p->published_front, x, y, p->published.n, p->maximize_x, p->maximize_y, worst_x,
               worst_y);
    free(x);
    free(y);
}

/* ---- data file ---- */

static void put_color(struct canvas *c, const char *color)
{
    strbuf_addf(&c->data, "%lu ", strtoul(color + 1, NULL, 16));
}

static void put_point(struct pareto *p, const struct point *q, int on_front)
{
    char color[8], pale[8];
    const char *ink = encode_color(&p->encoding, q->cell, color);
    canvas_number(p->out, q->x.mean);
    canvas_number(p->out, q->y.mean);
    canvas_number(p->out, q->x.std);
    canvas_number(p->out, q->y.std);
    put_color(p->out, on_front ? ink : style_tint(ink, 0.5, pale));
    strbuf_addf(&p->out->data, "%d %zu ", style_marker(encode_shape(&p->encoding, q->cell)),
                q->y.n);
    canvas_number(p->out, q->chance);
    canvas_word(p->out, data_cell_title(p->data, q->cell));
    strbuf_adds(&p->out->data, "\n");
}

static int put_points(struct pareto *p, const char *name, int on_front)
{
    int n = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (p->front.on[i] != on_front)
            continue;
        if (n++ == 0)
            canvas_block(p->out, name, "x y x_std y_std color marker n p_front cell");
        put_point(p, &p->points[i], on_front);
    }
    if (n > 0)
        canvas_block_end(p->out);
    return n;
}

static void put_line(struct pareto *p, const char *name, const struct front *f)
{
    if (f->n == 0)
        return;
    canvas_block(p->out, name, "x y");
    for (size_t i = 0; i < f->n_line; i++) {
        canvas_number(p->out, f->line[i].x);
        canvas_number(p->out, f->line[i].y);
        strbuf_adds(&p->out->data, "\n");
    }
    canvas_block_end(p->out);
}

/* Beside measured points the published ones are grey; alone they have the palette. */
static const char *system_color(const struct pareto *p, int system)
{
    return p->n > 0 ? STYLE_MUTED : style_color(system);
}

static void put_published(struct pareto *p)
{
    if (p->published.n == 0)
        return;
    canvas_block(p->out, "published", "x y color marker row");
    for (size_t i = 0; i < p->published.n; i++) {
        const struct published_point *q = &p->published.points[i];
        int system = published_system(&p->published, q->system);
        canvas_number(p->out, q->x);
        canvas_number(p->out, q->y);
        put_color(p->out, system_color(p, system));
        strbuf_addf(&p->out->data, "%d ", style_open_marker(system));
        canvas_word(p->out, q->row);
        strbuf_adds(&p->out->data, "\n");
    }
    canvas_block_end(p->out);
}

/* ---- legend ---- */

static double published_legend(const struct pareto *p, struct legend *l)
{
    double width = gnuplot_text_width("published") * TEXT + 8;
    if (p->published.n == 0)
        return 0;
    if (l != NULL)
        legend_heading(l, "published");
    for (int i = 0; i < p->published.n_systems && i < 14; i++) {
        width = fmax(width, gnuplot_text_width(p->published.systems[i]) * TEXT + 26);
        if (l != NULL)
            legend_point(l, style_open_marker(i), system_color(p, i), p->published.systems[i]);
    }
    return width;
}

static void front_legend(struct pareto *p, struct legend *l)
{
    if (p->n > 0) {
        legend_line(l, "1", 1.6, STYLE_INK, "Pareto front");
        size_t n = 0;
        for (size_t i = 0; i < p->n; i++)
            n = p->points[i].y.n > n ? p->points[i].y.n : n;
        char text[64];
        snprintf(text, sizeof text, "bars: ± 1 std, n = %zu", n);
        if (n > 1)
            legend_note(l, text);
        if (p->resampled)
            legend_note(l, "%: chance of being on it,");
        if (p->resampled)
            legend_note(l, "seeds drawn again");
    }
    if (p->published.n > 0)
        legend_line(l, "(4,3)", 1.2, STYLE_MUTED, p->n > 0 ? "their front" : "Pareto front");
}

static double legend_width(const struct pareto *p)
{
    double width = encode_legend(&p->encoding, ENCODE_POINTS, TEXT, NULL);
    width = fmax(width, published_legend(p, NULL));
    return fmin(fmax(width, 132), 230);
}

static void draw_legend(struct pareto *p)
{
    struct legend l = {p->out, p->right + 22, p->top + 8, TEXT};
    if (p->n > 0)
        encode_legend(&p->encoding, ENCODE_POINTS, TEXT, &l);
    if (published_legend(p, &l) > 0)
        legend_gap(&l);
    front_legend(p, &l);
}

/* ---- script ---- */

static void add_plots(struct pareto *p, int dominated, int front)
{
    static const char *const layers[] = {"dominated", "front"};
    struct strbuf *s = &p->out->script;
    const char *comma = "plot ";
    if (p->published_front.n > 0) {
        strbuf_addf(
            s, "%sdata index 'published line' using 1:2 with lines lw 1.2 dt (4,3) lc rgb '%s'",
            comma, STYLE_MUTED);
        comma = ", \\\n     ";
    }
    if (front > 0) {
        strbuf_addf(s, "%sdata index 'front line' using 1:2 with lines lw 1.6 lc rgb '%s'", comma,
                    STYLE_INK);
        comma = ", \\\n     ";
    }
    if (p->published.n > 0) {
        strbuf_addf(s,
                    "%sdata index 'published' using 1:2:4:3 with points pt variable ps 1.25*scale "
                    "lw 1.3 lc rgb variable",
                    comma);
        comma = ", \\\n     ";
    }
    for (int i = 0; i < 2; i++) {
        if ((i == 0 ? dominated : front) == 0)
            continue;
        const char *name = layers[i];
        strbuf_addf(
            s,
            "%sdata index '%s' using 1:2:3:5 with xerrorbars ps 0 lw 1.1 lc rgb variable, \\\n"
            "     data index '%s' using 1:2:4:5 with yerrorbars ps 0 lw 1.1 lc rgb variable, \\\n"
            "     data index '%s' using 1:2:6 with points pt variable ps %s*scale lc rgb "
            "'#ffffff', \\\n"
            "     data index '%s' using 1:2:6:5 with points pt variable ps %s*scale lc rgb "
            "variable",
            comma, name, name, name, i == 0 ? "1.35" : "1.75", name, i == 0 ? "1.05" : "1.35");
        comma = ", \\\n     ";
    }
    strbuf_addc(s, '\n');
}

static void draw_titles(struct pareto *p)
{
    struct strbuf x = STRBUF_INIT, y = STRBUF_INIT;
    strbuf_adds(&x, p->x_scale.label);
    protocol_title(p->data, p->x_name, &x);
    strbuf_adds(&y, p->y_scale.label);
    protocol_title(p->data, p->y_name, &y);
    canvas_titles(p->out, x.text, y.text, axis_text_width(&p->y));
    strbuf_release(&x);
    strbuf_release(&y);
}

static void write_script(struct pareto *p)
{
    struct canvas *c = p->out;
    int dominated = put_points(p, "dominated", 0), front = put_points(p, "front", 1);
    put_line(p, "front line", &p->front);
    put_published(p);
    put_line(p, "published line", &p->published_front);
    canvas_area(c, p->left, p->top, p->right, p->bottom);
    axis_script(&p->x, 'x', &c->script);
    axis_script(&p->y, 'y', &c->script);
    draw_titles(p);
    strbuf_adds(&c->script, "set errorbars 0\n");
    draw_legend(p);
    pareto_labels(p);
    add_plots(p, dominated, front);
}

/* ---- words ---- */

static void add_value(struct strbuf *s, struct plot_stat v, int decimals)
{
    strbuf_addf(s, "%.*f", decimals, v.mean);
    if (isfinite(v.std) && v.std > 0)
        strbuf_addf(s, " ± %.*f", decimals, v.std);
}

static void summarize(struct pareto *p)
{
    struct strbuf *s = &p->out->summary;
    const struct front *f = p->n > 0 ? &p->front : &p->published_front;
    size_t total = p->n > 0 ? p->n : p->published.n;
    strbuf_addf(s, "%zu of %zu %s on the Pareto front of %s and %s", f->n, total,
                p->n > 0 ? (total == 1  ? "cell is"
                            : f->n == 1 ? "cells is"
                                        : "cells are")
                         : "published points are",
                p->y_scale.label, p->x_scale.label);
    for (size_t i = 0; i < f->n && i < 6 && p->n > 0; i++) {
        const struct point *q = &p->points[f->points[i].index];
        strbuf_addf(s, "%s%s (", i == 0 ? ": " : "; ", data_cell_title(p->data, q->cell));
        add_value(s, q->y, p->y_scale.decimals);
        strbuf_adds(s, " at ");
        add_value(s, q->x, p->x_scale.decimals);
        strbuf_addc(s, ')');
    }
    if (p->resampled)
        strbuf_addf(s,
                    ". Per cent at a point: its probability of being on the front when seeds are "
                    "drawn again (%d times)",
                    CHANCE_SAMPLES);
    if (p->published.n > 0 && p->published.source[0] != 0)
        strbuf_addf(s, ". Published: %s", p->published.source);
    double worst_x = p->maximize_x ? p->x.low : p->x.high,
           worst_y = p->maximize_y ? p->y.low : p->y.high;
    strbuf_addf(s, ". Hypervolume %.4g against the reference point (%.4g, %.4g).",
                front_hypervolume(f, worst_x, worst_y), worst_x, worst_y);
    protocol_caption(p->data, p->x_name, s);
    if (strncmp(p->x_name, "latency/", 8) != 0)
        protocol_caption(p->data, p->y_name, s);
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct pareto p = {.data = d, .out = out};
    if (choose_metrics(&p, o, err) != 0)
        return -1;
    p.maximize_x = data_maximize(d, p.x_name);
    p.maximize_y = data_maximize(d, p.y_name);
    encode_init(&p.encoding, d);
    collect(&p);
    if (p.n + p.published.n == 0) {
        free(p.points);
        return error_code(err, EXIT_FAILED, "no cell has both %s and %s yet: nothing to draw",
                          p.x_name, p.y_name);
    }
    fit_axes(&p);
    find_fronts(&p);
    out->width = 780;
    out->height = 470;
    p.left = 44 + axis_text_width(&p.y);
    p.top = 18;
    p.right = out->width - 34 - legend_width(&p);
    p.bottom = out->height - 54;
    write_script(&p);
    summarize(&p);
    front_release(&p.front);
    front_release(&p.published_front);
    free(p.points);
    return 0;
}

const struct figure figure_pareto = {
    {"pareto", "trade-off of two metrics (default: accuracy and MACs) with the Pareto front", NULL},
    draw};
