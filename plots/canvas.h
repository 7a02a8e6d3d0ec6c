/* A figure while it is made: its script and data, and drawing in CSS pixels from the top left
 * corner for what gnuplot has no words for: legends, headings, labels at places that we chose. */
#ifndef PLOTS_CANVAS_H
#define PLOTS_CANVAS_H

#include "base/strbuf.h"

enum canvas_align { CANVAS_LEFT, CANVAS_CENTER, CANVAS_RIGHT };

struct canvas {
    int width, height;
    double left, top, right, bottom; /* of the plotting area, see canvas_area */
    struct strbuf script, data;
    /* one or two sentences for people who cannot see it: alt text, caption */
    struct strbuf summary;
};

/* Text centred vertically on y. size in pixels, bold 0 or 1. */
void canvas_text(struct canvas *c, double x, double y, enum canvas_align align, int size, int bold,
                 const char *color, const char *text);
void canvas_point(struct canvas *c, double x, double y, int type, double size, const char *color);
void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, double width,
                 const char *dash, const char *color);
/* Forgets text, points and lines: after the first panel of several, which drew them. */
void canvas_clear(struct canvas *c);
/* The plotting area of the next plot. */
void canvas_area(struct canvas *c, double left, double top, double right, double bottom);
/* Titles of the axes of that area, below and (turned) to the left. Our own labels, because where
 * gnuplot puts its own depends on the terminal. */
void canvas_titles(struct canvas *c, const char *x, const char *y, double tics);

/* A block of data that a script names: index 'name'. Then rows, then the end. */
void canvas_block(struct canvas *c, const char *name, const char *columns);
void canvas_block_end(struct canvas *c);
/* A number, "nan" where it has none; a quoted word without quotes inside. Each adds a space. */
void canvas_number(struct canvas *c, double value);
void canvas_word(struct canvas *c, const char *text);

void canvas_release(struct canvas *c);
#define CANVAS_INIT                                                                                \
    {                                                                                              \
        0, 0, 0, 0, 0, 0, STRBUF_INIT, STRBUF_INIT, STRBUF_INIT                                    \
    }

/* A legend: headings and entries in a column. Draw it by adding to it; y moves down. */
struct legend {
    struct canvas *canvas;
    double x, y;
    int size; /* of the text */
};
void legend_heading(struct legend *l, const char *text);
void legend_point(struct legend *l, int type, const char *color, const char *text);
void legend_line(struct legend *l, const char *dash, double width, const char *color,
                 const char *text);
void legend_note(struct legend *l, const char *text);
void legend_gap(struct legend *l);

#endif
