/* Summaries, bootstrap intervals and exact tests. */
#include "results/stats.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- summaries ------------------------------------------------------------------------------- */

double stats_mean(const double *x, size_t n)
{
    double sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += x[i];
    return n ? sum / (double)n : NAN;
}

double stats_std(const double *x, size_t n)
{
    double mean = stats_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return n > 1 ? sqrt(sum / (double)(n - 1)) : NAN;
}

double stats_sem(const double *x, size_t n)
{
    return n > 1 ? stats_std(x, n) / sqrt((double)n) : NAN;
}

double stats_t_halfwidth(const double *x, size_t n, double level)
{
    return n > 1 ? stats_t_quantile(0.5 + 0.5 * level, (double)(n - 1)) * stats_sem(x, n) : NAN;
}

struct stats_interval stats_t_interval(const double *x, size_t n, double level)
{
    double mean = stats_mean(x, n), half = stats_t_halfwidth(x, n, level);
    return (struct stats_interval){mean - half, mean + half};
}

/* ---- bootstrap ------------------------------------------------------------------------------- */

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The statistic of each resample, sorted; the caller frees. Resample i has a random stream of its
 * own. */
static double *resample(const double *x, size_t n, stats_statistic *statistic, size_t samples,
                        uint64_t seed)
{
    uint64_t purpose = rng_hash("stats/bootstrap");
    double *values = mem_zalloc(samples, sizeof *values), *drawn = mem_zalloc(n, sizeof *drawn);
    for (size_t i = 0; i < samples; i++) {
        struct rng r;
        rng_init_hashed(&r, seed, purpose, i, 0);
        for (size_t k = 0; k < n; k++)
            drawn[k] = x[rng_below(&r, (int64_t)n)];
        values[i] = statistic(drawn, n);
    }
    free(drawn);
    qsort(values, samples, sizeof *values, by_value);
    return values;
}

/* Of sorted values, with linear interpolation. */
static double quantile(const double *sorted, size_t n, double p)
{
    double at = p * (double)(n - 1);
    if (!(at > 0))
        return sorted[0];
    size_t low = (size_t)at;
    if (low + 1 >= n)
        return sorted[n - 1];
    return sorted[low] + (at - (double)low) * (sorted[low + 1] - sorted[low]);
}

struct stats_interval stats_bootstrap_percentile(const double *x, size_t n,
                                                 stats_statistic *statistic, size_t samples,
                                                 double level, uint64_t seed)
{
    if (n < 2 || samples < 2)
        return (struct stats_interval){NAN, NAN};
    double *values = resample(x, n, statistic, samples, seed);
    struct stats_interval interval = {quantile(values, samples, 0.5 - 0.5 * level),
                                      quantile(values, samples, 0.5 + 0.5 * level)};
    free(values);
    return interval;
}

/* Acceleration from the jackknife, E&T eq. 14.15. */
static double acceleration(const double *x, size_t n, stats_statistic *statistic)
{
    double *left = mem_zalloc(n, sizeof *left), *rest = mem_zalloc(n, sizeof *rest);
    for (size_t i = 0; i < n; i++) {
        memcpy(rest, x, i * sizeof *x);
        memcpy(rest + i, x + i + 1, (n - i - 1) * sizeof *x);
        left[i] = statistic(rest, n - 1);
    }
    double mean = stats_mean(left, n), cubes = 0, squares = 0;
    for (size_t i = 0; i < n; i++) {
        double d = mean - left[i];
        cubes += d * d * d;
        squares += d * d;
    }
    free(left);
    free(rest);
    return squares > 0 ? cubes / (6 * pow(squares, 1.5)) : 0;
}

/* E&T eq. 14.10: the percentile that stands for z. */
static double adjusted(double z, double bias, double a)
{
    double w = bias + z;
    return stats_normal_cdf(bias + w / (1 - a * w));
}

struct stats_interval stats_bootstrap_bca(const double *x, size_t n, stats_statistic *statistic,
                                          size_t samples, double level, uint64_t seed)
{
    if (n < 2 || samples < 2)
        return (struct stats_interval){NAN, NAN};
    double *values = resample(x, n, statistic, samples, seed), observed = statistic(x, n);
    size_t below = 0;
    while (below < samples && values[below] < observed)
        below++;
    /* All on one side: the bias is beyond what this many resamples can tell; half a resample is its
     * bound. */
    double share = fmin(fmax((double)below, 0.5), (double)samples - 0.5) / (double)samples;
    double bias = stats_normal_quantile(share), a = acceleration(x, n, statistic);
    double z = stats_normal_quantile(0.5 + 0.5 * level);
    struct stats_interval interval = {quantile(values, samples, adjusted(-z, bias, a)),
                                      quantile(values, samples, adjusted(z, bias, a))};
    free(values);
    return interval;
}

