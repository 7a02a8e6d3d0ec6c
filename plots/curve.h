/* Training curves as mean and spread over the seeds of a cell. */
#ifndef PLOTS_CURVE_H
#define PLOTS_CURVE_H

#include <stddef.h>

struct error;
struct plot_data;

struct curve_point {
    double x, mean, std; /* std NAN where one seed has a value there */
    size_t n;
};

struct curve {
    size_t cell; /* index into plot_data.cells */
    const struct curve_point *points;
    size_t n;
};

/* The curves of a metric over "epoch" or "step", one for each cell that has points, in the order of
 * the cells. Runs of every state count: a curve shows what happened. *curves lives in the data's
 * arena; returns how many.
 */
size_t curve_collect(struct plot_data *d, const char *metric, const char *x,
                     const struct curve **curves);
/* Fails: no run has a curve of that metric (NULL: of any). EXIT_USAGE and the nearest ones where
 * the name is but mistyped, else EXIT_FAILED. */
int curve_missing(const struct plot_data *d, const char *metric, struct error *err);
/* The metric with points that is best worth showing, or NULL. */
const char *curve_main_metric(const struct plot_data *d);

#endif
