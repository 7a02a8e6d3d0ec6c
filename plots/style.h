/* What every figure looks like: one font, one palette, thin lines, no ornament. Colours are those
 * of Okabe and Ito ("Color Universal Design", 2008), told apart with any kind of colour blindness,
 * less the yellow that does not show on white; a marker's shape repeats the information wherever
 * there are two factors. */
#ifndef PLOTS_STYLE_H
#define PLOTS_STYLE_H

struct strbuf;

#define STYLE_FONT  "Helvetica"
#define STYLE_INK   "#222222" /* text, front */
#define STYLE_MUTED "#6b6b6b" /* second-rank text */
#define STYLE_FAINT "#9a9a9a" /* leader lines, reference lines */
#define STYLE_GRID  "#e6e6e6"

enum { STYLE_FONT_SIZE = 13, STYLE_COLORS = 8, STYLE_MARKERS = 6 };

/* Colour of the i-th level: "#0072b2". They repeat after STYLE_COLORS. */
const char *style_color(int i);
/* Colour of level i of n where the levels are numbers in order: dark to light along cividis. */
const char *style_sequence(int i, int n, char text[8]);
/* The colour mixed with white; keep in 0..1 is the share of the colour that is left. */
const char *style_tint(const char *color, double keep, char text[8]);
/* Cividis (Nuñez, Anderton, Renslow 2018) at t in 0..1. */
const char *style_map(double t, char text[8]);
/* Black or white, whichever reads on that background. */
const char *style_contrast(const char *background);

/* gnuplot's point types: filled, and the open twin of the same shape. Repeat after STYLE_MARKERS.
 */
int style_marker(int i);
int style_open_marker(int i);
/* Dash type of the i-th line: 1 is solid. */
const char *style_dash(int i);

/* Border, tics, grid: the part of a script that all figures share. */
void style_preamble(struct strbuf *out);

#endif
