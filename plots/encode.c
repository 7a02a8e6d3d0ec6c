#include "plots/encode.h"

#include <math.h>
#include <stdio.h>

#include "base/strbuf.h"
#include "plots/canvas.h"
#include "plots/gnuplot.h"
#include "plots/metric.h"
#include "plots/style.h"

enum { LEGEND_LEVELS = 12 };

void encode_init(struct encoding *e, const struct plot_data *d)
{
    int head = data_factor(d, "model.rw_head"), fusion = data_factor(d, "model.fusion");
    *e = (struct encoding){.data = d, .color = d->n_factors > 0 ? 0 : -1, .shape = -1, .panel = -1};
    if (head >= 0)
        e->color = head;
    for (int i = 0; i < d->n_factors && e->shape < 0; i++)
        if (i != e->color)
            e->shape = i;
    if (fusion >= 0 && fusion != e->color)
        e->shape = fusion;
}

const char *encode_level_color(const struct encoding *e, int level, char text[8])
{
    const struct plot_factor *f = e->color >= 0 ? &e->data->factors[e->color] : NULL;
    if (f == NULL)
        return style_color(0);
    if (level < 0)
        return STYLE_FAINT;
    return f->numeric && f->n > 3 ? style_sequence(level, f->n, text) : style_color(level);
}

const char *encode_color(const struct encoding *e, const struct plot_cell *c, char text[8])
{
    return encode_level_color(e, e->color >= 0 ? c->levels[e->color] : 0, text);
}

int encode_shape(const struct encoding *e, const struct plot_cell *c)
{
    int level = e->shape >= 0 ? c->levels[e->shape] : 0;
    return level >= 0 ? level : STYLE_MARKERS - 1;
}

static double wider(double width, const char *text, int size, double indent)
{
    return fmax(width, gnuplot_text_width(text) * size + indent);
}

static int has_inactive(const struct plot_data *d, int factor)
{
    for (size_t i = 0; i < d->n_cells; i++)
        if (d->cells[i].levels[factor] < 0)
            return 1;
    return 0;
}

/* Cells that do not read the key. Returns the entry's text. */
static const char *add_inactive(const struct encoding *e, int factor, enum encode_kind kind,
                                struct legend *l)
{
    static const char text[] = "(not active)";
    char color[8];
    int shape = factor == e->color ? 0 : STYLE_MARKERS - 1;
    const char *ink = factor == e->color ? encode_level_color(e, -1, color) : STYLE_MUTED;
    if (l != NULL && kind == ENCODE_POINTS)
        legend_point(l, style_marker(shape), ink, text);
    else if (l != NULL)
        legend_line(l, style_dash(shape), 2.4, ink, text);
    return text;
}

static double add_factor(const struct encoding *e, int factor, enum encode_kind kind, int size,
                         struct legend *l)
{
    const struct plot_factor *f = &e->data->factors[factor];
    char text[128], color[8];
    metric_key_title(f->key, text, sizeof text);
    double width = wider(0, text, size, 8);
    if (l != NULL)
        legend_heading(l, text);
    for (int i = 0; i < f->n && i < LEGEND_LEVELS; i++) {
        metric_level_title(f->levels[i], text, 40);
        width = wider(width, text, size, 26);
        if (l == NULL)
            continue;
        const char *ink = factor == e->color ? encode_level_color(e, i, color) : STYLE_MUTED;
        if (kind == ENCODE_POINTS)
            legend_point(l, style_marker(factor == e->color ? 0 : i), ink, text);
        else
            legend_line(l, style_dash(factor == e->color ? 0 : i), 2.4, ink, text);
    }
    if (l != NULL && f->n > LEGEND_LEVELS)
        legend_note(l, "… and more");
    if (has_inactive(e->data, factor))
        width = wider(width, add_inactive(e, factor, kind, l), size, 26);
    if (l != NULL)
        legend_gap(l);
    return width;
}

double encode_legend(const struct encoding *e, enum encode_kind kind, int size, struct legend *l)
{
    double width = 0;
    char title[96];
    if (e->color >= 0)
        width = add_factor(e, e->color, kind, size, l);
    if (e->shape >= 0)
        width = fmax(width, add_factor(e, e->shape, kind, size, l));
    int others = 0;
    for (int i = 0; i < e->data->n_factors; i++) {
        if (i == e->color || i == e->shape || i == e->panel)
            continue;
        if (l != NULL && others == 0)
            legend_note(l, "also varies:");
        if (l != NULL && others < 3) {
            metric_key_title(e->data->factors[i].key, title, 40);
            legend_note(l, title);
        }
        others++;
    }
    if (l != NULL && others > 3) {
        snprintf(title, sizeof title, "and %d more", others - 3);
        legend_note(l, title);
    }
    if (l != NULL && others > 0)
        legend_gap(l);
    return others > 0 ? fmax(width, 8.0 * size) : width;
}
