/* vittm eval: the accuracy of weights. */
#include "cli/command.h"

#include <stdio.h>

#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "cli/weights.h"
#include "data/dataset.h"
#include "train/evaluate.h"
#include "train/keys.h"
#include "train/metrics.h"
#include "train/trainer.h"
#include "train/weights_start.h"

static const struct option_spec options[] = {
    {.name = "batch",
     .letter = 'b',
     .type = OPTION_INT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .doc = "images at a time (default: train.eval_batch)"},
    OPTION_THREADS("threads (0: as many as cores)"),
    OPTION_DEVICE("NAME", "where to run: auto, cpu, …"),
    OPTION_FORMAT,
    OPTION_OUTPUT,
    {0}};

/* Everything an evaluation holds; released whole. */
struct eval {
    struct config *config;
    struct device device;
    struct dataset *data;
    struct loaded_model model;
};

static int set_precision(struct eval *e, struct error *err)
{
    if (device_set_precision(&e->device, train_precision(e->config), err))
        return error_prefix(err, "train.precision");
    return 0;
}

static int prepare(struct eval *e, const struct args *a, const struct safetensors *file,
                   struct error *err)
{
    struct strbuf text = STRBUF_INIT;
    e->config = cli_weights_config(a, 1, file, err);
    if (!e->config ||
        device_open(&e->device, args_text(a, "device"), (int)args_int(a, "threads"), err) ||
        set_precision(e, err) || dataset_open(&e->data, e->config, SPLIT_VAL, err) ||
        trainer_check_data(e->config, e->data, err))
        return -1;
    int64_t batch =
        args_given(a, "batch") ? args_int(a, "batch") : config_int(e->config, "train.eval_batch");
    if (loaded_model_open(&e->model, e->config, &e->device, batch, 0, file, err))
        return -1;
    weights_report_text(&e->model.report, &text);
    fputs(text.text, stderr);
    strbuf_release(&text);
    return 0;
}

static void release(struct eval *e)
{
    loaded_model_release(&e->model);
    dataset_close(e->data);
    if (e->config)
        config_free(e->config);
}

static struct rows *make_rows(const struct eval *e, const char *path, const struct evaluation *v)
{
    struct metrics m = {0};
    const char *names[METRICS_MAX + 6] = {"weights", "dataset", "images"};
    size_t n = 3;
    evaluation_metrics(v, &e->model.net, "", &m);
    for (int i = 0; i < m.n; i++)
        names[n++] = m.all[i].name;
    names[n++] = "images_per_s";
    names[n++] = "precision";
    names[n++] = "device";
    struct rows *rows = rows_new(n, names);
    struct rows_cell *cell = rows_append(rows);
    rows_set_text(rows, cell++, path);
    rows_set_text(rows, cell++, dataset_name(e->data));
    rows_set_integer(cell++, v->images);
    for (int i = 0; i < m.n; i++)
        rows_set_real(cell++, m.all[i].value);
    rows_set_real(cell++, (double)v->images / v->wall_s);
    rows_set_text(rows, cell++, device_precision(&e->device));
    rows_set_text(rows, cell, e->device.text);
    return rows;
}

static int run(const struct args *a, struct error *err)
{
    struct safetensors file;
    struct eval e = {.config = NULL};
    struct evaluation v;
    int rc = -1;
    if (weights_open(&file, a->operands[0], err))
        return -1;
    if (!prepare(&e, a, &file, err)) {
        struct evaluate_options o;
        rc = evaluate_options_init(&o, e.config, err) ? -1
                                                      : evaluate(&v, &e.model.net, e.data, &o, err);
        if (!rc) {
            rc = cli_print_to(a, make_rows(&e, a->operands[0], &v), "nothing evaluated", err);
            evaluation_release(&v);
        }
    }
    release(&e);
    safetensors_close(&file);
    return rc;
}

const struct command command_eval = {
    .name = "eval",
    .group = "Models",
    .summary = "measure the accuracy of weights",
    .operands = "WEIGHTS [FILE.yaml|MODEL] [key=value …]",
    .min_operands = 1,
    .max_operands = 2,
    .operand_kind = OPERAND_FILE,
    .flags = COMMAND_OVERRIDES,
    .options = options,
    .details = "WEIGHTS is a safetensors file. Those that a run left in its folder "
               "(weights.safetensors) say "
               "themselves which configuration they belong to; for others name a model or a file "
               "with one cell. "
               "The whole validation split is evaluated, each image once. val/top1 and val/top5 "
               "are percent "
               "and those of the first classifier, which is a ViTTM's memory head.",
    .examples = "  vittm eval out/runs/3fa2c1d09be41f77-s0-cpu/weights.safetensors\n"
                "  vittm eval weights.safetensors data.val_size=1000 --format json\n"
                "  vittm eval vit_s16.safetensors vit_s16 data.dataset=imagenet1k",
    .run = run,
};
