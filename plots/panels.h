/* Several plots on one canvas, in rows and columns, with the same axes. */
#ifndef PLOTS_PANELS_H
#define PLOTS_PANELS_H

struct canvas;

struct panels {
    int n, columns, rows;
    double left, top, right, bottom; /* of all of them, pixels */
    double gap_x, gap_y;
};

/* Columns for n panels: 1 to 3 in a row, 4 in a square, more in rows of three (of four from ten
 * on). */
void panels_init(struct panels *p, int n, double left, double top, double right, double bottom);
/* Makes panel i the area of the next plot and writes its heading above it. */
void panels_select(const struct panels *p, int i, struct canvas *c, const char *heading);
/* Whether panel i shows the tics of the axis at the left or below. */
int panels_at_left(const struct panels *p, int i);
int panels_at_bottom(const struct panels *p, int i);
/* Titles of the common axes, once. */
void panels_titles(const struct panels *p, struct canvas *c, const char *x, const char *y,
                   double tics);

#endif
