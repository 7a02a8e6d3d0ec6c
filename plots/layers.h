/* Costs by layer, averaged over the cells of each level of the colour factor. */
#ifndef PLOTS_LAYERS_H
#define PLOTS_LAYERS_H

#include <stddef.h>

struct encoding;
struct plot_data;

struct layers {
    const char **names; /* in the data's arena; paths cut so that there are at most LAYERS_MOST */
    int n;
    int series;   /* levels of the colour factor, at least 1 */
    double *macs; /* series x n, NAN where a level has no cell with that layer */
    double largest;
};

enum { LAYERS_MOST = 28 };

/* n is 0 where there are no costs by layer. Layers with less than a thousandth of the dearest one's
 * are left out. */
void layers_collect(struct layers *l, struct plot_data *d, const struct encoding *e);

#endif
