/* Interaction: the mean of a metric over the levels of one key, a line for each level of another.
 * Parallel lines mean that the two keys add up; lines that cross, that the choice of one depends on
 * the other. Bars are one standard deviation over seeds where a point is one cell. */
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
#include "plots/metric.h"
#include "plots/protocol.h"
#include "plots/style.h"

enum { TEXT = 12, MOST_LEVELS = 12, STEP = 130 };

struct spot {
    double sum, std;
    size_t cells, n;
};

struct interaction {
    struct plot_data *data;
    struct canvas *out;
    const char *metric;
    int along, line; /* factors: of the axis, of the lines */
    int columns, lines;
    struct spot *spots; /* lines x columns */
    struct encoding encoding;
    struct metric_scale scale;
    struct axis y;
};

static int pick(struct plot_data *d, const char *key, int otherwise, int *factor, struct error *err)
{
    *factor = key != NULL ? data_factor(d, key) : otherwise;
    if (*factor < 0 && key != NULL)
        return error_set(err, "%s does not vary between these cells", key);
    return 0;
}

static int choose(struct interaction *f, const struct figure_options *o, struct error *err)
{
    f->metric = o->metric != NULL ? o->metric : data_main_metric(f->data);
    if (f->metric == NULL)
        return error_code(err, EXIT_FAILED, "no run has finished yet: nothing to draw");
    if (data_check_metric(f->data, f->metric, err) != 0 ||
        pick(f->data, o->x, f->encoding.shape, &f->along, err) != 0 ||
        pick(f->data, o->y, f->encoding.color, &f->line, err) != 0)
        return -1;
    if (f->along < 0 || f->line < 0 || f->along == f->line)
        return error_code(err, EXIT_FAILED,
                          "the cells differ in fewer than two keys: there is no interaction");
    f->columns = f->data->factors[f->along].n;
    f->lines = f->data->factors[f->line].n;
    if (f->columns > MOST_LEVELS || f->lines > MOST_LEVELS)
        return error_set(err, "%s has more than %d values: too many to tell apart",
                         f->data->factors[f->columns > MOST_LEVELS ? f->along : f->line].key,
                         MOST_LEVELS);
    return 0;
}

static double mean_of(const struct spot *s)
{
    return s->sum / (double)s->cells;
}

static double spread_of(const struct spot *s)
{
    return s->cells == 1 ? s->std : NAN;
}

static void collect(struct interaction *f)
{
    double low = INFINITY, high = -INFINITY, largest = 0;
    f->spots = mem_zalloc((size_t)(f->lines * f->columns), sizeof *f->spots);
    for (size_t i = 0; i < f->data->n_cells; i++) {
        const struct plot_cell *c = &f->data->cells[i];
        struct plot_stat s = data_stat(f->data, c, f->metric);
        int x = c->levels[f->along], line = c->levels[f->line];
        if (s.n == 0 || x < 0 || line < 0)
            continue;
        struct spot *q = &f->spots[line * f->columns + x];
        q->sum += s.mean;
        q->std = s.std;
        q->n += s.n;
        q->cells++;
        largest = fmax(largest, fabs(s.mean));
    }
    metric_scale(&f->scale, f->metric, largest);
    for (int i = 0; i < f->lines * f->columns; i++) {
        const struct spot *q = &f->spots[i];
        double half = isfinite(spread_of(q)) ? spread_of(q) : 0;
        if (q->cells == 0)
            continue;
        low = fmin(low, (mean_of(q) - half) * f->scale.factor);
        high = fmax(high, (mean_of(q) + half) * f->scale.factor);
    }
    axis_fit(&f->y, low, high, 0.08, 0);
}

/* Lines stand a little apart, so that their bars can be told from each other. */
static double shifted(const struct interaction *f, int column, int line)
{
    return column + 0.05 * (line - 0.5 * (f->lines - 1));
}

static int put_line(struct interaction *f, int line)
{
    char name[32], text[64];
    int n = 0;
    snprintf(name, sizeof name, "line %d", line);
    for (int x = 0; x < f->columns; x++) {
        const struct spot *q = &f->spots[line * f->columns + x];
        if (q->cells == 0)
            continue;
        if (n++ == 0)
            canvas_block(f->out, name, "x mean std n level");
        canvas_number(f->out, shifted(f, x, line));
        canvas_number(f->out, mean_of(q) * f->scale.factor);
        canvas_number(f->out, spread_of(q) * f->scale.factor);
        strbuf_addf(&f->out->data, "%zu ", q->n);
        metric_level_title(f->data->factors[f->along].levels[x], text, sizeof text);
        canvas_word(f->out, text);
        strbuf_adds(&f->out->data, "\n");
    }
    if (n > 0)
        canvas_block_end(f->out);
    return n;
}

static const char *ink_of(const struct interaction *f, int line, char color[8])
{
    return f->line == f->encoding.color ? encode_level_color(&f->encoding, line, color)
                                        : style_color(line);
}

