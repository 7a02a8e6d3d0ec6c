/* The names at the points of the trade-off figure.
 *
 * Each asks for room beside its point, the most important first, and plots/place.h finds it: never
 * over a point or another name, rarely over error bars and the fronts' lines. What finds none is
 * left out; what stands apart from its point is tied to it by a thin leader. Names on the front
 * that the figure is about, ours where there is one, are in ink, and each of ours says how sure its
 * place there is; the others are grey and count less where room is scarce. */
#include "plots/pareto_internal.h"

#include <math.h>

#include "base/arena.h"
#include "plots/canvas.h"
#include "plots/gnuplot.h"
#include "plots/place.h"
#include "plots/style.h"

enum { LABEL = 11, POINT_REACH = 6 };

static double px(const struct pareto *p, double x)
{
    return p->left + axis_position(&p->x, x) * (p->right - p->left);
}

static double py(const struct pareto *p, double y)
{
    return p->bottom - axis_position(&p->y, y) * (p->bottom - p->top);
}

static void block_line(struct placer *at, const struct pareto *p, const struct front *f,
                       double cost)
{
    for (size_t i = 1; i < f->n_line; i++) {
        double x0 = px(p, f->line[i - 1].x), x1 = px(p, f->line[i].x);
        double y0 = py(p, f->line[i - 1].y), y1 = py(p, f->line[i].y);
        place_avoid(at,
                    (struct place_box){fmin(x0, x1) - 2, fmin(y0, y1) - 2, fmax(x0, x1) + 2,
                                       fmax(y0, y1) + 2},
                    cost);
    }
}

static void block_all(struct placer *at, const struct pareto *p)
{
    for (size_t i = 0; i < p->n; i++) {
        const struct point *q = &p->points[i];
        double x = px(p, q->x.mean), y = py(p, q->y.mean);
        place_point(at, x, y, POINT_REACH);
        if (isfinite(q->y.std))
            place_avoid(at,
                        (struct place_box){x - 2, py(p, q->y.mean + q->y.std), x + 2,
                                           py(p, q->y.mean - q->y.std)},
                        PLACE_BAR);
        if (isfinite(q->x.std))
            place_avoid(at,
                        (struct place_box){px(p, q->x.mean - q->x.std), y - 2,
                                           px(p, q->x.mean + q->x.std), y + 2},
                        PLACE_BAR);
    }
    for (size_t i = 0; i < p->published.n; i++)
        place_point(at, px(p, p->published.points[i].x), py(p, p->published.points[i].y),
                    POINT_REACH);
    block_line(at, p, &p->front, PLACE_LINE);
    block_line(at, p, &p->published_front, p->n == 0 ? PLACE_LINE : PLACE_FAINT);
}

/* "linear · add, 83 %": how often it is on the front when seeds are drawn again. */
static const char *front_title(struct pareto *p, const struct point *q)
{
    const char *title = data_cell_title(p->data, q->cell);
    if (!p->resampled || !isfinite(q->chance))
        return title;
    return arena_printf(&p->data->arena, "%s, %.0f %%", title, 100 * q->chance);
}

struct labels {
    struct place_wish *wishes;
    const char **texts, **colors;
    size_t n;
};

/* strong: of a point on the front that the figure is about. */
static void add_label(struct labels *l, double x, double y, const char *text, int strong)
{
    l->texts[l->n] = text;
    l->colors[l->n] = strong ? STYLE_INK : STYLE_MUTED;
    l->wishes[l->n++] = (struct place_wish){
        .x = x, .y = y, .width = gnuplot_text_width(text) * LABEL + 3, .weight = strong ? 3 : 1};
}

static void draw_label(struct canvas *c, const struct place_wish *w, const char *text,
                       const char *color)
{
    const struct place_spot *spot = &w->spot;
    canvas_text(c, spot->box.x0 + 1.5, (spot->box.y0 + spot->box.y1) / 2, CANVAS_LEFT, LABEL, 0,
                color, text);
    double dx = spot->from_x - w->x, dy = spot->from_y - w->y, length = hypot(dx, dy);
    if (spot->leader && length > POINT_REACH + 3)
        canvas_line(c, w->x + dx / length * POINT_REACH, w->y + dy / length * POINT_REACH,
                    spot->from_x, spot->from_y, 0.6, "1", STYLE_FAINT);
}

/* The most important first: our front, the rest of ours where colours and shapes do not say its
 * names, their front, the rest of theirs. */
static void list_labels(struct pareto *p, struct labels *l)
{
    for (size_t i = 0; i < p->front.n; i++) {
        const struct point *q = &p->points[p->front.points[i].index];
        add_label(l, px(p, q->x.mean), py(p, q->y.mean), front_title(p, q), 1);
    }
    for (size_t i = 0; i < p->n; i++) {
        const struct point *q = &p->points[i];
        if (!p->front.on[i] && data_is_labelled(p->data, q->cell))
            add_label(l, px(p, q->x.mean), py(p, q->y.mean), data_cell_title(p->data, q->cell), 0);
    }
    for (int on = 1; on >= 0; on--)
        for (size_t i = 0; i < p->published.n; i++)
            if (p->published_front.on[i] == on)
                add_label(l, px(p, p->published.points[i].x), py(p, p->published.points[i].y),
                          p->published.points[i].label, on && p->n == 0);
}

void pareto_labels(struct pareto *p)
{
    struct placer at = {.bounds = {p->left + 2, p->top - 8, p->right + 12, p->bottom - 2}};
    size_t most = p->n + p->published.n + 1;
    struct labels l = {ARENA_ARRAY(&p->data->arena, struct place_wish, most),
                       ARENA_ARRAY(&p->data->arena, const char *, most),
                       ARENA_ARRAY(&p->data->arena, const char *, most), 0};
    at.near_only = p->front.n > 18;
    block_all(&at, p);
    list_labels(p, &l);
    place_labels(&at, l.wishes, l.n, LABEL * 1.25);
    for (size_t i = 0; i < l.n; i++)
        if (l.wishes[i].placed)
            draw_label(p->out, &l.wishes[i], l.texts[i], l.colors[i]);
    place_release(&at);
}
