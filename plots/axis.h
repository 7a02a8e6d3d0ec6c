/* An axis whose range and tics are ours, so that we know where on the page a point lies: labels are
 * placed with that knowledge. */
#ifndef PLOTS_AXIS_H
#define PLOTS_AXIS_H

#include <stddef.h>

struct strbuf;

struct axis {
    double low, high; /* in shown units */
    int logarithmic;
    double step; /* between tics; 0 on a logarithmic axis */
    int decimals;
};

/* Fits values low..high with `margin` of the span free at each end. May be logarithmic where the
 * axis is a cost, all values are positive and span more than a factor of 12. */
void axis_fit(struct axis *a, double low, double high, double margin, int may_log);
/* 0 at the low end, 1 at the high end. */
double axis_position(const struct axis *a, double value);
/* Pixels that the widest label at the tics takes at STYLE_FONT_SIZE. */
double axis_text_width(const struct axis *a);
/* set xrange, logscale, xtics, format; name is 'x' or 'y'. */
void axis_script(const struct axis *a, char name, struct strbuf *out);

#endif
