#include "plots/panels.h"

#include "plots/canvas.h"
#include "plots/style.h"

void panels_init(struct panels *p, int n, double left, double top, double right, double bottom)
{
    int columns = n <= 3 ? n : n == 4 ? 2 : n < 10 ? 3 : 4;
    *p = (struct panels){n, columns, (n + columns - 1) / columns, left, top, right, bottom, 16, 30};
}

void panels_select(const struct panels *p, int i, struct canvas *c, const char *heading)
{
    double width = (p->right - p->left - p->gap_x * (p->columns - 1)) / p->columns;
    double height = (p->bottom - p->top - p->gap_y * (p->rows - 1)) / p->rows;
    double x = p->left + i % p->columns * (width + p->gap_x),
           y = p->top + i / p->columns * (height + p->gap_y);
    canvas_area(c, x, y, x + width, y + height);
    if (heading != NULL)
        canvas_text(c, x + 4, y - 10, CANVAS_LEFT, 12, 1, STYLE_INK, heading);
}

int panels_at_left(const struct panels *p, int i)
{
    return i % p->columns == 0;
}

int panels_at_bottom(const struct panels *p, int i)
{
    return i + p->columns >= p->n;
}

void panels_titles(const struct panels *p, struct canvas *c, const char *x, const char *y,
                   double tics)
{
    canvas_area(c, p->left, p->top, p->right, p->bottom);
    canvas_titles(c, x, y, tics);
}
