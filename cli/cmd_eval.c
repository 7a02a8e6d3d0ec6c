/* vittm eval: the accuracy of weights. */
#include "cli/command.h"

#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "cli/cells.h"
#include "cli/store.h"
#include "data/dataset.h"
#include "train/evaluate.h"
#include "train/metrics.h"
#include "train/run_config.h"
#include "train/trainer.h"
#include "train/weights.h"

static const struct option_spec options[] = {
    {.name = "batch",
     .letter = 'b',
     .type = OPTION_INT,
     .value = "N",
     .min = 1,
     .max = 65536,
     .doc = "images at a time (default: train.eval_batch)"},
    {.name = "threads",
     .letter = 't',
     .type = OPTION_INT,
     .value = "N",
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .doc = "threads (0: as many as cores)"},
    {.name = "device",
     .type = OPTION_TEXT,
     .value = "NAME",
     .fallback = "auto",
     .doc = "where to run: auto, cpu, …"},
    OPTION_FORMAT,
    OPTION_OUTPUT,
    {0}};

/* The configuration that the weights were trained with, and the overrides. */
static struct config *own_config(const struct safetensors *file, const struct args *a,
                                 struct error *err)
{
    const char *text = safetensors_metadata(file, "config");
    struct config *c;
    if (!text) {
        error_set(
            err,
            "%s: does not say what model it is for: give a model or FILE.yaml as second operand",
            file->path);
        return NULL;
    }
    if (run_config_parse(&c, file->path, text, strlen(text), err))
        return NULL;
    for (int i = 0; i < a->n_overrides; i++) {
        if (config_override(c, a->overrides[i], err)) {
            config_free(c);
            return NULL;
        }
    }
    if (!config_resolve(c, err))
        return c;
    config_free(c);
    return NULL;
}

/* The one cell of the file. */
static struct config *named_config(const struct args *a, struct error *err)
{
    struct cells s;
    struct config *c = NULL;
    int planned = 0;
    if (cells_load(&s, a, a->operands[1], err))
        return NULL;
    for (int i = 0; i < s.experiment.n_cells; i++) {
        if (s.experiment.cells[i].state != CELL_PLANNED)
            continue;
        if (!planned++)
            c = config_copy(s.experiment.cells[i].config);
    }
    if (planned != 1) {
        error_set(err, "%s has %d cells, and weights belong to one (choose it with key=value)",
                  a->operands[1], planned);
        if (c)
            config_free(c);
        c = NULL;
    }
    cells_release(&s);
    if (c && config_resolve(c, err)) {
        config_free(c);
        c = NULL;
    }
    return c;
}

/* Everything an evaluation holds; released whole. */
struct eval {
    struct config *config;
    struct device device;
    struct dataset *data;
    struct network net;
    struct weights weights;
};

static int prepare(struct eval *e, const struct args *a, const struct safetensors *file,
                   struct error *err)
{
    int surplus = 0;
    e->config = a->n_operands > 1 ? named_config(a, err) : own_config(file, a, err);
    if (!e->config ||
        device_open(&e->device, args_text(a, "device"), (int)args_int(a, "threads"), err) ||
        dataset_open(&e->data, e->config, SPLIT_VAL, err) ||
        trainer_check_data(e->config, e->data, err))
        return -1;
    struct network_options o = {.batch = args_given(a, "batch")
                                             ? args_int(a, "batch")
                                             : config_int(e->config, "train.eval_batch")};
    if (network_open(&e->net, e->config, &e->device, &o, err))
        return -1;
    weights_init(&e->weights, &e->net);
    if (weights_load(&e->weights, file, "", &surplus, err))
        return -1;
    if (surplus)
        warn("%s: %d tensors are not the model's and were left out", file->path, surplus);
    weights_put(&e->weights, &e->net);
    return 0;
}

static void release(struct eval *e)
{
    weights_release(&e->weights);
    network_close(&e->net);
    dataset_close(e->data);
    if (e->config)
        config_free(e->config);
}

static struct rows *make_rows(const struct eval *e, const char *path, const struct evaluation *v)
{
    struct metrics m = {0};
    const char *names[METRICS_MAX + 6] = {"weights", "dataset", "images"};
    size_t n = 3;
    evaluation_metrics(v, &e->net, &m);
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
    if (safetensors_open(&file, a->operands[0], err))
        return -1;
    if (!safetensors_verify(&file, err) && !prepare(&e, a, &file, err)) {
        struct evaluate_options o = {.loader_threads =
                                         (int)config_int(e.config, "train.loader_threads")};
        rc = evaluate(&v, &e.net, e.data, &o, err);
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
