/* Placing labels beside points so that they do not lie on each other, on points or over the edge,
 * and are seen to be of their point.
 *
 * Each label has some hundred places around its point, nearer and farther, and each place a cost:
 * of what it covers, of how easily it is taken for another point's, of standing apart and of the
 * leader that then ties it to its point. Which places all take together is searched by threshold
 * accepting (Dueck and Scheuer 1990; simulated annealing is what Christensen, Marks and Shieber
 * 1995 found best for this), from counter-based random numbers: the same points give the same
 * places. A label that finds none worth its weight is left out rather than drawn over others. */
#ifndef PLOTS_PLACE_H
#define PLOTS_PLACE_H

#include <stddef.h>

struct place_box {
    double x0, y0, x1, y1; /* pixels, y downwards */
};

struct place_obstacle {
    struct place_box box;
    double cost;
};

/* Zero-initialise but for bounds, use, release. */
struct placer {
    struct place_box bounds;
    int near_only; /* labels that need a leader are left out: where there are very many */
    struct place_box *points;
    size_t n_points, cap_points;
    struct place_obstacle *obstacles;
    size_t n_obstacles, cap_obstacles;
};

/* A point of that reach: never covered, and other points' labels stand off from it. */
void place_point(struct placer *p, double x, double y, double reach);

/* What covering any of it costs, beside the weight of a label. */
#define PLACE_FAINT 1.0 /* a dotted line behind */
#define PLACE_BAR   1.5 /* an error bar */
#define PLACE_LINE  5.0 /* a line that the figure is about */
void place_avoid(struct placer *p, struct place_box box, double cost);

struct place_spot {
    struct place_box box;  /* of the label */
    double from_x, from_y; /* end of the leader at the label; meaningful where leader is 1 */
    int leader;
};

/* A label for the point (x, y), which place_point knows. weight: what leaving it out costs, from 1
 * for one that is welcome; above 1 it would rather lie on a line than be left out. */
struct place_wish {
    double x, y, width;
    double weight;
    struct place_spot spot; /* meaningful where placed */
    int placed;
};
void place_labels(struct placer *p, struct place_wish *wishes, size_t n, double height);
void place_release(struct placer *p);

#endif
