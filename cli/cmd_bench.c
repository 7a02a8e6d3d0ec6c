/* vittm bench: latency, throughput and memory, measured. */
#include "cli/command.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "cli/cells.h"
#include "cli/store.h"
#include "train/keys.h"
#include "train/frames.h"
#include "train/measure.h"

static const struct option_spec options[] = {
    OPTION_BATCH("images a call (default: latency.batch, or train.batch with --train)"),
    {.name = "min-time",
     .type = OPTION_FLOAT,
     .value = "S",
     .min = 0.001,
     .max = 3600,
     .doc = "least seconds a model, after the warm-up (default: latency.min_time)"},
    OPTION_THREADS("threads (0: latency.threads, else as many as cores)"),
    OPTION_DEVICE("NAME", "where to run: auto, cpu, …"),
    {.name = "precision",
     .type = OPTION_TEXT,
     .value = "NAME",
     .doc = "of products: fp32, tf32, bf16 (default: latency.precision, or train.precision with "
            "--train)"},
    {.name = "train", .doc = "time whole training steps instead of forward passes"},
    {.name = "frames",
     .doc = "segmentation: time whole images of the data set, windows to classes, one at a time"},
    OPTION_FORMAT,
    OPTION_OUTPUT,
    {0}};

/* One model under measurement. The measure must stay where it is, so entries are allocated one by
 * one. */
struct entry {
    char *name;
    struct device device;
    struct measure measure;
    struct frames frames; /* with --frames in its place */
    double min_time;
};

enum { FRAMES_HELD = 16 }; /* images that are prepared and run in turn */

static struct latency_subject *subject_of(struct entry *e)
{
    return e->frames.subject.run ? &e->frames.subject : &e->measure.subject;
}

static const struct network *network_of(const struct entry *e)
{
    return e->frames.subject.run ? &e->frames.net : &e->measure.net;
}

static int open_frames(struct entry *e, const struct config *c, struct error *err)
{
    if (!config_is_active(c, "latency.frames"))
        return error_set(err, "--frames times segmentation, which %s is not for",
                         config_string(c, "model.family"));
    return frames_open(&e->frames, c, &e->device, FRAMES_HELD, NULL, err);
}

struct bench {
    struct entry **entries;
    size_t n, cap;
    double clock_mhz; /* at the end of the measurement, while the processor is warm */
};

static int64_t batch_of(const struct args *a, const struct config *c)
{
    if (args_given(a, "batch"))
        return args_int(a, "batch");
    return config_int(c, args_flag(a, "train") ? "train.batch" : "latency.batch");
}

static int64_t threads_of(const struct args *a, const struct config *c)
{
    return args_int(a, "threads") ? args_int(a, "threads") : config_int(c, "latency.threads");
}

static int set_precision(struct device *d, const struct args *a, const struct config *c,
                         struct error *err)
{
    int training = args_flag(a, "train"), i = 0;
    if (!args_given(a, "precision")) {
        if (device_set_precision(d, training ? train_precision(c) : latency_precision(c), err))
            return error_prefix(err, training ? "train.precision" : "latency.precision");
        return 0;
    }
    const char *name = args_text(a, "precision");
    while (precision_choice(i) && strcmp(precision_choice(i)->name, name))
        i++;
    if (!precision_choice(i))
        return error_set(err, "--precision %s: fp32, tf32 or bf16 is expected", name);
    return device_set_precision(d, (enum precision)i, err);
}

static int add(struct bench *b, const struct args *a, const char *name, const struct config *c,
               struct error *err)
{
    struct measure_options o = {.batch = batch_of(a, c), .training = args_flag(a, "train")};
    struct entry *e = mem_zalloc(1, sizeof *e);
    b->entries = mem_grow(b->entries, b->n, &b->cap, sizeof *b->entries);
    b->entries[b->n++] = e;
    e->name = mem_strdup(name);
    e->min_time =
        args_given(a, "min-time") ? args_float(a, "min-time") : config_float(c, "latency.min_time");
    if (device_open(&e->device, args_text(a, "device"), (int)threads_of(a, c), err))
        return -1;
    if (set_precision(&e->device, a, c, err))
        return -1;
    if ((args_flag(a, "frames") ? open_frames(e, c, err)
                                : measure_open(&e->measure, c, &e->device, &o, NULL, err)))
        return error_prefix(err, "%s", name);
    return 0;
}

static int add_operand(struct bench *b, const struct args *a, const char *operand,
                       struct error *err)
{
    struct cells s;
    int rc = 0;
    if (cells_load(&s, a, operand, err))
        return -1;
    for (int i = 0; !rc && i < s.experiment.n_cells; i++)
        if (s.experiment.cells[i].state == CELL_PLANNED)
            rc = add(b, a, cells_name(&s, &s.experiment.cells[i]), s.experiment.cells[i].config,
                     err);
    cells_release(&s);
    return rc;
}

static void release(struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->entries[i]->frames.subject.run)
            frames_close(&b->entries[i]->frames);
        else
            measure_close(&b->entries[i]->measure);
        free(b->entries[i]->name);
        free(b->entries[i]);
    }
    free(b->entries);
}

