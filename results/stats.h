/* Statistics of small samples. Doubles in, doubles out; NAN where a figure does not exist (the
 * standard deviation of one value). Nothing allocates but the bootstraps; everything random is
 * counter-based with a fixed key, so the same data give the same figures. */
#ifndef RESULTS_STATS_H
#define RESULTS_STATS_H

#include <stddef.h>
#include <stdint.h>

double stats_mean(const double *x, size_t n);
double stats_std(const double *x, size_t n); /* n - 1 in the denominator; NAN for n < 2 */
double stats_sem(const double *x, size_t n); /* std / sqrt(n) */

/* Distribution functions. */
double stats_normal_cdf(double z);
double stats_normal_quantile(double p); /* 0 < p < 1 */
/* The regularised incomplete beta function I_x(a, b). */
double stats_beta_cdf(double a, double b, double x);
double stats_t_cdf(double t, double freedom);
double stats_t_quantile(double p, double freedom);

struct stats_interval {
    double low, high;
};

/* Student's t interval of the mean; level 0.95. */
struct stats_interval stats_t_interval(const double *x, size_t n, double level);
/* Half its width: t(1 - (1 - level)/2, n - 1) * sem. */
double stats_t_halfwidth(const double *x, size_t n, double level);

/* Bootstrap intervals of a statistic (stats_mean, …) from samples resamples. BCa: Efron 1987; Efron
 * and Tibshirani 1993, eq. 14.9, 14.14, 14.15. */
typedef double stats_statistic(const double *x, size_t n);
struct stats_interval stats_bootstrap_percentile(const double *x, size_t n,
                                                 stats_statistic *statistic, size_t samples,
                                                 double level, uint64_t seed);
struct stats_interval stats_bootstrap_bca(const double *x, size_t n, stats_statistic *statistic,
                                          size_t samples, double level, uint64_t seed);

/* Exact two-sided paired sign-flip (Fisher-Pitman) test on differences d: the share of the 2^n sign
 * patterns whose |sum| is at least the observed one. n <= 24; above, 2^20 random patterns. */
double stats_signflip(const double *d, size_t n);
/* The least p that n pairs can reach: 2 / 2^n (1 for n = 0). */
double stats_signflip_floor(size_t n);
/* The least n whose floor is below level after Holm's correction for comparisons (at least 1). */
size_t stats_signflip_needed(double level, size_t comparisons);

/* McNemar's exact two-sided test from the two discordant counts (binomial, p = 1/2, doubled, at
 * most 1). */
double stats_mcnemar(int64_t only_a, int64_t only_b);
/* Counts of images that only a or only b got right; bits as in store_result.correct. */
void stats_discordant(const unsigned char *a, const unsigned char *b, size_t images,
                      int64_t *only_a, int64_t *only_b);

/* Holm's step-down correction: adjusted[i] for p[i] (NAN stays NAN and does not count). */
void stats_holm(const double *p, size_t n, double *adjusted);

/* A full grid: factors with levels[f] levels, cell means in row-major order (last factor fastest).
 */
struct stats_effect {
    int factor_a, factor_b; /* factor_b is -1 for a main effect */
    int level_a, level_b;
    double effect; /* main: marginal mean - grand mean; interaction: the rest of the two-way mean */
};
/* Main effects of every level, then two-way interactions. effects has room for stats_effect_count.
 * Returns -1 where a mean is NAN: the grid is not full. */
size_t stats_effect_count(const int *levels, int factors);
int stats_effects(const double *means, const int *levels, int factors,
                  struct stats_effect *effects);

/* Points in `dims` objectives, row after row. maximize[d] says which way is better. A point with a
 * NAN is on no front. */
int stats_dominates(const double *a, const double *b, int dims, const int *maximize);
void stats_pareto(const double *points, size_t n, int dims, const int *maximize,
                  unsigned char *front);
/* Probability of each point being on the front when each point's seeds are resampled:
 * values[offset[i] .. offset[i + 1]) rows of dims are the runs of point i. */
void stats_pareto_probability(const double *values, const size_t *offset, size_t n, int dims,
                              const int *maximize, size_t samples, uint64_t seed,
                              double *probability);
/* Area dominated by the points within the box whose worst corner is reference. */
double stats_hypervolume(const double *points, size_t n, const int maximize[2],
                         const double reference[2]);

#endif
