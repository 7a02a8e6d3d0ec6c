/* Statistics against printed tables, published worked examples and closed forms. */
#include "results/stats.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void near(double got, double want, double tolerance)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("got %.17g, expected %.17g within %g", got, want, tolerance);
}

static void test_summaries(void **state)
{
    (void)state;
    const double x[] = {2, 4, 4, 4, 5, 5, 7, 9}; /* sum of squares about the mean 5 is 32 */
    near(stats_mean(x, 8), 5, 0);
    near(stats_std(x, 8), sqrt(32.0 / 7), 1e-15);
    near(stats_sem(x, 8), sqrt(32.0 / 7 / 8), 1e-15);
    assert_true(isnan(stats_std(x, 1)) && isnan(stats_mean(x, 0)) &&
                isnan(stats_t_halfwidth(x, 1, 0.95)));
    const double macs[] = {16867412736.0, 16867412736.0, 16867412736.0};
    near(stats_std(macs, 3), 0, 0);
}

/* Printed to three digits in any table of Student's t (for example Fisher and Yates 1938, table
 * III). */
static void test_t_table(void **state)
{
    (void)state;
    static const struct {
        double freedom, p, t;
    } table[] = {{1, 0.975, 12.706}, {2, 0.975, 4.303},   {3, 0.975, 3.182}, {4, 0.975, 2.776},
                 {5, 0.975, 2.571},  {9, 0.975, 2.262},   {10, 0.95, 1.812}, {15, 0.99, 2.602},
                 {30, 0.975, 2.042}, {120, 0.975, 1.980}, {5, 0.995, 4.032}, {2, 0.995, 9.925}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        near(stats_t_quantile(table[i].p, table[i].freedom), table[i].t, 5.01e-4);
        near(stats_t_quantile(1 - table[i].p, table[i].freedom), -table[i].t, 5.01e-4);
    }
    for (double t = -5; t <= 5; t += 0.5) { /* closed forms for 1 and 2 degrees of freedom */
        near(stats_t_cdf(t, 1), 0.5 + atan(t) / M_PI, 1e-14);
        near(stats_t_cdf(t, 2), 0.5 + t / (2 * sqrt(2 + t * t)), 1e-14);
    }
    const double x[] = {1, 2, 3};
    near(stats_t_halfwidth(x, 3, 0.95), 0.95 / sqrt(2 * 0.975 * 0.025) / sqrt(3), 1e-12);
}

static void test_normal(void **state)
{
    (void)state;
    near(stats_normal_quantile(0.975), 1.959963984540054, 1e-13);
    near(stats_normal_quantile(0.5), 0, 1e-15);
    for (double z = -6; z <= 6; z += 0.37)
        near(stats_normal_quantile(stats_normal_cdf(z)), z, z > 4 ? 1e-6 : 1e-10);
    assert_true(isinf(stats_normal_quantile(0)) && isnan(stats_normal_quantile(1.5)));
}

/* I_x(a, b) with whole a and b is a binomial tail: P(X >= a), X ~ Binomial(a + b - 1, x). */
static void test_beta(void **state)
{
    (void)state;
    for (int a = 1; a < 8; a++)
        for (int b = 1; b < 8; b++)
            for (double x = 0.05; x < 1; x += 0.1) {
                int n = a + b - 1;
                double tail = 0;
                for (int k = a; k <= n; k++)
                    tail += exp(lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) * pow(x, k) *
                            pow(1 - x, n - k);
                near(stats_beta_cdf(a, b, x), tail, 1e-12);
            }
}

/* Efron and Tibshirani, An Introduction to the Bootstrap (1993), table 14.1 and 14.2: the A scores
 * of 26 neurologically impaired children, the plug-in variance, 90 % intervals from 2000 resamples:
 * percentile (100.8, 233.9), BCa (115.8, 259.6). */
static double variance(const double *x, size_t n)
{
    double mean = stats_mean(x, n), sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (x[i] - mean) * (x[i] - mean);
    return sum / (double)n;
}

