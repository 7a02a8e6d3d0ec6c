/* Which factor is a colour and which a marker or dash: the first factor colours, the second shapes.
 * Axis order is the experiment's, with model.rw_head and model.fusion before others where they
 * vary, so that figures of different experiments read alike. */
#ifndef PLOTS_ENCODE_H
#define PLOTS_ENCODE_H

#include "plots/data.h"

struct legend;

struct encoding {
    const struct plot_data *data;
    int color, shape; /* factors, or -1 */
    int panel;        /* a factor that has panels of its own, or -1 */
};

void encode_init(struct encoding *e, const struct plot_data *d);
/* color as "#rrggbb"; shape as the index for style_marker and style_dash. */
const char *encode_color(const struct encoding *e, const struct plot_cell *c, char text[8]);
int encode_shape(const struct encoding *e, const struct plot_cell *c);
const char *encode_level_color(const struct encoding *e, int level, char text[8]);

enum encode_kind { ENCODE_POINTS, ENCODE_LINES };
/* Both factors with their levels, and the names of factors that neither shows. Width in pixels that
 * this takes at that text size; draws nothing where legend is NULL. */
double encode_legend(const struct encoding *e, enum encode_kind kind, int size,
                     struct legend *legend);

#endif
