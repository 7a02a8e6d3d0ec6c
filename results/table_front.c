/* The probability of being on the front of the metric and an exact cost. */
#include "results/stats.h"
#include "results/table_data.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* Large tables are drawn again less often, so that they stay quick: 1,000 cells 400 times. */
enum { SAMPLES = 2000, LEAST_SAMPLES = 200, MOST_WORK = 400000 };

static size_t samples_of(size_t points)
{
    size_t n = MOST_WORK / (points + 1);
    return n > SAMPLES ? SAMPLES : n < LEAST_SAMPLES ? LEAST_SAMPLES : n;
}

/* The cell's values as rows of (cost, value). */
static size_t put_values(const struct table_cell *c, double cost, double *out)
{
    for (size_t i = 0; i < c->n; i++) {
        out[2 * i] = cost;
        out[2 * i + 1] = c->values[i];
    }
    return c->n;
}

int table_front(const struct table_data *d, double *chance)
{
    size_t total = 0, most = 0, points = 0;
    for (size_t i = 0; i < d->count; i++) {
        chance[i] = NAN;
        total += d->cells[i].n;
        most = d->cells[i].n > most ? d->cells[i].n : most;
    }
    if (d->front_cost < 0 || most < 2)
        return 0;
    const int maximize[2] = {d->front_maximize, d->maximize};
    double *values = mem_zalloc(2 * total, sizeof *values);
    double *of_points = mem_zalloc(d->count, sizeof *of_points);
    size_t *offset = mem_zalloc(d->count + 1, sizeof *offset);
    size_t *cells = mem_zalloc(d->count, sizeof *cells);
    for (size_t i = 0; i < d->count; i++) {
        double cost = d->cells[i].costs[d->front_cost];
        if (d->cells[i].n == 0 || isnan(cost))
            continue;
        size_t n = put_values(&d->cells[i], cost, values + 2 * offset[points]);
        cells[points++] = i;
        offset[points] = offset[points - 1] + n;
    }
    stats_pareto_probability(values, offset, points, 2, maximize, samples_of(points), 1, of_points);
    for (size_t k = 0; k < points; k++)
        chance[cells[k]] = of_points[k];
    free(values);
    free(of_points);
    free(offset);
    free(cells);
    return 1;
}