static void test_bootstrap(void **state)
{
    (void)state;
    const double a[] = {48, 36, 20, 29, 42, 42, 20, 42, 22, 41, 45, 14, 6,
                        0,  33, 28, 34, 4,  32, 24, 47, 41, 24, 26, 30, 41};
    near(variance(a, 26), 171.5, 0.05);
    struct stats_interval p = stats_bootstrap_percentile(a, 26, variance, 20000, 0.9, 1);
    near(p.low, 100.8, 6);
    near(p.high, 233.9, 8);
    struct stats_interval b = stats_bootstrap_bca(a, 26, variance, 20000, 0.9, 1);
    near(b.low, 115.8, 6);
    near(b.high, 259.6, 15);
    near(b.low, stats_bootstrap_percentile(a, 26, variance, 20000, 0.78, 1).low, 3);
    near(b.high, stats_bootstrap_percentile(a, 26, variance, 20000, 0.97, 1).high, 5);
    struct stats_interval again = stats_bootstrap_bca(a, 26, variance, 20000, 0.9, 1);
    assert_true(again.low == b.low && again.high == b.high);
    /* Symmetric data: no bias, no acceleration, so both are about the same. */
    const double s[] = {-3, -2, -1, 0, 1, 2, 3};
    p = stats_bootstrap_percentile(s, 7, stats_mean, 20000, 0.95, 3);
    b = stats_bootstrap_bca(s, 7, stats_mean, 20000, 0.95, 3);
    near(b.low, p.low, 0.15);
    near(b.high, p.high, 0.15);
    const double same[] = {5, 5, 5};
    b = stats_bootstrap_bca(same, 3, stats_mean, 100, 0.95, 1);
    assert_true(b.low == 5 && b.high == 5);
    assert_true(isnan(stats_bootstrap_bca(same, 1, stats_mean, 100, 0.95, 1).low));
}

/* Fisher, The Design of Experiments (1935), section 21, on Darwin's maize: 863 of the 32768 sign
 * patterns have a sum of at least the observed 314. */
static void test_signflip(void **state)
{
    (void)state;
    const double d[] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};
    near(stats_signflip(d, 15), 2 * 863.0 / 32768, 1e-15);
    const double three[] = {1.1, 0.9, 1.3};
    near(stats_signflip(three, 3), 0.25, 0);
    const double ties[] = {0.1, 0.2,
                           -0.3}; /* patterns of sum 0 in inexact arithmetic: all are as extreme */
    near(stats_signflip(ties, 3), 1, 0);
    const double zero[] = {0, 0};
    near(stats_signflip(zero, 2), 1, 0);
    double many[30];
    for (int i = 0; i < 30; i++)
        many[i] = i % 3 ? 1 : -1; /* 20 against 10: P(|X - 15| >= 5), X ~ Binomial(30, 1/2) */
    near(stats_signflip(many, 30), 0.09873714670538902, 1.5e-3);
    near(stats_signflip_floor(3), 0.25, 0);
    near(stats_signflip_floor(5), 0.0625, 0);
    assert_int_equal(stats_signflip_needed(0.05, 1), 6);
    assert_int_equal(stats_signflip_needed(0.05, 11), 9);
}

static void test_mcnemar(void **state)
{
    (void)state;
    near(stats_mcnemar(1, 9), 22.0 / 1024, 1e-15);
    near(stats_mcnemar(9, 1), 22.0 / 1024, 1e-15);
    near(stats_mcnemar(0, 0), 1, 0);
    near(stats_mcnemar(5, 5), 1, 0);
    near(stats_mcnemar(0, 20), ldexp(2, -20), 1e-18);
    double p = 0; /* the binomial sum itself */
    for (int k = 0; k <= 86; k++)
        p += 2 * exp(lgamma(237) - lgamma(k + 1) - lgamma(237 - k) - 236 * M_LN2);
    near(stats_mcnemar(86, 150), p, 1e-12);
    const unsigned char a[] = {0x0f, 0xff}, b[] = {0x3c, 0xfe};
    int64_t only_a, only_b;
    stats_discordant(a, b, 10, &only_a, &only_b); /* bits past the tenth do not count */
    assert_int_equal(only_a, 3);
    assert_int_equal(only_b, 2);
}

