/* The Pareto front of points in two objectives, and its line. */
#ifndef PLOTS_FRONT_H
#define PLOTS_FRONT_H

#include <stddef.h>

struct front_point {
    double x, y;
    size_t index; /* of the point that it came from */
};

struct front {
    int maximize_x, maximize_y;
    unsigned char *on;          /* n flags */
    struct front_point *points; /* the ones on it, from the cheapest x to the dearest */
    size_t n;
    struct front_point *line; /* vertices of the stepped line, ending at the worst borders */
    size_t n_line;
};

/* Worst values of x and y are where the line runs into the axes. Release afterwards. */
void front_find(struct front *f, const double *x, const double *y, size_t n, int maximize_x,
                int maximize_y, double worst_x, double worst_y);
/* The area between the front and that worst corner. */
double front_hypervolume(const struct front *f, double worst_x, double worst_y);
void front_release(struct front *f);

#endif