/* "bars: ± 1 std, n = 3"; 0 where there are none. */
static int bars_note(const struct interaction *f, char text[64])
{
    size_t n = 0;
    for (int i = 0; i < f->lines * f->columns; i++)
        if (isfinite(spread_of(&f->spots[i])) && f->spots[i].n > n)
            n = f->spots[i].n;
    snprintf(text, 64, "bars: ± 1 std, n = %zu", n);
    return n > 0;
}

static double legend_width(const struct interaction *f)
{
    char text[64];
    double width = bars_note(f, text) ? gnuplot_text_width(text) * TEXT : 0;
    metric_key_title(f->data->factors[f->line].key, text, sizeof text);
    width = fmax(width, gnuplot_text_width(text) * TEXT);
    for (int i = 0; i < f->lines; i++) {
        metric_level_title(f->data->factors[f->line].levels[i], text, sizeof text);
        width = fmax(width, gnuplot_text_width(text) * TEXT + 26);
    }
    return width;
}

static void draw_names(struct interaction *f)
{
    struct canvas *c = f->out;
    char text[64], color[8];
    double step = (c->right - c->left) / f->columns;
    struct legend l = {c, c->right + 22, c->top + 8, TEXT};
    for (int x = 0; x < f->columns; x++) {
        metric_level_title(f->data->factors[f->along].levels[x], text, sizeof text);
        canvas_text(c, c->left + (x + 0.5) * step, c->bottom + 16, CANVAS_CENTER, TEXT, 0,
                    STYLE_INK, text);
    }
    metric_key_title(f->data->factors[f->along].key, text, sizeof text);
    canvas_text(c, (c->left + c->right) / 2, c->bottom + 40, CANVAS_CENTER, TEXT, 1, STYLE_INK,
                text);
    metric_key_title(f->data->factors[f->line].key, text, sizeof text);
    legend_heading(&l, text);
    for (int i = 0; i < f->lines; i++) {
        metric_level_title(f->data->factors[f->line].levels[i], text, sizeof text);
        legend_point(&l, style_marker(i), ink_of(f, i, color), text);
    }
    legend_gap(&l);
    if (bars_note(f, text))
        legend_note(&l, text);
}

static void add_plots(struct interaction *f)
{
    struct strbuf *s = &f->out->script;
    const char *comma = "plot ";
    for (int i = 0; i < f->lines; i++) {
        char color[8];
        if (put_line(f, i) == 0)
            continue;
        const char *ink = ink_of(f, i, color);
        strbuf_addf(s,
                    "%sdata index 'line %d' using 1:2 with lines lw 1.6 lc rgb '%s', \\\n"
                    "     data index 'line %d' using 1:2:3 with yerrorbars ps 0 lw 1.1 lc rgb "
                    "'%s', \\\n"
                    "     data index 'line %d' using 1:2 with points pt %d ps 1.25*scale lc rgb "
                    "'%s'",
                    comma, i, ink, i, ink, i, style_marker(i), ink);
        comma = ", \\\n     ";
    }
    strbuf_addc(s, '\n');
}

static void write_script(struct interaction *f)
{
    struct canvas *c = f->out;
    double left = 44 + axis_text_width(&f->y), legend = legend_width(f) + 44;
    c->width = (int)(left + fmax(STEP * f->columns, 300) + legend);
    c->height = 380;
    canvas_area(c, left, 18, c->width - legend, c->height - 58);
    strbuf_addf(&c->script, "set border 3\nset xrange [-0.5:%d.5]\nunset xtics\n", f->columns - 1);
    axis_script(&f->y, 'y', &c->script);
    canvas_titles(c, "", f->scale.label, axis_text_width(&f->y));
    strbuf_adds(&c->script, "set errorbars 0\n");
    draw_names(f);
    add_plots(f);
}

static void summarize(struct interaction *f)
{
    char along[64], line[64], note[64];
    metric_key_title(f->data->factors[f->along].key, along, sizeof along);
    metric_key_title(f->data->factors[f->line].key, line, sizeof line);
    strbuf_addf(&f->out->summary,
                "%s over %s, a line for each %s: parallel lines add up, others interact%s.",
                f->scale.label, along, line,
                f->data->n_factors > 2 ? "; other keys are averaged" : "");
    if (bars_note(f, note))
        strbuf_addf(&f->out->summary, " Bars are one standard deviation over seeds (%s)%s.",
                    strstr(note, "n = "),
                    f->data->n_factors > 2 ? ", where a point is one cell" : "");
    protocol_caption(f->data, f->metric, &f->out->summary);
}

static int draw(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err)
{
    struct interaction f = {.data = d, .out = out};
    encode_init(&f.encoding, d);
    if (choose(&f, o, err) != 0)
        return -1;
    collect(&f);
    write_script(&f);
    summarize(&f);
    free(f.spots);
    return 0;
}

const struct figure figure_interaction = {
    {"interaction", "a metric over one key, a line for each value of another", NULL}, draw};
