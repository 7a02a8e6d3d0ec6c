/* What the store tests share: a folder that goes away, a small experiment. */
#ifndef TESTS_RESULTS_STORE_FIXTURE_H
#define TESTS_RESULTS_STORE_FIXTURE_H

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store.h"

#include <dirent.h>
#include <stdarg.h>
#include <setjmp.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static char folder[200];

__attribute__((unused)) static int make_folder(void **state)
{
    const char *base = getenv("TMPDIR");
    (void)state;
    struct error err;
    if (!base && file_make_folder("build/tmp", &err))
        return -1;
    snprintf(folder, sizeof folder, "%s/results.XXXXXX", base ? base : "build/tmp");
    return mkdtemp(folder) ? 0 : -1;
}

__attribute__((unused)) static int drop_folder(void **state)
{
    (void)state;
    DIR *d = opendir(folder);
    if (!d)
        return -1;
    struct dirent *e;
    char path[500];
    while ((e = readdir(d))) {
        snprintf(path, sizeof path, "%s/%s", folder, e->d_name);
        if (e->d_name[0] != '.')
            unlink(path);
    }
    closedir(d);
    return rmdir(folder);
}

/* FOLDER/name, in one of four buffers. */
__attribute__((unused)) static const char *in_folder(const char *name)
{
    static char paths[4][500];
    static int next;
    char *path = paths[next++ % 4];
    snprintf(path, 500, "%s/%s", folder, name);
    return path;
}

