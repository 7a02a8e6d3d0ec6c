/* A made-up experiment for the tests of figures and the report: 4 read-write heads x 3 fusions x 3
 * seeds with curves, costs by layer, latencies and provenance. The numbers are a formula with
 * counter-based noise. */
#ifndef TESTS_PLOTS_SYNTHETIC_H
#define TESTS_PLOTS_SYNTHETIC_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/rng.h"
#include "plots/data.h"
#include "results/rows.h"

enum { SYNTHETIC_HEADS = 4, SYNTHETIC_FUSIONS = 3, SYNTHETIC_EPOCHS = 10 };

/* Names that a test may replace with hostile ones. */
struct synthetic {
    const char *heads[SYNTHETIC_HEADS], *fusions[SYNTHETIC_FUSIONS];
    const char *title;
    int seeds;
    int failed;        /* this many of the last cell's runs failed */
    int mixed_commits; /* the last run has another commit */
};

#define SYNTHETIC_INIT                                                                             \
    {                                                                                              \
        {"token_summary", "cross", "latent_cross", "linear"}, {"erase", "add", "add_erase"},       \
            "Read-write heads and fusion on CIFAR-10", 3, 0, 0                                     \
    }

static inline double synthetic_noise(int h, int f, int seed, int what)
{
    struct rng r;
    rng_init(&r, 7, "synthetic", (uint64_t)(h * 16 + f), (uint64_t)(seed * 16 + what));
    return rng_normal(&r);
}

static inline double synthetic_top1(int h, int f, int seed)
{
    static const double head[] = {61.5, 64.2, 65.8, 66.9}, fusion[] = {-6.5, 0, 0.7};
    return head[h] + fusion[f] * (h == 0 ? 0.2 : 1) + 0.45 * synthetic_noise(h, f, seed, 0);
}

static inline double synthetic_macs(int h, int f)
{
    static const double head[] = {14.1e6, 19.8e6, 18.3e6, 16.2e6};
    return head[h] + (f == 2 ? 0.9e6 : 0);
}

static inline void synthetic_id(char *text, size_t size, int h, int f)
{
    snprintf(text, size, "%08x%08x", 0x3fa2c1d0u + 0x1234567u * (unsigned)(h * 3 + f), 0x9be41f77u);
}

static inline void synthetic_run(struct rows *r, const struct synthetic *s, int h, int f, int seed)
{
    char cell[32], label[400], run[64];
    synthetic_id(cell, sizeof cell, h, f);
    snprintf(label, sizeof label, "%s, %s", s->heads[h], s->fusions[f]);
    snprintf(run, sizeof run, "%s-s%d-cpu", cell, seed);
    int last = h == SYNTHETIC_HEADS - 1 && f == SYNTHETIC_FUSIONS - 1;
    int failed = last && seed >= s->seeds - s->failed;
    struct rows_cell *c = rows_append(r);
    rows_set_text(r, &c[0], run);
    rows_set_text(r, &c[1], "quick");
    rows_set_text(r, &c[2], cell);
    rows_set_text(r, &c[3], label);
    rows_set_integer(&c[4], h * SYNTHETIC_FUSIONS + f);
    rows_set_integer(&c[5], seed);
    rows_set_text(r, &c[6], failed ? "failed" : "done");
    rows_set_text(r, &c[7], "cpu");
    rows_set_real(&c[8], 92 + 3 * synthetic_noise(h, f, seed, 1));
    rows_set_text(r, &c[9], failed ? "loss is not finite at step 311 (lower train.lr)" : "");
    rows_set_text(r, &c[10],
                  h == 0 && f == 0 && seed == 0 && s->mixed_commits
                      ? "ffffffffffffffffffffffffffffffffffffffff"
                      : "0123456789abcdef0123456789abcdef01234567");
    rows_set_text(r, &c[11], s->heads[h]);
    rows_set_text(r, &c[12], s->fusions[f]);
    rows_set_integer(&c[13], 96);
    rows_set_text(r, &c[14], "cifar10");
    rows_set_real(&c[15], 1e-3);
    rows_set_real(&c[20], 1.9e6 + 2.1e5 * h + 1.5e4 * f);
    rows_set_real(&c[21], synthetic_macs(h, f));
    rows_set_real(&c[23], 21e6 + 1.1e6 * h);
    if (failed)
        return;
    rows_set_real(&c[16], synthetic_top1(h, f, seed));
    rows_set_real(&c[17], 90 + 0.1 * synthetic_top1(h, f, seed));
    rows_set_real(&c[18], 1.4 - 0.01 * synthetic_top1(h, f, seed));
    rows_set_real(&c[19], 30 + synthetic_macs(h, f) / 1e6 + 0.6 * synthetic_noise(h, f, seed, 2));
    rows_set_real(&c[22], 64e3 / (30 + synthetic_macs(h, f) / 1e6));
}

