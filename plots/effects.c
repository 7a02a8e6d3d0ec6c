/* Main effects: for each factor, the mean of a metric at each of its levels over all cells that
 * have it, with a 95% interval over seeds. Each seed gives one mean, so that the interval is about
 * seeds, not about cells. */
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
#include "plots/effect.h"
#include "plots/encode.h"
#include "plots/gnuplot.h"
#include "plots/metric.h"
#include "plots/protocol.h"
#include "plots/style.h"

enum { TEXT = 12, ROW = 23, HEADING = 30, MOST_FACTORS = 8 };
#define BOLD 1.1 /* how much wider bold letters are */

struct effects {
    struct plot_data *data;
    struct canvas *out;
    struct effect_list list;
    struct metric_scale scale;
    struct axis x;
    double left;
};

static void scale_and_fit(struct effects *e)
{
    double low = INFINITY, high = -INFINITY, largest = 0;
    for (int i = 0; i < e->list.n; i++)
        largest = fmax(largest, fabs(e->list.levels[i].mean));
    metric_scale(&e->scale, e->list.metric, largest);
    for (int i = 0; i < e->list.n; i++) {
        const struct effect_level *l = &e->list.levels[i];
        double half = isfinite(l->half) ? l->half : 0;
        low = fmin(low, (l->mean - half) * e->scale.factor);
        high = fmax(high, (l->mean + half) * e->scale.factor);
    }
    axis_fit(&e->x, low, high, 0.06, 0);
}

/* Rows from the top; a factor's heading takes room above its levels. */
static double row_y(const struct effects *e, int i)
{
    double y = 12;
    for (int k = 0; k <= i; k++)
        y += (k == 0 || e->list.levels[k].factor != e->list.levels[k - 1].factor ? HEADING : 0) +
             ROW;
    return y - ROW / 2.0;
}

static void level_name(const struct effects *e, int i, char *text, size_t size)
{
    const struct effect_level *l = &e->list.levels[i];
    metric_level_title(e->data->factors[l->factor].levels[l->level], text, size);
}

static void put_levels(struct effects *e)
{
    char text[64], color[8];
    canvas_block(e->out, "levels", "mean row half color n level");
    struct encoding enc;
    encode_init(&enc, e->data);
    for (int i = 0; i < e->list.n; i++) {
        const struct effect_level *l = &e->list.levels[i];
        const char *ink =
            l->factor == enc.color ? encode_level_color(&enc, l->level, color) : STYLE_INK;
        level_name(e, i, text, sizeof text);
        canvas_number(e->out, l->mean * e->scale.factor);
        canvas_number(e->out, row_y(e, i));
        canvas_number(e->out, l->half * e->scale.factor);
        strbuf_addf(&e->out->data, "%lu %zu ", strtoul(ink + 1, NULL, 16), l->seeds);
        canvas_word(e->out, text);
        strbuf_adds(&e->out->data, "\n");
    }
    canvas_block_end(e->out);
}

static void draw_names(struct effects *e)
{
    char text[64];
    for (int i = 0; i < e->list.n; i++) {
        double y = row_y(e, i);
        if (i == 0 || e->list.levels[i].factor != e->list.levels[i - 1].factor) {
            metric_key_title(e->data->factors[e->list.levels[i].factor].key, text, sizeof text);
            canvas_text(e->out, 14, y - ROW, CANVAS_LEFT, TEXT, 1, STYLE_INK, text);
        }
        level_name(e, i, text, sizeof text);
        canvas_text(e->out, e->left - 12, y, CANVAS_RIGHT, TEXT, 0, STYLE_INK, text);
        snprintf(text, sizeof text, "%.*f", e->scale.decimals,
                 e->list.levels[i].mean * e->scale.factor);
        canvas_text(e->out, e->out->width - 16, y, CANVAS_RIGHT, TEXT, 0, STYLE_INK, text);
    }
}

static double name_width(const struct effects *e)
{
    char text[64];
    double width = 60;
    for (int i = 0; i < e->list.n; i++) {
        level_name(e, i, text, sizeof text);
        width = fmax(width, gnuplot_text_width(text) * TEXT);
        metric_key_title(e->data->factors[e->list.levels[i].factor].key, text, sizeof text);
        width = fmax(width, gnuplot_text_width(text) * TEXT * BOLD - 12); /* further left */
    }
    return width;
}

static void write_script(struct effects *e)
{
    struct canvas *c = e->out;
    e->left = 34 + name_width(e);
    c->width = 680;
    double bottom = row_y(e, e->list.n - 1) + ROW / 2.0 + 8;
    c->height = (int)(bottom + 60);
    canvas_area(c, e->left, 10, c->width - 70, bottom);
    axis_script(&e->x, 'x', &c->script);
    /* The vertical axis is the page itself: pixels downwards. */
    strbuf_addf(&c->script, "set yrange [%g:%g]\nunset ytics\nset border 1\nset errorbars 0\n",
                bottom, 10.0);
    double mean = e->list.mean * e->scale.factor;
    canvas_block(c, "mean", "mean row");
    strbuf_addf(&c->data, "%.10g %g\n%.10g %g\n", mean, 10.0, mean, bottom);
    canvas_block_end(c);
    char title[176], intervals[64] = "";
    if (e->list.levels[0].seeds > 1)
        snprintf(intervals, sizeof intervals, ", mean and 95%% interval over %zu seeds",
                 e->list.levels[0].seeds);
    snprintf(title, sizeof title, "%s%s", e->scale.label, intervals);
    canvas_titles(c, title, "", 0);
    draw_names(e);
    strbuf_addf(
        &c->script,
        "plot data index 'mean' using 1:2 with lines lw 1 dt (4,4) lc rgb '%s', \\\n"
        "     data index 'levels' using 1:2:3:4 with xerrorbars ps 0 lw 1.8 lc rgb variable, \\\n"
        "     data index 'levels' using 1:2 with points pt 7 ps 1.75*scale lc rgb '#ffffff', \\\n"
        "     data index 'levels' using 1:2:4 with points pt 7 ps 1.25*scale lc rgb variable\n",
        STYLE_FAINT);
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct effects e = {.data = d, .out = out};
    const char *metric = o->metric != NULL ? o->metric : o->y != NULL ? o->y : data_main_metric(d);
    if (metric == NULL)
        return error_code(err, EXIT_FAILED, "no run has finished yet: nothing to draw");
    if (data_check_metric(d, metric, err) != 0)
        return -1;
    effect_collect(&e.list, d, metric, MOST_FACTORS);
    if (e.list.n == 0)
        return error_code(err, EXIT_FAILED,
                          "the cells do not differ in any key: there are no effects to show");
    scale_and_fit(&e);
    put_levels(&e);
    write_script(&e);
    char intervals[80] = "of one seed, so without intervals";
    if (e.list.levels[0].seeds > 1)
        snprintf(intervals, sizeof intervals, "with 95%% intervals over %zu seeds",
                 e.list.levels[0].seeds);
    strbuf_addf(&out->summary,
                "%s: mean over all cells at each level of each key, %s; the dashed line is the "
                "mean of all.%s",
                e.scale.label, intervals,
                e.list.balanced
                    ? ""
                    : " The grid is not full, so levels are compared over different cells.");
    protocol_caption(d, metric, &out->summary);
    return 0;
}

const struct figure figure_effects = {
    {"effects", "mean of a metric at each level of each key, with intervals over seeds", NULL},
    draw};
