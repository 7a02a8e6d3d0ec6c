#include "plots/effect.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plots/data.h"
#include "results/rows.h"
#include "results/stats.h"

/* The value of that seed in the cell, or NAN. */
static double seed_value(const struct plot_data *d, const struct plot_cell *c, int column,
                         int seed_column, double seed)
{
    for (size_t i = 0; i < c->n_rows; i++)
        if (rows_number(rows_cell(d->source.runs, c->rows[i], (size_t)seed_column)) == seed &&
            strcmp(data_text(d, c->rows[i], "state"), "done") == 0)
            return rows_number(rows_cell(d->source.runs, c->rows[i], (size_t)column));
    return NAN;
}

static int member(const struct plot_data *d, size_t cell, int factor, int level, const char *metric)
{
    return d->cells[cell].levels[factor] == level && data_stat(d, &d->cells[cell], metric).n > 0;
}

static void level_over_seeds(struct effect_level *l, const struct plot_data *d, const size_t *cells,
                             int column)
{
    int seed_column = rows_column(d->source.runs, "seed");
    const struct plot_cell *first = &d->cells[cells[0]];
    double *means = mem_zalloc(first->n_rows + 1, sizeof *means);
    for (size_t i = 0; i < first->n_rows; i++) {
        double seed = rows_number(rows_cell(d->source.runs, first->rows[i], (size_t)seed_column)),
               sum = 0;
        for (size_t k = 0; k < l->cells; k++)
            sum += seed_value(d, &d->cells[cells[k]], column, seed_column, seed);
        if (isfinite(sum))
            means[l->seeds++] = sum / (double)l->cells;
    }
    if (l->seeds > 0) {
        l->mean = stats_mean(means, l->seeds);
        l->half = l->seeds > 1 ? stats_t_halfwidth(means, l->seeds, 0.95) : NAN;
    }
    free(means);
}

static int collect_level(struct effect_level *l, struct plot_data *d, const char *metric,
                         size_t *cells)
{
    double sum = 0;
    for (size_t i = 0; i < d->n_cells; i++)
        if (member(d, i, l->factor, l->level, metric)) {
            cells[l->cells++] = i;
            sum += data_stat(d, &d->cells[i], metric).mean;
        }
    if (l->cells == 0)
        return 0;
    l->mean = sum / (double)l->cells;
    l->half = NAN;
    level_over_seeds(l, d, cells, rows_column(d->source.runs, metric));
    return 1;
}

static int is_full(const struct plot_data *d, const char *metric)
{
    size_t expected = 1, have = 0;
    for (int f = 0; f < d->n_factors; f++)
        expected *= (size_t)d->factors[f].n;
    for (size_t i = 0; i < d->n_cells; i++)
        have += data_stat(d, &d->cells[i], metric).n > 0;
    return have == expected && have == d->n_cells;
}

void effect_collect(struct effect_list *e, struct plot_data *d, const char *metric, int factors)
{
    int most = 0, n = d->n_factors < factors ? d->n_factors : factors;
    for (int f = 0; f < n; f++)
        most += d->factors[f].n;
    *e = (struct effect_list){.metric = metric, .balanced = is_full(d, metric)};
    e->levels = ARENA_ARRAY(&d->arena, struct effect_level, most + 1);
    size_t *cells = mem_zalloc(d->n_cells + 1, sizeof *cells), used = 0;
    for (int f = 0; f < n; f++)
        for (int k = 0; k < d->factors[f].n; k++) {
            struct effect_level l = {.factor = f, .level = k};
            if (collect_level(&l, d, metric, cells))
                e->levels[e->n++] = l;
        }
    double sum = 0;
    for (size_t i = 0; i < d->n_cells; i++) {
        struct plot_stat s = data_stat(d, &d->cells[i], metric);
        sum += s.n > 0 ? s.mean : 0;
        used += s.n > 0;
    }
    e->mean = used > 0 ? sum / (double)used : NAN;
    free(cells);
}