static inline struct rows *synthetic_runs(const struct synthetic *s)
{
    static const char *const names[] = {"run",          "experiment",       "cell",
                                        "label",        "position",         "seed",
                                        "state",        "device",           "wall_s",
                                        "message",      "commit_hash",      "model.rw_head",
                                        "model.fusion", "model.dim",        "data.dataset",
                                        "train.lr",     "val/top1",         "val/top5",
                                        "train/loss",   "latency/p50_ms",   "cost/params",
                                        "cost/macs",    "throughput/img_s", "memory/peak_bytes"};
    struct rows *r = rows_new(sizeof names / sizeof *names, names);
    for (int h = 0; h < SYNTHETIC_HEADS; h++)
        for (int f = 0; f < SYNTHETIC_FUSIONS; f++)
            for (int seed = 0; seed < s->seeds; seed++)
                synthetic_run(r, s, h, f, seed);
    return r;
}

static inline void synthetic_point(struct rows *r, const char *run, const char *metric, int epoch,
                                   double v)
{
    struct rows_cell *c = rows_append(r);
    rows_set_text(r, &c[0], run);
    rows_set_text(r, &c[1], metric);
    rows_set_integer(&c[2], epoch);
    rows_set_integer(&c[3], epoch * 391);
    rows_set_real(&c[4], v);
}

static inline struct rows *synthetic_curves(const struct synthetic *s)
{
    static const char *const names[] = {"run", "metric", "epoch", "step", "value"};
    struct rows *r = rows_new(5, names);
    for (int h = 0; h < SYNTHETIC_HEADS; h++)
        for (int f = 0; f < SYNTHETIC_FUSIONS; f++)
            for (int seed = 0; seed < s->seeds; seed++)
                for (int e = 1; e <= SYNTHETIC_EPOCHS; e++) {
                    char cell[32], run[64];
                    synthetic_id(cell, sizeof cell, h, f);
                    snprintf(run, sizeof run, "%s-s%d-cpu", cell, seed);
                    double rise = 1 - exp(-0.38 * e), top = synthetic_top1(h, f, seed);
                    double wobble = 0.8 * synthetic_noise(h, f, seed, 3 + e) * (1 - rise);
                    synthetic_point(r, run, "val/top1", e,
                                    10 + (top - 10) * rise / (1 - exp(-3.8)) + wobble);
                    synthetic_point(r, run, "train/loss", e, 2.3 - 1.6 * rise + 0.1 * wobble);
                }
    return r;
}

static inline struct rows *synthetic_costs(void)
{
    static const char *const names[] = {"cell",   "by",   "name",         "position",
                                        "params", "macs", "bytes_written"};
    static const char *const layers[] = {"patch_embed", "blocks.0", "blocks.1", "blocks.2", "head"};
    struct rows *r = rows_new(7, names);
    for (int h = 0; h < SYNTHETIC_HEADS; h++)
        for (int f = 0; f < SYNTHETIC_FUSIONS; f++)
            for (int i = 0; i < 5; i++) {
                char cell[32];
                synthetic_id(cell, sizeof cell, h, f);
                struct rows_cell *c = rows_append(r);
                rows_set_text(r, &c[0], cell);
                rows_set_text(r, &c[1], "layer");
                rows_set_text(r, &c[2], layers[i]);
                rows_set_integer(&c[3], i);
                rows_set_integer(&c[4], i == 0 ? 5000 : i == 4 ? 960 : 600000);
                rows_set_integer(&c[5], i == 0   ? 442368
                                        : i == 4 ? 960
                                                 : (int64_t)((synthetic_macs(h, f) - 443328) / 3));
                rows_set_integer(&c[6], i == 4 ? 80 : 262144 + 65536 * h);
            }
    return r;
}

static inline struct rows *synthetic_latency(const struct synthetic *s)
{
    static const char *const names[] = {
        "run",     "cell",   "model",        "precision",  "device",  "batch",
        "threads", "blocks", "p50_ms",       "p90_ms",     "p99_ms",  "iqr_ms",
        "mean_ms", "min_ms", "images_per_s", "peak_bytes", "protocol"};
    struct rows *r = rows_new(17, names);
    for (int h = 0; h < SYNTHETIC_HEADS; h++)
        for (int f = 0; f < SYNTHETIC_FUSIONS; f++)
            for (int seed = 0; seed < s->seeds; seed++) {
                char cell[32], run[64];
                synthetic_id(cell, sizeof cell, h, f);
                snprintf(run, sizeof run, "%s-s%d-cpu", cell, seed);
                double p50 = 30 + synthetic_macs(h, f) / 1e6 + 0.6 * synthetic_noise(h, f, seed, 2);
                struct rows_cell *c = rows_append(r);
                rows_set_text(r, &c[0], run);
                rows_set_text(r, &c[1], cell);
                rows_set_text(r, &c[2], "vittm");
                rows_set_text(r, &c[3], "fp32");
                rows_set_text(r, &c[4], "cpu");
                rows_set_integer(&c[5], 64);
                rows_set_integer(&c[6], 1);
                rows_set_integer(&c[7], 41);
                const double factor[] = {1, 1.03, 1.1, 0.02, 1.01, 0.97};
                for (int i = 0; i < 6; i++)
                    rows_set_real(&c[8 + i], p50 * factor[i]);
                rows_set_real(&c[14], 64e3 / p50);
                rows_set_integer(&c[15], 21000000 + 1100000 * h);
                rows_set_text(r, &c[16], "blocks of 1 s after warm-up, median over blocks");
            }
    return r;
}

