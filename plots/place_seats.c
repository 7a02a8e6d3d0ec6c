/* Where a label may stand, and what that costs. */
#include "plots/place_internal.h"

#include <math.h>

static int touch(const struct place_box *a, const struct place_box *b)
{
    return fmin(a->x1, b->x1) > fmax(a->x0, b->x0) && fmin(a->y1, b->y1) > fmax(a->y0, b->y0);
}

static double distance_to(const struct place_box *b, double x, double y)
{
    return hypot(x - fmin(fmax(x, b->x0), b->x1), y - fmin(fmax(y, b->y0), b->y1));
}

/* Twice the area of the triangle; its sign says on which side of the line the point lies. */
static double side(const struct place_box *line, double x, double y)
{
    return (line->x1 - line->x0) * (y - line->y0) - (line->y1 - line->y0) * (x - line->x0);
}

static int lines_cross(const struct place_box *a, const struct place_box *b)
{
    return side(a, b->x0, b->y0) * side(a, b->x1, b->y1) < 0 &&
           side(b, a->x0, a->y0) * side(b, a->x1, a->y1) < 0;
}

static int is_inside(const struct place_box *b, double x, double y)
{
    return x > b->x0 && x < b->x1 && y > b->y0 && y < b->y1;
}

static int line_meets(const struct place_box *line, const struct place_box *b)
{
    const struct place_box down = {b->x0, b->y0, b->x1, b->y1}, up = {b->x0, b->y1, b->x1, b->y0};
    return is_inside(b, line->x0, line->y0) || is_inside(b, line->x1, line->y1) ||
           lines_cross(line, &down) || lines_cross(line, &up);
}

/* ---- what is there before any label ---- */

static int fits(const struct placer *p, const struct place_box *b)
{
    if (b->x0 < p->bounds.x0 || b->x1 > p->bounds.x1 || b->y0 < p->bounds.y0 ||
        b->y1 > p->bounds.y1)
        return 0;
    for (size_t i = 0; i < p->n_points; i++)
        if (touch(b, &p->points[i]))
            return 0;
    return 1;
}

/* Covered, or between the label and its point. */
static double in_the_way(const struct placer *p, const struct seat *s)
{
    double sum = 0;
    for (size_t i = 0; i < p->n_obstacles; i++) {
        const struct place_obstacle *o = &p->obstacles[i];
        if (touch(&s->spot.box, &o->box))
            sum += o->cost;
        else if (line_meets(&s->leader, &o->box))
            sum += (s->spot.leader ? 0.125 : 0.3) * o->cost;
    }
    return sum;
}

/* Of being taken for another point's, which is as near or lies on the leader. From one that lies
 * SAME pixels away, under its own, no place tells it. */
static double doubt(const struct placer *p, const struct seat *s, double x, double y)
{
    const double SAME = 4.5;
    double own = distance_to(&s->spot.box, x, y), sum = 0;
    for (size_t i = 0; i < p->n_points; i++) {
        const struct place_box *q = &p->points[i];
        double x2 = (q->x0 + q->x1) / 2, y2 = (q->y0 + q->y1) / 2;
        if (hypot(x2 - x, y2 - y) < SAME)
            continue;
        double gap = distance_to(&s->spot.box, x2, y2);
        if (s->spot.leader)
            sum += (gap < 11 ? 0.7 : 0) + (line_meets(&s->leader, q) ? 2.5 : 0);
        else
            sum += gap < own + 4 ? 1.6 : gap < own + 9 ? 0.3 : 0;
    }
    return sum;
}

/* ---- places ---- */

/* across is 1 or -1 wholly to the right or left of the point, between them slid by that share; down
 * the same of below and above. */
struct anchor {
    double across, down;
};

static struct place_box beside(const struct place_wish *w, double h, struct anchor a,
                               double distance)
{
    double corner = fabs(a.across) >= 1 && a.down != 0 ? distance * 0.75 : distance;
    double width = fabs(a.across) >= 1 ? w->width + 2 * corner : w->width;
    double left = w->x - w->width / 2 + a.across * width / 2;
    double top = w->y - h / 2 + a.down * (h / 2 + corner);
    return (struct place_box){left, top, left + w->width, top + h};
}

static void tie(struct seat *s, const struct place_wish *w, int leader)
{
    const struct place_box *b = &s->spot.box;
    s->spot.leader = leader;
    s->spot.from_x = fmin(fmax(w->x, b->x0), b->x1);
    s->spot.from_y = fmin(fmax(w->y, b->y0 + 1), b->y1 - 1);
    double dx = s->spot.from_x - w->x, dy = s->spot.from_y - w->y;
    double skip = 8 / fmax(hypot(dx, dy), 8);
    s->leader =
        (struct place_box){w->x + dx * skip, w->y + dy * skip, s->spot.from_x, s->spot.from_y};
    s->hull = *b;
    if (!leader)
        return;
    s->hull.x0 = fmin(s->hull.x0, w->x);
    s->hull.x1 = fmax(s->hull.x1, w->x);
    s->hull.y0 = fmin(s->hull.y0, w->y);
    s->hull.y1 = fmax(s->hull.y1, w->y);
}

size_t place_seats(const struct placer *p, const struct place_wish *w, double height,
                   struct seat *seats)
{
    /* In the order of liking. */
    static const struct anchor anchors[] = {
        {1, 0},    {-1, 0},    {1, -1},  {-1, -1},  {0, -1},   {0, 1},     {1, 1},   {-1, 1},
        {0.7, -1}, {-0.7, -1}, {0.7, 1}, {-0.7, 1}, {1, -0.5}, {-1, -0.5}, {1, 0.5}, {-1, 0.5}};
    static const double distances[] = {9, 16, 22, 30, 40, 52, 66, 82};
    enum { ANCHORS = sizeof anchors / sizeof *anchors, RINGS = sizeof distances / sizeof(double) };
    _Static_assert(ANCHORS * RINGS <= SEATS_MOST, "as many places");
    size_t n = 0;
    for (size_t k = 0; k < (p->near_only ? 1 : RINGS); k++)
        for (size_t i = 0; i < ANCHORS; i++) {
            struct seat s = {.spot.box = beside(w, height, anchors[i], distances[k])};
            if (!fits(p, &s.spot.box))
                continue;
            tie(&s, w, k > 0);
            s.cost = 0.03 * (double)i + (k > 0 ? 0.4 + 0.025 * distances[k] : 0);
            s.cost += in_the_way(p, &s) + doubt(p, &s, w->x, w->y);
            seats[n++] = s;
        }
    return n;
}

double place_quarrel(const struct seat *a, const struct seat *b)
{
    if (!touch(&a->hull, &b->hull))
        return 0;
    if (touch(&a->spot.box, &b->spot.box))
        return PLACE_CLASH;
    double sum = 0;
    sum += a->spot.leader && line_meets(&a->leader, &b->spot.box) ? 5 : 0;
    sum += b->spot.leader && line_meets(&b->leader, &a->spot.box) ? 5 : 0;
    sum += a->spot.leader && b->spot.leader && lines_cross(&a->leader, &b->leader) ? 2 : 0;
    return sum;
}
