/* Placing labels beside points so that they do not lie on each other, on points or over the edge.
 * Greedy: the most important label first; where some find no room, once more with these first, a
 * few times. What finds none in the best of these is left out rather than drawn over others. */
#ifndef PLOTS_PLACE_H
#define PLOTS_PLACE_H

#include <stddef.h>

struct place_box {
    double x0, y0, x1, y1; /* pixels, y downwards */
};

/* Zero-initialise but for bounds, use, release. */
struct placer {
    struct place_box bounds;
    int near_only;          /* labels that need a leader are left out: where there are very many */
    struct place_box *hard; /* must not be covered: labels, points */
    size_t n_hard, cap_hard;
    struct place_box *soft; /* better not: error bars, lines */
    size_t n_soft, cap_soft;
    struct place_box *points; /* their centres: whose label it is must be seen */
    size_t n_points, cap_points;
};

/* A point of that reach: not to be covered, and other points' labels stand off from it. */
void place_point(struct placer *p, double x, double y, double reach);

void place_hard(struct placer *p, struct place_box box);
void place_soft(struct placer *p, struct place_box box);

struct place_spot {
    double x, y;           /* of the label's left end and vertical middle */
    double from_x, from_y; /* end of the leader at the label; meaningful where leader is 1 */
    int leader;
};

/* Finds a place for a label of width x height beside (x, y) and takes it. 1: found; 0: no room. */
int place_label(struct placer *p, double x, double y, double width, double height,
                struct place_spot *spot);

/* A label for the point (x, y). weight: how much it counts that it is there. */
struct place_wish {
    double x, y, width;
    int weight;
    struct place_spot spot; /* meaningful where placed */
    int placed;
};
/* All of them, the most important first. */
void place_labels(struct placer *p, struct place_wish *wishes, size_t n, double height);
void place_release(struct placer *p);

#endif
