/* Numbers that papers printed, as points: never mixed with measured ones, always drawn open. */
#ifndef PLOTS_PUBLISHED_H
#define PLOTS_PUBLISHED_H

#include <stddef.h>

struct arena;
struct error;
struct rows;

struct published_point {
    const char *source, *table, *row; /* as the paper names it */
    const char *label;  /* short, beside the point: "r=8" of a system that the legend names */
    const char *system; /* what it is a variant of: one series */
    double x, y;
};

struct published {
    const char *source;             /* "ViTTM, Table 8" */
    struct published_point *points; /* in the arena */
    size_t n;
    const char **systems; /* in order of appearance */
    int n_systems;
};

/* The rows of v_published that have both metrics. None: n is 0. A metric that only goes by another
 * name or convention in the paper (cost/macs for cost/macs_fvcore) is not taken for it. */
void published_points(struct published *p, const struct rows *rows, const char *x, const char *y,
                      struct arena *arena);
int published_system(const struct published *p, const char *system);

#endif