static void test_holm(void **state)
{
    (void)state;
    const double p[] = {0.01, 0.04, NAN, 0.03, 0.005};
    double q[5];
    stats_holm(p, 5, q);
    near(q[0], 0.03, 1e-15);
    near(q[1], 0.06, 1e-15);
    assert_true(isnan(q[2]));
    near(q[3], 0.06, 1e-15);
    near(q[4], 0.02, 1e-15);
    const double large[] = {0.9, 0.8};
    stats_holm(large, 2, q);
    near(q[0], 1, 0);
    near(q[1], 1, 0);
}

/* An independent implementation: scipy 1.17.1 on the same data. permutation_test((d,), sum,
 * permutation_type='samples', n_resamples=inf), stats.t.interval, binomtest(a, a + b, 0.5),
 * bootstrap(method='BCa' and 'percentile', n_resamples=400000), t.cdf, beta.cdf, t.ppf. The two
 * bootstraps draw other samples: they agree to what 20,000 of them leave open. */
static void test_against_scipy(void **state)
{
    (void)state;
    const double x[] = {71.2, 72.9, 70.4, 73.1, 71.8, 72.2, 69.9, 74.0};
    const double y[] = {70.1, 72.0, 70.9, 71.5, 71.0, 71.3, 69.1, 72.2};
    const double skewed[] = {1.2, 0.4, 3.9, 0.8, 12.5, 2.2, 0.9, 5.1, 0.3, 1.7, 7.4, 2.8};
    double d[8];
    for (int i = 0; i < 8; i++)
        d[i] = x[i] - y[i];
    near(stats_signflip(d, 8), 0.015625, 0);
    near(stats_std(x, 8), 1.3978938238854681, 1e-14);
    near(stats_sem(x, 8), 0.4942301011241039, 1e-14);
    struct stats_interval t = stats_t_interval(x, 8, 0.95);
    near(t.low, 70.76883151701479, 1e-10);
    near(t.high, 73.10616848298521, 1e-10);
    near(stats_mcnemar(12, 25), 0.04703102743951604, 1e-14);
    near(stats_mcnemar(3, 11), 0.057373046875, 1e-15);
    near(stats_mcnemar(40, 41), 1, 0);
    struct stats_interval b = stats_bootstrap_bca(x, 8, stats_mean, 20000, 0.95, 1);
    near(b.low, 71.025, 0.03);
    near(b.high, 72.825, 0.03);
    b = stats_bootstrap_bca(skewed, 12, stats_mean, 20000, 0.95, 1);
    near(b.low, 1.8166666666666664, 0.06);
    near(b.high, 6.066666666666667, 0.15);
    b = stats_bootstrap_percentile(skewed, 12, stats_mean, 20000, 0.95, 1);
    near(b.low, 1.5666666666666664, 0.05);
    near(b.high, 5.416666666666667, 0.1);
    near(stats_t_cdf(2.3, 7), 0.9725044523978142, 1e-13);
    near(stats_beta_cdf(2.5, 4.0, 0.3), 0.3521975859067672, 1e-13);
    near(stats_t_quantile(0.975, 47), 2.0117405137297655, 1e-11);
    /* Every number of seeds, by the definition: the least n with 2 / 2^n times m below the level.
     */
    for (size_t m = 1; m < 70; m++) {
        size_t n = stats_signflip_needed(0.05, m);
        assert_true(stats_signflip_floor(n) * (double)m < 0.05);
        assert_true(stats_signflip_floor(n - 1) * (double)m >= 0.05);
    }
}

