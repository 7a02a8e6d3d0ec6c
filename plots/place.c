#include "plots/place.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void place_hard(struct placer *p, struct place_box box)
{
    p->hard = mem_grow(p->hard, p->n_hard, &p->cap_hard, sizeof box);
    p->hard[p->n_hard++] = box;
}

void place_point(struct placer *p, double x, double y, double reach)
{
    p->points = mem_grow(p->points, p->n_points, &p->cap_points, sizeof *p->points);
    p->points[p->n_points++] = (struct place_box){x, y, x, y};
    place_hard(p, (struct place_box){x - reach, y - reach, x + reach, y + reach});
}

void place_soft(struct placer *p, struct place_box box)
{
    p->soft = mem_grow(p->soft, p->n_soft, &p->cap_soft, sizeof box);
    p->soft[p->n_soft++] = box;
}

static double overlap(const struct place_box *a, const struct place_box *b)
{
    double w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0), h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);
    return w > 0 && h > 0 ? w * h : 0;
}

static int fits(const struct placer *p, const struct place_box *b)
{
    if (b->x0 < p->bounds.x0 || b->x1 > p->bounds.x1 || b->y0 < p->bounds.y0 ||
        b->y1 > p->bounds.y1)
        return 0;
    for (size_t i = 0; i < p->n_hard; i++)
        if (overlap(b, &p->hard[i]) > 0)
            return 0;
    return 1;
}

static double covered(const struct placer *p, const struct place_box *b)
{
    double sum = 0;
    for (size_t i = 0; i < p->n_soft; i++)
        sum += overlap(b, &p->soft[i]);
    return sum > 0 ? 0.3 + sum / ((b->x1 - b->x0) * (b->y1 - b->y0)) : 0;
}

/* Where a label may stand: across is 1 or -1 wholly to the right or left of the point, between them
 * above or below it, slid by that share of half its width. */
struct anchor {
    double across;
    int down; /* -1 above, 0 level, 1 below */
};

static struct place_box beside(double x, double y, double w, double h, struct anchor a,
                               double distance)
{
    int aside = fabs(a.across) >= 1;
    double reach = aside && a.down != 0 ? distance * 0.75 : distance;
    double left = a.across >= 1    ? x + reach
                  : a.across <= -1 ? x - reach - w
                                   : x - w / 2 + a.across * w / 2;
    double top = a.down > 0 ? y + reach : a.down < 0 ? y - reach - h : y - h / 2;
    return (struct place_box){left, top, left + w, top + h};
}

/* Where the leader of a label at box b ends. */
static void leader_end(const struct place_box *b, double x, double y, double *end_x, double *end_y)
{
    *end_x = fmin(fmax(x, b->x0), b->x1);
    *end_y = fmin(fmax(y, b->y0 + 1), b->y1 - 1);
}

static double distance_to(const struct place_box *b, double x, double y)
{
    return hypot(x - fmin(fmax(x, b->x0), b->x1), y - fmin(fmax(y, b->y0), b->y1));
}

/* Whether another point is as near to the label as its own. */
static int is_doubtful(const struct placer *p, const struct place_box *b, double x, double y)
{
    double own = distance_to(b, x, y);
    for (size_t i = 0; i < p->n_points; i++) {
        double x2 = p->points[i].x0, y2 = p->points[i].y0;
        if ((x2 != x || y2 != y) && distance_to(b, x2, y2) < own + 4)
            return 1;
    }
    return 0;
}

/* Calls for little boxes along the leader, from a point's edge on. Returns the sum. */
static double along(struct placer *p, const struct place_box *b, double x, double y,
                    double (*call)(struct placer *, struct place_box))
{
    double end_x, end_y, sum = 0;
    leader_end(b, x, y, &end_x, &end_y);
    double length = hypot(end_x - x, end_y - y);
    for (double at = 8; at < length - 1; at += 3) {
        double sx = x + (end_x - x) * at / length, sy = y + (end_y - y) * at / length;
        sum += call(p, (struct place_box){sx - 1, sy - 1, sx + 1, sy + 1});
    }
    return sum;
}

static double hits(struct placer *p, struct place_box box)
{
    for (size_t i = 0; i < p->n_hard; i++)
        if (overlap(&box, &p->hard[i]) > 0)
            return 0.25;
    return 0;
}

static double take(struct placer *p, struct place_box box)
{
    place_soft(p, box);
    return 0;
}

int place_label(struct placer *p, double x, double y, double width, double height,
                struct place_spot *spot)
{
    /* In the order of liking. */
    static const struct anchor anchors[] = {{1, 0},    {-1, 0},    {1, -1},  {-1, -1},
                                            {0, -1},   {0, 1},     {1, 1},   {-1, 1},
                                            {0.7, -1}, {-0.7, -1}, {0.7, 1}, {-0.7, 1}};
    static const double distances[] = {9, 16, 26, 38, 52, 68};
    double best = INFINITY;
    struct place_box box = {0};
    for (int k = 0; k < (p->near_only ? 1 : 6); k++)
        for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
            struct place_box b = beside(x, y, width, height, anchors[i], distances[k]);
            double cost = 0.55 * k + 0.03 * (double)i + 4 * covered(p, &b);
            if (cost >= best || !fits(p, &b))
                continue;
            cost += k > 0 ? along(p, &b, x, y, hits) : is_doubtful(p, &b, x, y) ? 0.4 : 0;
            if (cost < best) {
                best = cost;
                box = b;
                spot->leader = k > 0;
            }
        }
    if (best > 3.5)
        return 0;
    if (spot->leader)
        along(p, &box, x, y, take);
    place_hard(p, box);
    spot->x = box.x0;
    spot->y = (box.y0 + box.y1) / 2;
    leader_end(&box, x, y, &spot->from_x, &spot->from_y);
    return 1;
}

/* In this order; returns the weight of those that found room. */
static int try_order(struct placer *p, struct place_wish *w, const size_t *order, size_t n,
                     double height)
{
    int weight = 0;
    for (size_t i = 0; i < n; i++) {
        struct place_wish *x = &w[order[i]];
        x->placed = place_label(p, x->x, x->y, x->width, height, &x->spot);
        weight += x->placed ? x->weight : 0;
    }
    return weight;
}

/* Those without a place first, each part in the order it has. Returns how many these are. */
static size_t lost_first(const struct place_wish *w, size_t *order, size_t *spare, size_t n)
{
    size_t lost = 0, k = 0;
    for (int placed = 0; placed < 2; placed++) {
        for (size_t i = 0; i < n; i++)
            if (w[order[i]].placed == placed)
                spare[k++] = order[i];
        lost = placed ? lost : k;
    }
    memcpy(order, spare, n * sizeof *order);
    return lost;
}

void place_labels(struct placer *p, struct place_wish *wishes, size_t n, double height)
{
    enum { TRIES = 8 };
    size_t hard = p->n_hard, soft = p->n_soft, lost = 1;
    size_t *order = mem_alloc((2 * n + 1) * sizeof *order);
    struct place_wish *now = mem_alloc((n + 1) * sizeof *now);
    memcpy(now, wishes, n * sizeof *now);
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    int best = -1;
    for (int i = 0; i < TRIES && lost; i++) {
        p->n_hard = hard;
        p->n_soft = soft;
        int weight = try_order(p, now, order, n, height);
        if (weight > best)
            memcpy(wishes, now, n * sizeof *now);
        best = weight > best ? weight : best;
        lost = lost_first(now, order, order + n, n);
    }
    free(order);
    free(now);
}

void place_release(struct placer *p)
{
    free(p->hard);
    free(p->soft);
    free(p->points);
    *p = (struct placer){0};
}
