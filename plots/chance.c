#include "plots/chance.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plots/data.h"
#include "results/rows.h"
#include "results/stats.h"

/* The cell's finished runs that have both, as rows of two. */
static size_t put_pairs(const struct plot_data *d, const struct plot_cell *c, const char *x,
                        const char *y, double *values)
{
    size_t n = 0;
    for (size_t i = 0; i < c->n_rows; i++) {
        double a = rows_number_of(d->source.runs, c->rows[i], x),
               b = rows_number_of(d->source.runs, c->rows[i], y);
        if (strcmp(data_text(d, c->rows[i], "state"), "done") != 0 || !isfinite(a + b))
            continue;
        values[2 * n] = a;
        values[2 * n++ + 1] = b;
    }
    return n;
}

void chance_on_front(const struct plot_data *d, const char *x, const char *y, double *chance)
{
    size_t n = d->n_cells, points = 0;
    for (size_t i = 0; i < n; i++)
        chance[i] = NAN;
    if (x == NULL || y == NULL)
        return;
    double *values = mem_zalloc(2 * d->source.runs->count + 2, sizeof *values);
    double *of_points = mem_zalloc(n + 1, sizeof *of_points);
    size_t *offset = mem_zalloc(n + 2, sizeof *offset), *cells = mem_zalloc(n + 1, sizeof *cells);
    const int maximize[2] = {data_maximize(d, x), data_maximize(d, y)};
    for (size_t i = 0; i < n; i++) {
        size_t pairs = put_pairs(d, &d->cells[i], x, y, values + 2 * offset[points]);
        if (pairs == 0)
            continue;
        cells[points++] = i;
        offset[points] = offset[points - 1] + pairs;
    }
    if (points > 0)
        stats_pareto_probability(values, offset, points, 2, maximize, CHANCE_SAMPLES, 1, of_points);
    for (size_t k = 0; k < points; k++)
        chance[cells[k]] = of_points[k];
    free(values);
    free(of_points);
    free(offset);
    free(cells);
}
