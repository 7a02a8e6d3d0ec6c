/* Running gnuplot. It is started as a program with an argument list, never through a shell, without
 * anybody's start-up files, in a folder of its own, on a script that this code wrote. Text of
 * others enters a script only through gnuplot_quote: gnuplot has no safe mode, so backquotes, @ and
 * control characters are dropped, and a quote becomes an apostrophe. Files are named by us, and
 * always with a leading "./", because a name that begins with < or | is a command even between
 * single quotes. */
#ifndef PLOTS_GNUPLOT_H
#define PLOTS_GNUPLOT_H

#include <stddef.h>

struct error;
struct strbuf;

enum { GNUPLOT_LABEL_MAX = 90 }; /* characters of one label; what is longer ends in an ellipsis */

/* Adds 'text' as a gnuplot string that stands for itself. */
void gnuplot_quote(struct strbuf *out, const char *text);
/* The same, in bold where bold is 1: the string is then enhanced text, and its marks are dropped
 * too. */
void gnuplot_quote_as(struct strbuf *out, const char *text, int bold);

/* The text's width in units of its font size: an estimate for proportional sans-serif fonts. */
double gnuplot_text_width(const char *text);

/* Draws a figure of width x height CSS pixels into path, whose suffix chooses the format (.svg,
 * .png at twice the resolution, .pdf). body is the script less its terminal, output and style; it
 * reads the data from the string variable `data` and multiplies point sizes by `scale`. The
 * complete script and the data are kept beside the figure under its whole name with .gp and .dat
 * (fig.svg.gp: fig.png has its own); `gnuplot NAME.gp` in that folder draws it again. All three
 * files appear whole or not at all. SVG
 * and PNG files are the same bytes every time. Errors: EXIT_USAGE for a suffix that is not known or
 * a name that gnuplot could misread; EXIT_ENVIRONMENT, with the package's name, where gnuplot is
 * missing. */
int gnuplot_render(const char *path, int width, int height, const char *body, const char *data,
                   struct error *err);

/* Removes a figure that was drawn, with what is kept beside it. */
void gnuplot_remove(const char *path);

/* Checks a path's suffix and name without drawing. */
int gnuplot_check_path(const char *path, struct error *err);

#endif
