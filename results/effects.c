/* Main effects and two-way interactions of a full grid: every mean is used for every effect, so
 * they need far fewer seeds than comparing cells in pairs. */
#include "results/stats.h"
#include "base/error.h"
#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

static size_t grid_size(const int *levels, int factors)
{
    size_t n = 1;
    for (int f = 0; f < factors; f++)
        n *= (size_t)levels[f];
    return n;
}

/* The level of factor f in cell i: the last factor runs fastest. */
static int level_of(size_t i, const int *levels, int factors, int f)
{
    for (int k = factors - 1; k > f; k--)
        i /= (size_t)levels[k];
    return (int)(i % (size_t)levels[f]);
}

/* Mean over all cells with level a of factor fa and, unless fb < 0, level b of factor fb. */
static double marginal(const double *means, const int *levels, int factors, int fa, int a, int fb,
                       int b)
{
    size_t n = grid_size(levels, factors), count = 0;
    double sum = 0;
    for (size_t i = 0; i < n; i++) {
        if (level_of(i, levels, factors, fa) != a ||
            (fb >= 0 && level_of(i, levels, factors, fb) != b))
            continue;
        sum += means[i];
        count++;
    }
    return sum / (double)count;
}

size_t stats_effect_count(const int *levels, int factors)
{
    size_t n = 0;
    for (int a = 0; a < factors; a++) {
        n += (size_t)levels[a];
        for (int b = a + 1; b < factors; b++)
            n += (size_t)levels[a] * (size_t)levels[b];
    }
    return n;
}

int stats_effects(const double *means, const int *levels, int factors, struct stats_effect *effects)
{
    size_t n = grid_size(levels, factors), at = 0;
    double grand = stats_mean(means, n);
    if (isnan(grand))
        return -1;
    size_t *first =
        mem_zalloc((size_t)factors, sizeof *first); /* where a factor's main effects begin */
    for (int f = 0; f < factors; f++) {
        first[f] = at;
        for (int a = 0; a < levels[f]; a++)
            effects[at++] = (struct stats_effect){
                f, -1, a, -1, marginal(means, levels, factors, f, a, -1, -1) - grand};
    }
    for (int f = 0; f < factors; f++)
        for (int g = f + 1; g < factors; g++)
            for (int a = 0; a < levels[f]; a++)
                for (int b = 0; b < levels[g]; b++) {
                    double both = marginal(means, levels, factors, f, a, g, b) - grand;
                    double rest = both - effects[first[f] + (size_t)a].effect -
                                  effects[first[g] + (size_t)b].effect;
                    effects[at++] = (struct stats_effect){f, g, a, b, rest};
                }
    free(first);
    return 0;
}
