/* Figures. Each is a member of figures.def: what it shows of a plot_data, as a gnuplot script from
 * a fixed template and a file of data. Drawing is pure: the same rows give the same bytes. */
#ifndef PLOTS_FIGURE_H
#define PLOTS_FIGURE_H

#include "base/config.h"

struct canvas;
struct error;
struct plot_data;

/* What the command line may choose; NULL takes the figure's own choice. */
struct figure_options {
    const char *x, *y;  /* pareto: metrics; curves: epoch or step, and the metric; heatmap: keys */
    const char *metric; /* heatmap, effects: what is shown */
};

struct figure {
    struct config_choice choice; /* name, doc */
    /* Fills canvas: width, height, script, data, summary. Errors: EXIT_USAGE for a name that is not
     * known, EXIT_FAILED where there is nothing to draw yet. */
    int (*draw)(struct plot_data *d, const struct figure_options *o, struct canvas *out,
                struct error *err);
};

/* Member i of the registry, NULL past the last. */
const struct figure *figure_at(int i);
/* The figure of that name, or NULL and an error with the nearest one. */
const struct figure *figure_find(const char *name, struct error *err);
/* The same as choices, for `vittm list figures` and the command line. */
const struct config_choice *figure_choice(int i);

/* Draws into path (.svg, .png, .pdf), keeping the script and the data beside it. summary (may be
 * NULL) receives the canvas's summary; the caller frees it. */
int figure_write(const struct figure *f, struct plot_data *d, const struct figure_options *o,
                 const char *path, char **summary, struct error *err);

#endif
