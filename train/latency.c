#include "train/latency.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

double latency_quantile(const double *sorted, size_t n, double q)
{
    if (n == 0)
        return NAN;
    double place = q * (double)(n - 1);
    size_t below = (size_t)place;
    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + (place - (double)below) * (sorted[below + 1] - sorted[below]);
}

/* ---- measuring ------------------------------------------------------------------------------- */

static double time_calls(const struct latency_subject *s, int64_t calls, double (*now)(void))
{
    double start = now();
    for (int64_t i = 0; i < calls; i++)
        s->run(s->ctx);
    return now() - start;
}

/* Median of five empty measurements. */
static double clock_overhead(double (*now)(void))
{
    double t[5];
    for (int i = 0; i < 5; i++) {
        double start = now();
        t[i] = now() - start;
    }
    qsort(t, 5, sizeof *t, by_value);
    return t[2];
}

static int stopped(const struct latency_options *o)
{
    return o->stop && o->stop(o->stop_ctx);
}

static int find_block_size(struct latency_subject *s, const struct latency_options *o,
                           double (*now)(void))
{
    double overhead = clock_overhead(now);
    for (s->calls_a_block = 1;; s->calls_a_block *= 10) {
        if (stopped(o))
            return -1;
        time_calls(s, s->calls_a_block > 200 ? s->calls_a_block / 100 : 2, now);
        double t = time_calls(s, s->calls_a_block, now);
        if ((t >= o->min_time / 1000 && overhead <= 1e-4 * t) || t > o->min_time)
            return 0;
    }
}

static void add_block(struct latency_subject *s, size_t *cap, double (*now)(void), double *total)
{
    double t = time_calls(s, s->calls_a_block, now);
    s->blocks = mem_grow(s->blocks, s->n_blocks, cap, sizeof *s->blocks);
    s->blocks[s->n_blocks++] = t / (double)s->calls_a_block;
    *total += t;
}

int latency_measure(struct latency_subject *subjects, size_t n, const struct latency_options *o)
{
    double (*now)(void) = o->clock ? o->clock : clock_now;
    double *total = mem_zalloc(n + 1, sizeof *total);
    size_t *cap = mem_zalloc(n + 1, sizeof *cap);
    int rc = 0, left = 1;
    for (size_t i = 0; i < n; i++) {
        subjects[i].blocks = NULL;
        subjects[i].n_blocks = 0;
        if (!rc)
            rc = find_block_size(&subjects[i], o, now);
    }
    /* Whole rounds: all subjects have as many blocks as the fastest to need more. */
    while (!rc && left) {
        left = 0;
        for (size_t i = 0; i < n && !rc; i++) {
            rc = stopped(o) ? -1 : 0;
            if (rc)
                break;
            add_block(&subjects[i], &cap[i], now, &total[i]);
            left |= total[i] < o->min_time || subjects[i].n_blocks < LATENCY_BLOCKS_MIN;
        }
    }
    free(cap);
    free(total);
    return rc;
}

/* ---- figures --------------------------------------------------------------------------------- */

struct latency_figures latency_figures(const struct latency_subject *s)
{
    struct latency_figures f = {.blocks = s->n_blocks};
    double *sorted = mem_zalloc(s->n_blocks + 1, sizeof *sorted), sum = 0;
    for (size_t i = 0; i < s->n_blocks; i++) {
        sorted[i] = 1e3 * s->blocks[i];
        sum += sorted[i];
    }
    qsort(sorted, s->n_blocks, sizeof *sorted, by_value);
    f.p50_ms = latency_quantile(sorted, s->n_blocks, 0.5);
    f.p90_ms = latency_quantile(sorted, s->n_blocks, 0.9);
    f.p99_ms = latency_quantile(sorted, s->n_blocks, 0.99);
    f.iqr_ms =
        latency_quantile(sorted, s->n_blocks, 0.75) - latency_quantile(sorted, s->n_blocks, 0.25);
    f.mean_ms = sum / (double)s->n_blocks;
    f.min_ms = latency_quantile(sorted, s->n_blocks, 0);
    f.images_per_s = 1e3 * (double)s->images / f.p50_ms;
    free(sorted);
    return f;
}

static double median_of(const double *blocks, const size_t *picks, size_t n, double *scratch)
{
    for (size_t i = 0; i < n; i++)
        scratch[i] = blocks[picks[i]];
    qsort(scratch, n, sizeof *scratch, by_value);
    return latency_quantile(scratch, n, 0.5);
}

struct latency_ratio latency_ratio(const struct latency_subject *a, const struct latency_subject *b)
{
    enum { SAMPLES = 2000 };
    size_t n = a->n_blocks < b->n_blocks ? a->n_blocks : b->n_blocks;
    struct latency_ratio r = {NAN, NAN, NAN};
    struct rng rng;
    if (n == 0)
        return r;
    size_t *picks = mem_zalloc(n, sizeof *picks);
    double *scratch = mem_zalloc(n, sizeof *scratch), *ratios = mem_zalloc(SAMPLES, sizeof *ratios);
    for (size_t i = 0; i < n; i++)
        picks[i] = i;
    r.ratio = median_of(b->blocks, picks, n, scratch) / median_of(a->blocks, picks, n, scratch);
    rng_init(&rng, 0, "latency/bootstrap", n, 0);
    for (int k = 0; k < SAMPLES; k++) {
        for (size_t i = 0; i < n; i++)
            picks[i] = (size_t)rng_below(&rng, (int64_t)n);
        ratios[k] =
            median_of(b->blocks, picks, n, scratch) / median_of(a->blocks, picks, n, scratch);
    }
    qsort(ratios, SAMPLES, sizeof *ratios, by_value);
    r.low = latency_quantile(ratios, SAMPLES, 0.025);
    r.high = latency_quantile(ratios, SAMPLES, 0.975);
    free(ratios);
    free(scratch);
    free(picks);
    return r;
}
