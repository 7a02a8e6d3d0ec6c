/* Latency: the blocked measurement of torch.utils.benchmark (blocked_autorange), which the ViTTM
 * authors' benchmark.py uses, with several subjects measured in turn.
 *
 * A block is so many calls in a row, timed as one. Block sizes 1, 10, 100, … are tried, each after
 * two calls that do not count, until a block takes min_time / 1000 and is 10,000 times longer than
 * reading the clock takes; this search is the warm-up. Then every subject has one block timed, A B
 * C A B C …, until each has min_time seconds of them and at least LATENCY_BLOCKS_MIN. Figures are
 * over blocks, each divided by its calls. Interleaving makes drift (clock, heat, neighbours) hit
 * all subjects alike, so ratios of two subjects are taken round by round. */
#ifndef TRAIN_LATENCY_H
#define TRAIN_LATENCY_H

#include <stddef.h>
#include <stdint.h>

#define LATENCY_BLOCKS_MIN 5

/* What is measured: one call of run(ctx) is one forward pass (or one training step) of images
 * images. */
struct latency_subject {
    void (*run)(void *ctx);
    void *ctx;
    int64_t images;
    /* Filled by latency_measure; blocks is the caller's to free. */
    double *blocks; /* seconds a call, one a round */
    size_t n_blocks;
    int64_t calls_a_block;
};

struct latency_options {
    double min_time;       /* seconds of blocks a subject */
    double (*clock)(void); /* NULL: the monotonic clock */
    /* Asked before every block; non-zero ends the measurement early. May be NULL. */
    int (*stop)(void *ctx);
    void *stop_ctx;
};

/* Returns 0, or -1 where it was stopped (blocks so far are there). */
int latency_measure(struct latency_subject *subjects, size_t n, const struct latency_options *o);

/* Figures of one subject, milliseconds a call. Quantiles interpolate between order statistics. */
struct latency_figures {
    double p50_ms, p90_ms, p99_ms, iqr_ms, mean_ms, min_ms;
    double images_per_s; /* images / p50 */
    size_t blocks;
};
struct latency_figures latency_figures(const struct latency_subject *s);

/* Linear interpolation between the closest ranks of n sorted values; 0 <= q <= 1. */
double latency_quantile(const double *sorted, size_t n, double q);

/* How many times slower b is than a: the ratio of medians, and its 95 % interval from 2,000
 * bootstrap samples of rounds (both subjects' blocks of a round stay together). Deterministic. */
struct latency_ratio {
    double ratio, low, high;
};
struct latency_ratio latency_ratio(const struct latency_subject *a,
                                   const struct latency_subject *b);

/* iqr / p50 above this is reported as a disturbed measurement (0.1 as in torch.utils.benchmark). */
#define LATENCY_IQR_WARN 0.1

#endif
