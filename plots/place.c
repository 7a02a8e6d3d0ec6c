#include "plots/place.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

void place_hard(struct placer *p, struct place_box box)
{
    p->hard = mem_grow(p->hard, p->n_hard, &p->cap_hard, sizeof box);
    p->hard[p->n_hard++] = box;
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
    static const double distances[] = {9, 16, 26, 38};
    double best = INFINITY;
    struct place_box box = {0};
    for (int k = 0; k < (p->near_only ? 1 : 4); k++)
        for (size_t i = 0; i < sizeof anchors / sizeof *anchors; i++) {
            struct place_box b = beside(x, y, width, height, anchors[i], distances[k]);
            double cost = 0.55 * k + 0.03 * (double)i + 4 * covered(p, &b);
            if (cost >= best || !fits(p, &b))
                continue;
            cost += k > 0 ? along(p, &b, x, y, hits) : 0;
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

void place_release(struct placer *p)
{
    free(p->hard);
    free(p->soft);
    *p = (struct placer){0};
}