/* ---- sign flips ------------------------------------------------------------------------------ */

enum { EXACT_PAIRS = 24, RANDOM_PATTERNS = 1 << 20 };

/* All sign patterns in Gray-code order, the first sign fixed (the other half mirrors it). */
static double exact_flips(const double *d, size_t n, double limit)
{
    double sum = 0;
    signed char sign[EXACT_PAIRS];
    for (size_t i = 0; i < n; i++) {
        sum += d[i];
        sign[i] = 1;
    }
    uint64_t patterns = (uint64_t)1 << (n - 1), extreme = fabs(sum) >= limit;
    for (uint64_t k = 1; k < patterns; k++) {
        int i = 1 + __builtin_ctzll(k);
        sum -= 2 * sign[i] * d[i];
        sign[i] = (signed char)-sign[i];
        extreme += fabs(sum) >= limit;
    }
    return (double)extreme / (double)patterns;
}

static double random_flips(const double *d, size_t n, double limit)
{
    uint64_t purpose = rng_hash("stats/signflip");
    int64_t extreme = 1; /* the observed pattern is one of them */
    for (int k = 1; k < RANDOM_PATTERNS; k++) {
        struct rng r;
        double sum = 0;
        rng_init_hashed(&r, 0, purpose, (uint64_t)k, 0);
        uint32_t bits = 0;
        for (size_t i = 0; i < n; i++) {
            bits = i % 32 ? bits >> 1 : rng_u32(&r);
            sum += bits & 1 ? d[i] : -d[i];
        }
        extreme += fabs(sum) >= limit;
    }
    return (double)extreme / RANDOM_PATTERNS;
}

double stats_signflip(const double *d, size_t n)
{
    double sum = 0, size = 0;
    for (size_t i = 0; i < n; i++) {
        sum += d[i];
        size += fabs(d[i]);
    }
    if (n == 0 || size == 0)
        return 1;
    /* Patterns that tie with the observed one must not be lost to rounding. */
    double limit = fabs(sum) - 1e-9 * size;
    return n <= EXACT_PAIRS ? exact_flips(d, n, limit) : random_flips(d, n, limit);
}

double stats_signflip_floor(size_t n)
{
    return n ? ldexp(2, -(int)n) : 1;
}

size_t stats_signflip_needed(double level, size_t comparisons)
{
    size_t n = 1;
    while (n < 1000 && stats_signflip_floor(n) * (double)(comparisons ? comparisons : 1) >= level)
        n++;
    return n;
}

/* ---- McNemar --------------------------------------------------------------------------------- */

double stats_mcnemar(int64_t only_a, int64_t only_b)
{
    int64_t n = only_a + only_b, k = only_a < only_b ? only_a : only_b;
    if (n == 0)
        return 1;
    /* P(X <= k) of Binomial(n, 1/2) is I_1/2(n - k, k + 1). */
    double p = 2 * stats_beta_cdf((double)(n - k), (double)(k + 1), 0.5);
    return p < 1 ? p : 1;
}

void stats_discordant(const unsigned char *a, const unsigned char *b, size_t images,
                      int64_t *only_a, int64_t *only_b)
{
    *only_a = *only_b = 0;
    for (size_t i = 0; i < images; i += 8) {
        unsigned mask = images - i < 8 ? (1u << (images - i)) - 1 : 0xff;
        unsigned x = a[i / 8], y = b[i / 8];
        *only_a += __builtin_popcount(x & ~y & mask);
        *only_b += __builtin_popcount(y & ~x & mask);
    }
}

/* ---- Holm ------------------------------------------------------------------------------------ */

struct ranked {
    double p;
    size_t index;
};

static int by_p(const void *a, const void *b)
{
    const struct ranked *x = a, *y = b;
    return x->p != y->p ? (x->p > y->p) - (x->p < y->p)
                        : (x->index > y->index) - (x->index < y->index);
}

void stats_holm(const double *p, size_t n, double *adjusted_p)
{
    struct ranked *r = mem_zalloc(n, sizeof *r);
    size_t m = 0;
    for (size_t i = 0; i < n; i++) {
        adjusted_p[i] = NAN;
        if (!isnan(p[i]))
            r[m++] = (struct ranked){p[i], i};
    }
    qsort(r, m, sizeof *r, by_p);
    double least = 0;
    for (size_t k = 0; k < m; k++) {
        least = fmax(least, fmin(1, (double)(m - k) * r[k].p));
        adjusted_p[r[k].index] = least;
    }
    free(r);
}
