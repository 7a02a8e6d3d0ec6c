/* The probability of each cell being on the Pareto front, when its seeds are drawn again. */
#ifndef PLOTS_CHANCE_H
#define PLOTS_CHANCE_H

struct plot_data;

enum { CHANCE_SAMPLES = 2000 };

/* chance has room for a number a cell: NAN where no finished run has both metrics. x and y may be
 * NULL: all NAN. Runs are resampled as pairs of (x, y), CHANCE_SAMPLES times. */
void chance_on_front(const struct plot_data *d, const char *x, const char *y, double *chance);

#endif