#define OK(call)                                                                                   \
    do {                                                                                           \
        struct error ok_err = {0};                                                                 \
        (void)ok_err;                                                                              \
        if (call)                                                                                  \
            fail_msg("%s: %s", #call, ok_err.msg);                                                 \
    } while (0)

__attribute__((unused)) static struct store *open_store(const char *name)
{
    struct error err = {0};
    struct store *s = store_open(in_folder(name), STORE_WRITE, &err);
    if (!s)
        fail_msg("%s", err.msg);
    return s;
}

/* Experiment "quick": heads x fusions, cells c00 … c32, seeds, all planned. */
static const char *const heads[] = {"token_summary", "cross", "latent_cross", "linear"};
static const char *const fusions[] = {"erase", "add", "add_erase"};

__attribute__((unused)) static void put_grid_cell(struct store *s, int h, int f)
{
    char id[32], identity[100], config[200];
    snprintf(id, sizeof id, "c%d%d", h, f);
    snprintf(identity, sizeof identity, "model.fusion: %s\nmodel.rw_head: %s\n", fusions[f],
             heads[h]);
    snprintf(config, sizeof config, "model:\n  fusion: %s\n  rw_head: %s\n  dim: 96\n", fusions[f],
             heads[h]);
    struct store_value values[] = {{"model.rw_head", STORE_TEXT, heads[h]},
                                   {"model.fusion", STORE_TEXT, fusions[f]},
                                   {"model.dim", STORE_INTEGER, "96"},
                                   {"train.lr", STORE_REAL, "0.001"},
                                   {"model.class_token", STORE_TEXT, "false"}};
    struct store_metric costs[] = {{"cost/params", 1000000 + 1000 * h + f},
                                   {"cost/macs", 2000000 + h}};
    struct store_cell cell = {.id = id,
                              .identity = identity,
                              .config = config,
                              .values = values,
                              .value_count = 5,
                              .costs = costs,
                              .cost_count = 2};
    OK(store_put_cell(s, &cell, &ok_err));
}

__attribute__((unused)) static void put_grid(struct store *s, int seeds)
{
    static const char *const axes[] = {"model.rw_head", "model.fusion"};
    static const struct store_objective objectives[] = {{"val/top1", 1}, {"cost/macs", 0}};
    static const struct store_value baseline[] = {{"model.rw_head", STORE_TEXT, "linear"},
                                                  {"model.fusion", STORE_TEXT, "add"}};
    struct store_experiment e = {.name = "quick",
                                 .title = "Heads and fusions",
                                 .file = "quick.yaml",
                                 .text = "name: quick\n",
                                 .baseline = baseline,
                                 .baseline_count = 2,
                                 .objectives = objectives,
                                 .objective_count = 2,
                                 .axes = axes,
                                 .axis_count = 2};
    char id[32], label[64];
    OK(store_begin(s, &ok_err));
    OK(store_put_experiment(s, &e, &ok_err));
    for (int h = 0; h < 4; h++) {
        for (int f = 0; f < 3; f++) {
            put_grid_cell(s, h, f);
            snprintf(id, sizeof id, "c%d%d", h, f);
            snprintf(label, sizeof label, "%s %s", heads[h], fusions[f]);
            OK(store_put_member(s, "quick", id, 3 * h + f, label, &ok_err));
            for (int seed = 0; seed < seeds; seed++)
                OK(store_put_run(s, "quick", id, seed, "cpu", NULL, &ok_err));
        }
    }
    OK(store_commit(s, &ok_err));
}

/* A finished run with a few of everything. */
__attribute__((unused)) static void ingest_run(struct store *s, const char *cell, int seed,
                                               double top1)
{
    char id[STORE_RUN_ID];
    store_run_id(id, cell, seed, "cpu");
    struct store_metric metrics[] = {
        {"val/top1", top1}, {"val/top5", top1 + 20}, {"latency/p50_ms", 3.5}};
    struct store_point points[] = {{"train/loss", 0, 100, 2.0},
                                   {"train/loss", 1, 200, 1.5},
                                   {"train/loss", 1, 200, 1.4},
                                   {"val/top1", 1, 200, top1}};
    struct store_cost rows[] = {{"op", "matmul", 12, -1, 900, 900, -1, 10, 20},
                                {"layer", "blocks.0", 1, 500, 1000, 900, 30, 40, 50}};
    struct store_latency latency = {.model = "m",
                                    .precision = "fp32",
                                    .batch = 64,
                                    .threads = 1,
                                    .blocks = 30,
                                    .peak_bytes = 1 << 20,
                                    .p50_ms = 3.5,
                                    .p90_ms = 3.9,
                                    .p99_ms = 0.0 / 0.0,
                                    .iqr_ms = 0.1,
                                    .mean_ms = 3.6,
                                    .min_ms = 3.4,
                                    .images_per_s = 18000};
    struct store_fact facts[] = {
        {"commit", "0123abc"}, {"cpu", "some processor"}, {"threads", "1"}};
    static const unsigned char bits[] = {0xff, 0x0f};
    struct store_result r = {.state = STORE_DONE,
                             .started = 1000,
                             .finished = 1060,
                             .wall_s = 60,
                             .cpu_s = 58,
                             .metrics = metrics,
                             .metric_count = 3,
                             .points = points,
                             .point_count = 4,
                             .cost_rows = rows,
                             .cost_row_count = 2,
                             .latency = &latency,
                             .latency_count = 1,
                             .facts = facts,
                             .fact_count = 3,
                             .correct = bits,
                             .correct_images = 12,
                             .log = "epoch 1\nepoch 2\n"};
    OK(store_ingest(s, id, &r, &ok_err));
}

/* The one integer that a query gives. */
__attribute__((unused)) static long long number(struct store *s, const char *sql)
{
    struct error err = {0};
    long long value = -999;
    if (store_query_integer(s, &err, &value, sql, "") < 0)
        fail_msg("%s: %s", sql, err.msg);
    return value;
}

/* As `vittm doctor` sees it; how full the disk is does not matter. */
__attribute__((unused)) static void is_whole(struct store *s)
{
    struct error err = {0};
    int healthy = 0;
    struct rows *r = store_doctor(s, &healthy, &err);
    for (size_t i = 0; r && i < r->count && !healthy; i++)
        if (!rows_cell(r, i, 2)->integer && strcmp(rows_cell(r, i, 0)->text, "free space") != 0)
            fail_msg("%s: %s", rows_cell(r, i, 0)->text, rows_cell(r, i, 1)->text);
    rows_free(r);
}

#endif
