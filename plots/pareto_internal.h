/* What the files of the trade-off figure share and nobody else includes: the points that are drawn
 * and where the axes put them. */
#ifndef PLOTS_PARETO_INTERNAL_H
#define PLOTS_PARETO_INTERNAL_H

#include <stddef.h>

#include "plots/axis.h"
#include "plots/data.h"
#include "plots/encode.h"
#include "plots/front.h"
#include "plots/metric.h"
#include "plots/published.h"

struct canvas;

struct point {
    const struct plot_cell *cell;
    struct plot_stat x, y; /* in shown units */
    double chance;         /* of being on the front; NAN where it cannot be had */
};

struct pareto {
    struct plot_data *data;
    struct canvas *out;
    const char *x_name, *y_name;
    int maximize_x, maximize_y;
    struct metric_scale x_scale, y_scale;
    struct axis x, y;
    double left, top, right, bottom; /* of the plotting area, pixels */
    struct point *points;
    size_t n;
    int resampled; /* some cell has several seeds: chances mean something */
    struct front front, published_front;
    struct published published;
    struct encoding encoding;
};

/* Writes names at the points: those of the fronts, and of the rest where colours and shapes do not
 * say them. Reads what is measured, fronts and axes, and the plotting area; one that finds no room
 * is left out. */
void pareto_labels(struct pareto *p);

#endif
