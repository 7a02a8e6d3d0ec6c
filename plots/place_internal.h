/* What the files that place labels share and nobody else includes: the places of a label, and what
 * each costs. */
#ifndef PLOTS_PLACE_INTERNAL_H
#define PLOTS_PLACE_INTERNAL_H

#include "plots/place.h"

/* A place of one label. */
struct seat {
    struct place_spot spot;
    struct place_box leader; /* from (x0, y0) at the point's edge to (x1, y1), drawn or not */
    struct place_box hull;   /* of both */
    double cost;             /* while no other label is there */
};

enum { SEATS_MOST = 128 };

/* The places that cover no point and lie within the bounds, the nearest first; at most SEATS_MOST.
 * Returns how many. */
size_t place_seats(const struct placer *p, const struct place_wish *w, double height,
                   struct seat *seats);

/* What two labels cost each other. PLACE_CLASH or more: they lie on each other. */
#define PLACE_CLASH 100.0
double place_quarrel(const struct seat *a, const struct seat *b);

#endif