static void test_effects(void **state)
{
    (void)state;
    const int two[] = {2, 2};
    const double means[] = {10, 20, 30, 60};
    struct stats_effect e[8];
    assert_int_equal(stats_effect_count(two, 2), 8);
    assert_int_equal(stats_effects(means, two, 2, e), 0);
    const double want[] = {-15, 15, -10, 10, 5, -5, -5, 5};
    for (int i = 0; i < 8; i++)
        near(e[i].effect, want[i], 1e-12);
    /* An additive grid has no interactions. */
    const int three[] = {2, 3, 2};
    double grid[12];
    struct stats_effect f[64];
    for (int i = 0; i < 12; i++)
        grid[i] = 7 + 3 * (i / 6) + 2 * (i / 2 % 3) - 5 * (i % 2);
    assert_true(stats_effect_count(three, 3) == 7 + 6 + 4 + 6);
    stats_effects(grid, three, 3, f);
    for (size_t i = 7; i < 23; i++)
        near(f[i].effect, 0, 1e-12);
    near(f[1].effect - f[0].effect, 3, 1e-12);
    grid[4] = NAN;
    assert_int_equal(stats_effects(grid, three, 3, f), -1);
}

static void test_pareto(void **state)
{
    (void)state;
    const int goal[] = {1, 0, 0}; /* accuracy up, cost down */
    const double points[] = {80, 10, 70, 5, 60, 7, 80, 10, 90, 50, NAN, 1, 85, 50};
    const unsigned char want[] = {1, 1, 0, 1, 1, 0, 0};
    unsigned char front[7];
    stats_pareto(points, 7, 2, goal, front);
    assert_memory_equal(front, want, 7);
    /* The sorted and the pairwise way agree on many points with ties. */
    unsigned seed = 1;
    for (int round = 0; round < 200; round++) {
        double two[40], three[60];
        unsigned char a[20], b[20];
        for (int i = 0; i < 20; i++) {
            seed = seed * 1664525 + 1013904223;
            two[2 * i] = three[3 * i] = seed >> 29;
            seed = seed * 1664525 + 1013904223;
            two[2 * i + 1] = three[3 * i + 1] = seed >> 29;
            three[3 * i + 2] = 0;
        }
        stats_pareto(two, 20, 2, goal, a);
        stats_pareto(three, 20, 3, goal, b);
        assert_memory_equal(a, b, 20);
    }
}

static void test_front_probability(void **state)
{
    (void)state;
    const int goal[] = {1, 0};
    /* Equal costs; the second is better in half of its runs: its resampled mean (two of two draws)
     * beats, ties or loses with 1/4, 1/2, 1/4; in a tie both are on the front. */
    const double values[] = {80, 1, 80, 1, 79, 1, 81, 1};
    const size_t offset[] = {0, 2, 4};
    double p[2];
    stats_pareto_probability(values, offset, 2, 2, goal, 20000, 7, p);
    near(p[0], 0.75, 0.015);
    near(p[1], 0.75, 0.015);
    const double points[] = {80, 10, 70, 5, 75, 9, 40, 1};
    const double reference[] = {50, 20};
    /* 70 gives (70-50)(20-5) = 300; 75 adds 5 * 11 = 55; 80 adds 5 * 10 = 50; 40 is outside. */
    near(stats_hypervolume(points, 4, goal, reference), 405, 1e-12);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_summaries),     cmocka_unit_test(test_t_table),
        cmocka_unit_test(test_normal),        cmocka_unit_test(test_beta),
        cmocka_unit_test(test_bootstrap),     cmocka_unit_test(test_signflip),
        cmocka_unit_test(test_mcnemar),       cmocka_unit_test(test_holm),
        cmocka_unit_test(test_against_scipy), cmocka_unit_test(test_effects),
        cmocka_unit_test(test_pareto),        cmocka_unit_test(test_front_probability),
    };
    return cmocka_run_group_tests_name("results/stats", tests, NULL, NULL);
}
