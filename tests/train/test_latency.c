/* Latency: the block search, the rounds and the figures, on a clock that the test turns. */
#include "train/latency.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static double fake_time;
static long calls;
static char order[100];
static size_t n_order;

static double fake_clock(void)
{
    return fake_time += 1e-8;
}

struct work {
    char name;
    double seconds;
    double drift; /* added a call */
};

static void work(void *ctx)
{
    struct work *w = ctx;
    calls++;
    fake_time += w->seconds;
    w->seconds += w->drift;
    if (n_order < sizeof order - 1 && (!n_order || order[n_order - 1] != w->name))
        order[n_order++] = w->name;
}

static struct latency_options options(double min_time)
{
    return (struct latency_options){.min_time = min_time, .clock = fake_clock};
}

static void expect(double got, double want, double tolerance, const char *what)
{
    if (!(fabs(got - want) <= tolerance))
        fail_msg("%s: %.9g, not %.9g", what, got, want);
}

static void test_block_size(void **state)
{
    (void)state;
    /* A call of 20 us: blocks of 1,000 are the first to last 8 ms (8 s / 1000). */
    struct work w = {'A', 20e-6, 0};
    struct latency_subject s = {.run = work, .ctx = &w, .images = 4};
    struct latency_options o = options(8);
    calls = 0;
    assert_int_equal(latency_measure(&s, 1, &o), 0);
    assert_int_equal(s.calls_a_block, 1000);
    assert_int_equal(calls, 2 + 1 + 2 + 10 + 2 + 100 + 10 + 1000 + 1000 * (long)s.n_blocks);
    expect((double)s.n_blocks * 0.02, 8, 0.02, "seconds of blocks");
    struct latency_figures f = latency_figures(&s);
    expect(f.p50_ms, 0.02, 1e-6, "p50");
    expect(f.iqr_ms, 0, 1e-6, "iqr");
    expect(f.images_per_s, 200000, 1, "images/s");
    free(s.blocks);
}

static void test_slow_call(void **state)
{
    (void)state;
    /* One call is longer than min_time: single calls, and still enough of them for quantiles. */
    struct work w = {'A', 3, 0};
    struct latency_subject s = {.run = work, .ctx = &w, .images = 1};
    struct latency_options o = options(1);
    assert_int_equal(latency_measure(&s, 1, &o), 0);
    assert_int_equal(s.calls_a_block, 1);
    assert_int_equal(s.n_blocks, LATENCY_BLOCKS_MIN);
    free(s.blocks);
}

static void test_interleaved(void **state)
{
    (void)state;
    /* The machine slows down by a factor as time goes on; the ratio stays 2 round by round. */
    struct work a = {'A', 0.010, 1e-5}, b = {'B', 0.020, 2e-5};
    struct latency_subject s[2] = {{.run = work, .ctx = &a, .images = 1},
                                   {.run = work, .ctx = &b, .images = 1}};
    struct latency_options o = options(1);
    n_order = 0;
    assert_int_equal(latency_measure(s, 2, &o), 0);
    assert_int_equal(s[0].n_blocks, s[1].n_blocks);
    order[6] = 0;
    assert_string_equal(order, "ABABAB"); /* the search, then round after round */
    struct latency_ratio r = latency_ratio(&s[0], &s[1]), again = latency_ratio(&s[0], &s[1]);
    expect(r.ratio, 2, 1e-3, "ratio");
    if (!(r.low <= r.ratio && r.ratio <= r.high && r.high - r.low < 1e-2))
        fail_msg("interval %g .. %g", r.low, r.high);
    assert_true(r.low == again.low && r.high == again.high);
    free(s[0].blocks);
    free(s[1].blocks);
}

static void test_figures(void **state)
{
    (void)state;
    double blocks[11];
    for (int i = 0; i < 11; i++)
        blocks[i] = (double)((i * 7) % 11) * 1e-3; /* 0 .. 10 ms in another order */
    struct latency_subject s = {.blocks = blocks, .n_blocks = 11, .images = 10};
    struct latency_figures f = latency_figures(&s);
    expect(f.p50_ms, 5, 1e-9, "p50");
    expect(f.p90_ms, 9, 1e-9, "p90");
    expect(f.p99_ms, 9.9, 1e-9, "p99");
    expect(f.iqr_ms, 5, 1e-9, "iqr");
    expect(f.mean_ms, 5, 1e-9, "mean");
    expect(f.min_ms, 0, 1e-9, "min");
    expect(f.images_per_s, 2000, 1e-6, "images/s");
    assert_true(isnan(latency_quantile(blocks, 0, 0.5)));
}

static int stop_at_once(void *ctx)
{
    return ++*(int *)ctx > 3;
}

static void test_stop(void **state)
{
    (void)state;
    int asked = 0;
    struct work w = {'A', 0.5, 0};
    struct latency_subject s = {.run = work, .ctx = &w, .images = 1};
    struct latency_options o = options(100);
    o.stop = stop_at_once;
    o.stop_ctx = &asked;
    assert_int_equal(latency_measure(&s, 1, &o), -1);
    assert_int_equal(s.n_blocks, 2);
    free(s.blocks);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_block_size),
                                       cmocka_unit_test(test_slow_call),
                                       cmocka_unit_test(test_interleaved),
                                       cmocka_unit_test(test_figures), cmocka_unit_test(test_stop)};
    return cmocka_run_group_tests_name("latency", tests, NULL, NULL);
}
