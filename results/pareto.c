/* Dominance, fronts and hypervolume. */
#include "results/stats.h"
#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

int stats_dominates(const double *a, const double *b, int dims, const int *maximize)
{
    int better = 0;
    for (int d = 0; d < dims; d++) {
        double gain = maximize[d] ? a[d] - b[d] : b[d] - a[d];
        if (!(gain >= 0))
            return 0;
        better |= gain > 0;
    }
    return better;
}

static int has_nan(const double *p, int dims)
{
    for (int d = 0; d < dims; d++)
        if (isnan(p[d]))
            return 1;
    return 0;
}

static void front_by_pairs(const double *points, size_t n, int dims, const int *maximize,
                           unsigned char *front)
{
    for (size_t i = 0; i < n; i++) {
        front[i] = !has_nan(points + i * (size_t)dims, dims);
        for (size_t k = 0; k < n && front[i]; k++)
            if (stats_dominates(points + k * (size_t)dims, points + i * (size_t)dims, dims,
                                maximize))
                front[i] = 0;
    }
}

struct planar {
    double x, y; /* both the larger the better */
    size_t index;
};

static int by_x_then_y(const void *a, const void *b)
{
    const struct planar *p = a, *q = b;
    if (p->x != q->x)
        return p->x > q->x ? -1 : 1;
    return p->y != q->y ? (p->y > q->y ? -1 : 1) : 0;
}

/* Best x first, then best y; points with a NAN are left out. The caller frees. */
static struct planar *sorted_plane(const double *points, size_t n, const int *maximize,
                                   size_t *count)
{
    struct planar *p = mem_zalloc(n, sizeof *p);
    *count = 0;
    for (size_t i = 0; i < n; i++)
        if (!has_nan(points + 2 * i, 2))
            p[(*count)++] =
                (struct planar){maximize[0] ? points[2 * i] : -points[2 * i],
                                maximize[1] ? points[2 * i + 1] : -points[2 * i + 1], i};
    qsort(p, *count, sizeof *p, by_x_then_y);
    return p;
}

/* In the order of sorted_plane a point is on the front if its y beats all y of better x, or if it
 * equals the last point that did. */
static void front_by_sorting(const double *points, size_t n, const int *maximize,
                             unsigned char *front)
{
    size_t count;
    struct planar *p = sorted_plane(points, n, maximize, &count);
    memset(front, 0, n);
    double best_x = NAN, best_y = -INFINITY;
    for (size_t i = 0; i < count; i++) {
        int same = p[i].x == best_x && p[i].y == best_y;
        if (i == 0 || p[i].y > best_y) {
            best_x = p[i].x;
            best_y = p[i].y;
            same = 1;
        }
        front[p[i].index] = (unsigned char)same;
    }
    free(p);
}

void stats_pareto(const double *points, size_t n, int dims, const int *maximize,
                  unsigned char *front)
{
    if (dims == 2)
        front_by_sorting(points, n, maximize, front);
    else
        front_by_pairs(points, n, dims, maximize, front);
}

static void resample_means(const double *values, const size_t *offset, size_t n, int dims,
                           struct rng *r, double *points)
{
    for (size_t i = 0; i < n; i++) {
        size_t runs = offset[i + 1] - offset[i];
        double *p = points + i * (size_t)dims;
        for (int d = 0; d < dims; d++)
            p[d] = 0;
        for (size_t k = 0; k < runs; k++) {
            const double *row =
                values + (offset[i] + (size_t)rng_below(r, (int64_t)runs)) * (size_t)dims;
            for (int d = 0; d < dims; d++)
                p[d] += row[d];
        }
        for (int d = 0; d < dims; d++) /* divided once: equal costs stay equal */
            p[d] = runs ? p[d] / (double)runs : NAN;
    }
}

void stats_pareto_probability(const double *values, const size_t *offset, size_t n, int dims,
                              const int *maximize, size_t samples, uint64_t seed,
                              double *probability)
{
    uint64_t purpose = rng_hash("stats/pareto");
    double *points = mem_zalloc(n * (size_t)dims, sizeof *points);
    unsigned char *front = mem_zalloc(n, 1);
    for (size_t i = 0; i < n; i++)
        probability[i] = 0;
    for (size_t k = 0; k < samples; k++) {
        struct rng r;
        rng_init_hashed(&r, seed, purpose, k, 0);
        resample_means(values, offset, n, dims, &r, points);
        stats_pareto(points, n, dims, maximize, front);
        for (size_t i = 0; i < n; i++)
            probability[i] += front[i];
    }
    for (size_t i = 0; i < n; i++)
        probability[i] /= (double)samples;
    free(points);
    free(front);
}

double stats_hypervolume(const double *points, size_t n, const int maximize[2],
                         const double reference[2])
{
    size_t count;
    struct planar *p = sorted_plane(points, n, maximize, &count);
    double x0 = maximize[0] ? reference[0] : -reference[0];
    double y0 = maximize[1] ? reference[1] : -reference[1], area = 0;
    for (size_t i = 0; i < count; i++) {
        if (p[i].x <= x0 || p[i].y <= y0)
            continue;
        area += (p[i].x - x0) * (p[i].y - y0);
        y0 = p[i].y; /* what is below is counted */
    }
    free(p);
    return area;
}