static inline struct rows *synthetic_table(const char *const *names, size_t columns,
                                           const char *const (*values)[6], size_t n)
{
    struct rows *r = rows_new(columns, names);
    for (size_t i = 0; i < n; i++) {
        struct rows_cell *c = rows_append(r);
        for (size_t k = 0; k < columns; k++)
            rows_set_text(r, &c[k], values[i][k]);
    }
    return r;
}

static inline struct rows *synthetic_env(const struct synthetic *s)
{
    static const char *const names[] = {"key", "text", "runs"};
    static const char *const facts[][2] = {{"commit", "0123456789abcdef0123456789abcdef01234567"},
                                           {"dirty", "false"},
                                           {"cpu", "Example CPU 3.0 GHz"},
                                           {"threads", "1"},
                                           {"compiler", "gcc 12.2.0"},
                                           {"command_line", "vittm run experiments/quick.yaml"},
                                           {"dataset", "cifar10"},
                                           {"dataset_hash", "6d958be074577803d12ecdefd02955f3"}};
    struct rows *r = rows_new(3, names);
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++) {
        struct rows_cell *c = rows_append(r);
        rows_set_text(r, &c[0], facts[i][0]);
        rows_set_text(r, &c[1], facts[i][1]);
        rows_set_integer(&c[2], SYNTHETIC_HEADS * SYNTHETIC_FUSIONS * s->seeds);
    }
    return r;
}

static inline struct rows *synthetic_compute(const struct synthetic *s)
{
    static const char *const names[] = {"experiment", "device",     "state",    "attempts",
                                        "runs",       "wall_hours", "cpu_hours"};
    struct rows *r = rows_new(7, names);
    for (int i = 0; i < 1 + (s->failed > 0); i++) {
        struct rows_cell *c = rows_append(r);
        int n = i == 0 ? 12 * s->seeds - s->failed : s->failed;
        rows_set_text(r, &c[0], "quick");
        rows_set_text(r, &c[1], "cpu");
        rows_set_text(r, &c[2], i == 0 ? "done" : "failed");
        rows_set_integer(&c[3], n);
        rows_set_integer(&c[4], n);
        rows_set_real(&c[5], n * 92.0 / 3600);
        rows_set_real(&c[6], n * 90.0 / 3600);
    }
    return r;
}

static inline struct rows *synthetic_experiments(const struct synthetic *s)
{
    static const char *const names[] = {"experiment", "title",      "file",
                                        "axes",       "objectives", "baseline"};
    const char *const values[1][6] = {{"quick", s->title, "experiments/quick.yaml",
                                       "model.rw_head, model.fusion", "val/top1 max, cost/macs min",
                                       "model.rw_head=linear, model.fusion=add"}};
    return synthetic_table(names, 6, values, 1);
}

static inline struct rows *synthetic_published(void)
{
    static const char *const names[] = {"source", "table", "row", "metric", "value", "unit"};
    static const char *const rows[] = {"ViT-S/16", "ViT-B/32", "ViTTM-S (64,64)"};
    static const double top1[] = {62.0, 60.1, 66.0}, macs[] = {20e6, 17e6, 15e6};
    struct rows *r = rows_new(6, names);
    for (int i = 0; i < 6; i++) {
        struct rows_cell *c = rows_append(r);
        rows_set_text(r, &c[0], "example");
        rows_set_text(r, &c[1], "Table 1");
        rows_set_text(r, &c[2], rows[i / 2]);
        rows_set_text(r, &c[3], i % 2 ? "cost/macs" : "val/top1");
        rows_set_real(&c[4], i % 2 ? macs[i / 2] : top1[i / 2]);
    }
    return r;
}

static inline struct plot_source synthetic_source(const struct synthetic *s, int published)
{
    return (struct plot_source){.runs = synthetic_runs(s),
                                .curves = synthetic_curves(s),
                                .costs = synthetic_costs(),
                                .published = published ? synthetic_published() : NULL,
                                .latency = synthetic_latency(s),
                                .compute = synthetic_compute(s),
                                .env = synthetic_env(s),
                                .experiments = synthetic_experiments(s)};
}

/* The whole experiment as figures get it; data_release it. */
static inline void synthetic_arrange(struct plot_data *d, const struct synthetic *s, int published)
{
    struct error err = {0};
    if (data_arrange(d, synthetic_source(s, published), &err) != 0)
        fail_msg("%s", err.msg);
}

#endif
