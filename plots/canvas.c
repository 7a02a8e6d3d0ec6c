#include "plots/canvas.h"

#include <ctype.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "plots/gnuplot.h"
#include "plots/style.h"

static double fx(const struct canvas *c, double x)
{
    return x / c->width;
}

static double fy(const struct canvas *c, double y)
{
    return 1 - y / c->height;
}

void canvas_text(struct canvas *c, double x, double y, enum canvas_align align, int size, int bold,
                 const char *color, const char *text)
{
    static const char *const aligns[] = {"left", "center", "right"};
    strbuf_adds(&c->script, "set label ");
    gnuplot_quote_as(&c->script, text, bold);
    strbuf_addf(&c->script, " at screen %.5f,%.5f %s font '%s,%d' textcolor rgb '%s' %s front\n",
                fx(c, x), fy(c, y), aligns[align], STYLE_FONT, size, color,
                bold ? "enhanced" : "noenhanced");
}

void canvas_point(struct canvas *c, double x, double y, int type, double size, const char *color)
{
    strbuf_addf(&c->script,
                "set label '' at screen %.5f,%.5f point pointtype %d pointsize %.2f*scale "
                "linecolor rgb '%s' "
                "linewidth 1.4 front\n",
                fx(c, x), fy(c, y), type, size, color);
}

static void solid_line(struct canvas *c, double x0, double y0, double x1, double y1, double width,
                       const char *color)
{
    strbuf_addf(&c->script,
                "set arrow from screen %.5f,%.5f to screen %.5f,%.5f nohead linewidth %.2f "
                "linecolor rgb '%s' front\n",
                fx(c, x0), fy(c, y0), fx(c, x1), fy(c, y1), width, color);
}

/* Dashes are drawn one by one: gnuplot's SVG draws every arrow solid. */
void canvas_line(struct canvas *c, double x0, double y0, double x1, double y1, double width,
                 const char *dash, const char *color)
{
    double length = hypot(x1 - x0, y1 - y0), at = 0;
    if (*dash != '(' || length <= 0) {
        solid_line(c, x0, y0, x1, y1, width, color);
        return;
    }
    const char *next = dash + 1;
    for (int on = 1; at < length; on = !on) {
        char *end;
        double part = strtod(next, &end), to = fmin(at + fmax(part, 1), length);
        if (on)
            solid_line(c, x0 + (x1 - x0) * at / length, y0 + (y1 - y0) * at / length,
                       x0 + (x1 - x0) * to / length, y0 + (y1 - y0) * to / length, width, color);
        at = to;
        next = *end == ',' ? end + 1 : dash + 1;
    }
}

void canvas_clear(struct canvas *c)
{
    strbuf_adds(&c->script, "unset label\nunset arrow\nunset object\n");
}

void canvas_area(struct canvas *c, double left, double top, double right, double bottom)
{
    c->left = left;
    c->top = top;
    c->right = right;
    c->bottom = bottom;
    strbuf_addf(
        &c->script,
        "set lmargin at screen %.5f\nset rmargin at screen %.5f\nset tmargin at screen %.5f\n"
        "set bmargin at screen %.5f\n",
        fx(c, left), fx(c, right), fy(c, top), fy(c, bottom));
}

void canvas_titles(struct canvas *c, const char *x, const char *y, double tics)
{
    canvas_text(c, (c->left + c->right) / 2, c->bottom + 42, CANVAS_CENTER, STYLE_FONT_SIZE, 0,
                STYLE_INK, x);
    strbuf_adds(&c->script, "set label ");
    gnuplot_quote(&c->script, y);
    strbuf_addf(&c->script,
                " at screen %.5f,%.5f center rotate by 90 font '%s,%d' textcolor rgb '%s' front\n",
                fx(c, c->left - tics - 30), fy(c, (c->top + c->bottom) / 2), STYLE_FONT,
                STYLE_FONT_SIZE, STYLE_INK);
}

void canvas_block(struct canvas *c, const char *name, const char *columns)
{
    strbuf_addf(&c->data, "# %s\n# columns: %s\n", name, columns);
}

void canvas_block_end(struct canvas *c)
{
    strbuf_adds(&c->data, "\n\n");
}

void canvas_number(struct canvas *c, double value)
{
    if (isfinite(value))
        strbuf_addf(&c->data, "%.10g ", value);
    else
        strbuf_adds(&c->data, "nan ");
}

void canvas_word(struct canvas *c, const char *text)
{
    strbuf_addc(&c->data, '"');
    for (const char *s = text; *s != 0; s++)
        if (!iscntrl((unsigned char)*s) && *s != '`' && *s != '@' && *s != '\\')
            strbuf_addc(&c->data, *s == '"' ? '\'' : *s);
    strbuf_adds(&c->data, "\" ");
}

void canvas_release(struct canvas *c)
{
    strbuf_release(&c->script);
    strbuf_release(&c->data);
    strbuf_release(&c->summary);
}

/* ---- legends ---- */

static double step(const struct legend *l)
{
    return l->size * 1.55;
}

void legend_heading(struct legend *l, const char *text)
{
    canvas_text(l->canvas, l->x, l->y, CANVAS_LEFT, l->size, 1, STYLE_INK, text);
    l->y += step(l);
}

void legend_point(struct legend *l, int type, const char *color, const char *text)
{
    canvas_point(l->canvas, l->x + 7, l->y, type, 1.1, color);
    canvas_text(l->canvas, l->x + 20, l->y, CANVAS_LEFT, l->size, 0, STYLE_INK, text);
    l->y += step(l);
}

void legend_line(struct legend *l, const char *dash, double width, const char *color,
                 const char *text)
{
    canvas_line(l->canvas, l->x, l->y, l->x + 15, l->y, width, dash, color);
    canvas_text(l->canvas, l->x + 20, l->y, CANVAS_LEFT, l->size, 0, STYLE_INK, text);
    l->y += step(l);
}

void legend_note(struct legend *l, const char *text)
{
    canvas_text(l->canvas, l->x, l->y, CANVAS_LEFT, l->size - 1, 0, STYLE_MUTED, text);
    l->y += step(l);
}

void legend_gap(struct legend *l)
{
    l->y += 0.5 * step(l);
}
