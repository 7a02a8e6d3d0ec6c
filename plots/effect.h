/* Marginal means: what the levels of each factor do on average over all other factors. */
#ifndef PLOTS_EFFECT_H
#define PLOTS_EFFECT_H

#include <stddef.h>

struct plot_data;

struct effect_level {
    int factor, level;
    double mean; /* over cells with that level, then over seeds */
    double half; /* half width of the 95% t interval over seeds; NAN for fewer than two */
    size_t seeds, cells;
};

struct effect_list {
    const char *metric;
    struct effect_level *levels; /* in the data's arena, factor after factor */
    int n;
    double mean;  /* of all cells */
    int balanced; /* every combination of levels has exactly one cell with results: effects compare
                   * like with like */
};

/* Cells without results are left out. A seed counts where all of the level's cells have it; where
 * no seed does, the mean is of the cells' means and half is NAN. At most that many factors, the
 * first ones. */
void effect_collect(struct effect_list *e, struct plot_data *d, const char *metric, int factors);

#endif
