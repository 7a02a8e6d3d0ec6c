#include "plots/style.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/strbuf.h"

static const char *const colors[STYLE_COLORS] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                                 "#e69f00", "#56b4e9", "#000000", "#8c6d31"};

const char *style_color(int i)
{
    return colors[i % STYLE_COLORS];
}

int style_marker(int i)
{
    static const int types[STYLE_MARKERS] = {7, 5, 9, 13, 11, 15};
    return types[i % STYLE_MARKERS];
}

int style_open_marker(int i)
{
    return style_marker(i) - 1;
}

const char *style_dash(int i)
{
    static const char *const dashes[] = {"1", "(9,4)", "(2,3)", "(9,4,2,4)"};
    return dashes[i % 4];
}

static void split(const char *color, int rgb[3])
{
    unsigned long v = strtoul(color + 1, NULL, 16);
    rgb[0] = (int)(v >> 16 & 255);
    rgb[1] = (int)(v >> 8 & 255);
    rgb[2] = (int)(v & 255);
}

static const char *put(char text[8], double r, double g, double b)
{
    snprintf(text, 8, "#%02x%02x%02x", (unsigned)lround(r) & 255, (unsigned)lround(g) & 255,
             (unsigned)lround(b) & 255);
    return text;
}

const char *style_tint(const char *color, double keep, char text[8])
{
    int c[3];
    split(color, c);
    return put(text, 255 - keep * (255 - c[0]), 255 - keep * (255 - c[1]),
               255 - keep * (255 - c[2]));
}

const char *style_map(double t, char text[8])
{
    /* Cividis at nine even steps; straight lines between them are within 3/255 of the map. */
    static const unsigned char steps[9][3] = {{0, 34, 78},     {18, 53, 112},   {59, 73, 108},
                                              {87, 93, 109},   {112, 113, 115}, {138, 134, 120},
                                              {165, 156, 116}, {195, 179, 105}, {253, 234, 69}};
    t = isfinite(t) ? fmin(fmax(t, 0), 1) * 8 : 0;
    int i = t >= 8 ? 7 : (int)t;
    double f = t - i;
    const unsigned char *a = steps[i], *b = steps[i + 1];
    return put(text, a[0] + f * (b[0] - a[0]), a[1] + f * (b[1] - a[1]), a[2] + f * (b[2] - a[2]));
}

const char *style_sequence(int i, int n, char text[8])
{
    return style_map(n > 1 ? 0.05 + 0.85 * i / (n - 1) : 0.05, text);
}

static double linear(int c)
{
    double v = c / 255.0;
    return v <= 0.04045 ? v / 12.92 : pow((v + 0.055) / 1.055, 2.4);
}

const char *style_contrast(const char *background)
{
    int c[3];
    split(background, c);
    double luminance = 0.2126 * linear(c[0]) + 0.7152 * linear(c[1]) + 0.0722 * linear(c[2]);
    /* Where WCAG's contrast with white equals that with black. */
    return luminance > 0.179 ? "#000000" : "#ffffff";
}

void style_preamble(struct strbuf *out)
{
    strbuf_addf(out,
                "set datafile separator whitespace\n"
                "set datafile missing 'nan'\n"
                "set border 3 linecolor rgb '%s' linewidth 1\n"
                "set tics out nomirror scale 0.6 textcolor rgb '%s'\n"
                "set xtics offset 0,0.2\n"
                "set grid linetype 1 linecolor rgb '%s' linewidth 0.8 dashtype solid back\n"
                "unset key\n",
                STYLE_FAINT, STYLE_INK, STYLE_GRID);
}