/* Interleaves all subjects; the longest min_time holds for all, as they stop together. */
static void measure_all(struct bench *b)
{
    struct latency_options o = {0};
    struct latency_subject *subjects = mem_zalloc(b->n + 1, sizeof *subjects);
    for (size_t i = 0; i < b->n; i++) {
        subjects[i] = *subject_of(b->entries[i]);
        if (b->entries[i]->min_time > o.min_time)
            o.min_time = b->entries[i]->min_time;
    }
    latency_measure(subjects, b->n, &o);
    b->clock_mhz = measure_clock_mhz();
    for (size_t i = 0; i < b->n; i++)
        *subject_of(b->entries[i]) = subjects[i];
    free(subjects);
}

static struct rows *make_rows(const struct bench *b)
{
    static const char *const names[] = {"model",        "p50_ms",     "p90_ms",  "iqr_ms",
                                        "batch",        "precision",  "threads", "device",
                                        "images_per_s", "peak_bytes", "p99_ms",  "clock_mhz"};
    struct rows *rows = rows_new(sizeof names / sizeof *names, names);
    for (size_t i = 0; i < b->n; i++) {
        struct entry *e = b->entries[i];
        struct latency_figures f = latency_figures(subject_of(e));
        struct rows_cell *cell = rows_append(rows);
        rows_set_text(rows, &cell[0], e->name);
        rows_set_real(&cell[1], f.p50_ms);
        rows_set_real(&cell[2], f.p90_ms);
        rows_set_real(&cell[3], f.iqr_ms);
        rows_set_integer(&cell[4], network_of(e)->batch);
        rows_set_text(rows, &cell[5], device_precision(&e->device));
        rows_set_integer(&cell[6], e->device.options.threads);
        rows_set_text(rows, &cell[7], e->device.text);
        rows_set_real(&cell[8], f.images_per_s);
        rows_set_integer(&cell[9], network_bytes(network_of(e)));
        rows_set_real(&cell[10], f.p99_ms);
        if (isfinite(b->clock_mhz))
            rows_set_real(&cell[11], b->clock_mhz);
    }
    return rows;
}

static void say_spread(const struct bench *b)
{
    for (size_t i = 0; i < b->n; i++) {
        struct latency_figures f = latency_figures(subject_of(b->entries[i]));
        if (f.iqr_ms > LATENCY_IQR_WARN * f.p50_ms)
            warn("%s: the spread (IQR) is %.0f %% of the median: the machine was busy with other "
                 "work",
                 b->entries[i]->name, 100 * f.iqr_ms / f.p50_ms);
    }
}

/* How the others compare with the first, an image each. */
static void say_ratios(const struct bench *b)
{
    for (size_t i = 1; i < b->n; i++) {
        struct entry *first = b->entries[0], *e = b->entries[i];
        struct latency_ratio r = latency_ratio(subject_of(first), subject_of(e));
        double images = (double)network_of(first)->batch / (double)network_of(e)->batch;
        fprintf(stderr, "%s takes %.4g times as long an image as %s (95 %%: %.4g to %.4g)\n",
                e->name, images * r.ratio, first->name, images * r.low, images * r.high);
    }
}

static int run(const struct args *a, struct error *err)
{
    struct bench b = {0};
    int rc = 0;
    for (int i = 0; !rc && i < a->n_operands; i++)
        rc = add_operand(&b, a, a->operands[i], err);
    if (!rc && !b.n)
        rc = error_set(err, "no cell is left to measure");
    if (!rc) {
        measure_all(&b);
        say_spread(&b);
        say_ratios(&b);
        rc = cli_print_to(a, make_rows(&b), "nothing measured", err);
    }
    release(&b);
    return rc;
}

const struct command command_bench = {
    .name = "bench",
    .group = "Models",
    .summary = "measure latency, throughput and memory",
    .operands = "FILE.yaml|MODEL … [key=value …]",
    .min_operands = 1,
    .max_operands = -1,
    .operand_kind = OPERAND_MODEL,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details =
        "Every model is timed in blocks of calls; the size of a block is searched for, which is "
        "the warm-up. Then one block of each model is timed in turn, A B C A B C, until each has "
        "its seconds, so that a machine that slows down slows all of them. Figures are over "
        "blocks: median, 90th percentile and interquartile range, in milliseconds a call of the "
        "whole batch. Input is random and already on the device; weights are initial. peak_bytes "
        "is what the program allocates: parameters and activations. With several models the "
        "ratios to the first one are said on stderr, with a bootstrap interval over the rounds. "
        "--frames times segmentation as papers do, an image of the data set a call: all its "
        "windows, the decoder, resizing and argmax; images_per_s are frames a second.",
    .examples = "  vittm bench vit_s16 vittm_s_64_64 --batch 16\n"
                "  vittm bench experiments/quick.yaml --threads 1 --format csv\n"
                "  vittm bench vittm_b_64_64 --train --batch 8",
    .run = run,
};
