#include "plots/front.h"

#include <stdlib.h>

#include "base/memory.h"
#include "results/stats.h"

static int ascending(const void *a, const void *b)
{
    const struct front_point *p = a, *q = b;
    if (p->x != q->x)
        return p->x < q->x ? -1 : 1;
    return p->index < q->index ? -1 : p->index > q->index;
}

static void collect(struct front *f, const double *x, const double *y, size_t n)
{
    f->points = mem_zalloc(n + 1, sizeof *f->points);
    for (size_t i = 0; i < n; i++)
        if (f->on[i])
            f->points[f->n++] = (struct front_point){x[i], y[i], i};
    qsort(f->points, f->n, sizeof *f->points, ascending);
    if (!f->maximize_x)
        return;
    for (size_t i = 0; i < f->n / 2; i++) {
        struct front_point swap = f->points[i];
        f->points[i] = f->points[f->n - 1 - i];
        f->points[f->n - 1 - i] = swap;
    }
}

/* Along the line a better y is bought with a worse x, at a right angle each time. */
static void trace(struct front *f, double worst_x, double worst_y)
{
    f->line = mem_zalloc(2 * f->n + 1, sizeof *f->line);
    double y = worst_y;
    for (size_t i = 0; i < f->n; i++) {
        f->line[f->n_line++] = (struct front_point){f->points[i].x, y, 0};
        f->line[f->n_line++] = f->points[i];
        y = f->points[i].y;
    }
    if (f->n > 0)
        f->line[f->n_line++] = (struct front_point){worst_x, y, 0};
}

void front_find(struct front *f, const double *x, const double *y, size_t n, int maximize_x,
                int maximize_y, double worst_x, double worst_y)
{
    *f = (struct front){.maximize_x = maximize_x, .maximize_y = maximize_y};
    double *points = mem_zalloc(2 * n + 1, sizeof *points);
    for (size_t i = 0; i < n; i++) {
        points[2 * i] = x[i];
        points[2 * i + 1] = y[i];
    }
    f->on = mem_zalloc(n + 1, 1);
    stats_pareto(points, n, 2, (const int[]){maximize_x, maximize_y}, f->on);
    free(points);
    collect(f, x, y, n);
    trace(f, worst_x, worst_y);
}

double front_hypervolume(const struct front *f, double worst_x, double worst_y)
{
    double *points = mem_zalloc(2 * f->n + 1, sizeof *points);
    for (size_t i = 0; i < f->n; i++) {
        points[2 * i] = f->points[i].x;
        points[2 * i + 1] = f->points[i].y;
    }
    double area = stats_hypervolume(points, f->n, (const int[]){f->maximize_x, f->maximize_y},
                                    (const double[]){worst_x, worst_y});
    free(points);
    return area;
}

void front_release(struct front *f)
{
    free(f->on);
    free(f->points);
    free(f->line);
}
