#include "train/keys.h"

#include "base/error.h"
#include "model/objective.h"
#include "train/optimizer.h"
#include "train/schedule.h"
#include "train/update.h"
#include "train/weights_start.h"

#include <stddef.h>
#include <string.h>

static const struct config_choice nonfinite_choices[] = {
    {"stop", "the run fails in the first step whose loss is not a finite number", NULL},
    {"continue", "training goes on and the steps are counted in train/nonfinite", NULL}};

static const struct config_choice *nonfinite_choice(int i)
{
    return i < 2 ? &nonfinite_choices[i] : NULL;
}

static const struct config_choice select_choices[] = {
    {"final", "the weights after the last epoch", NULL},
    {"best",
     "the weights of the epoch with the highest val/top1 or val/miou (the earliest of "
     "equals); with train.objective mae the lowest val/loss",
     NULL},
    {"average", "the running mean after the last epoch (train.average)", NULL},
    {"best_average", "the running mean of the epoch where its own val/…_top1 was highest", NULL}};

static const struct config_choice *select_choice(int i)
{
    return i < 4 ? &select_choices[i] : NULL;
}

const struct config_key train_keys[] = {
    {.name = "train.epochs",
     .type = CONFIG_INT,
     .fallback = "10",
     .min = 1,
     .max = 100000,
     .doc = "passes over the training images"},
    {.name = "train.steps",
     .type = CONFIG_INT,
     .fallback = "0",
     .max = 1e12,
     .doc = "optimiser steps after which an epoch ends, for trials; 0: all images"},
    {.name = "train.batch",
     .type = CONFIG_INT,
     .fallback = "128",
     .min = 1,
     .max = 65536,
     .doc = "images a forward and backward pass, and an optimiser step unless train.accumulate is "
            "more than 1; the last incomplete batch of an epoch is left out"},
    {.name = "train.optimizer",
     .type = CONFIG_CHOICE,
     .fallback = "adamw",
     .choice = optimizer_choice,
     .doc = "update rule"},
    {.name = "train.lr",
     .type = CONFIG_FLOAT,
     .fallback = "1e-3",
     .min = 0,
     .max = 100,
     .doc = "learning rate after the warm-up"},
    {.name = "train.weight_decay",
     .type = CONFIG_FLOAT,
     .fallback = "0.05",
     .min = 0,
     .max = 10,
     .doc =
         "weight decay, of biases, norms and embeddings too (train.decay_groups); a step takes lr "
         "times it"},
    {.name = "train.schedule",
     .type = CONFIG_CHOICE,
     .fallback = "cosine",
     .choice = lr_schedule_choice,
     .doc = "learning rate after the warm-up, step by step"},
    {.name = "train.warmup_epochs",
     .type = CONFIG_FLOAT,
     .fallback = "0.5",
     .min = 0,
     .max = 100000,
     .doc = "epochs (fractions too) of linear warm-up from warmup_lr to lr"},
    {.name = "train.warmup_steps",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1e12,
     .doc = "the warm-up in optimiser steps, in place of train.warmup_epochs (0: that)"},
    {.name = "train.warmup_lr",
     .type = CONFIG_FLOAT,
     .fallback = "1e-6",
     .min = 0,
     .max = 100,
     .doc = "learning rate of the first step where there is a warm-up"},
    {.name = "train.clip",
     .type = CONFIG_FLOAT,
     .fallback = "1",
     .min = 0,
     .max = 1e9,
     .doc = "largest L2 norm of the whole gradient, which is scaled down to it (0: no clipping)"},
    {.name = "train.label_smoothing",
     .type = CONFIG_FLOAT,
     .fallback = "0",
     .min = 0,
     .max = 0.999,
     .doc = "share of the target spread evenly over all classes, in training only; of mixed labels "
            "with "
            "data.mix.smooth"},
    {.name = "train.eval_every",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 100000,
     .doc = "epochs between evaluations; the last epoch is always evaluated"},
    {.name = "train.eval_batch",
     .type = CONFIG_INT,
     .fallback = "100",
     .min = 1,
     .max = 65536,
     .doc = "images at a time in an evaluation"},
    {.name = "train.select",
     .type = CONFIG_CHOICE,
     .fallback = "final",
     .choice = select_choice,
     .doc = "which weights a run ends with"},
    WEIGHTS_KEYS,
    {.name = "train.on_nonfinite",
     .type = CONFIG_CHOICE,
     .fallback = "stop",
     .choice = nonfinite_choice,
     .doc = "what a loss of NaN or infinity means"},
    {.name = "train.precision",
     .type = CONFIG_CHOICE,
     .fallback = "fp32",
     .choice = precision_choice,
     .doc = "precision of products, in training and in evaluation"},
    {.name = "train.log_every",
     .type = CONFIG_INT,
     .fallback = "50",
     .min = 0,
     .max = 1e9,
     .flags = CONFIG_UNHASHED,
     .doc = "optimiser steps between points of the curves by step, as step/loss (0: none)"},
    {.name = "train.checkpoint_every",
     .type = CONFIG_FLOAT,
     .fallback = "600",
     .min = 0,
     .max = 1e9,
     .flags = CONFIG_UNHASHED,
     .doc = "most seconds that a kill may lose: wall time between checkpoints inside an epoch (0: "
            "only between epochs)"},
    {.name = "train.checkpoint_steps",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .flags = CONFIG_UNHASHED,
     .doc = "the same counted in optimiser steps (0: by time alone)"},
    {.name = "train.keep_checkpoints",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .flags = CONFIG_UNHASHED,
     .doc = "leave the checkpoints of a finished run; they are removed once its result is written"},
    {.name = "train.loader_threads",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 0,
     .max = 256,
     .flags = CONFIG_UNHASHED,
     .doc = "threads that prepare batches ahead (0: the training thread does it)"},
    {0}};

static const struct config_choice as_trained = {"auto", "that of train.precision", NULL};

static const struct config_choice *latency_precision_choice(int i)
{
    return i ? precision_choice(i - 1) : &as_trained;
}

const struct config_key latency_keys[] = {
    {.name = "latency.batch",
     .type = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 65536,
     .doc = "images a forward pass"},
    {.name = "latency.min_time",
     .type = CONFIG_FLOAT,
     .fallback = "2",
     .min = 0.001,
     .max = 3600,
     .doc = "least seconds of measurement, after the warm-up"},
    {.name = "latency.threads",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .doc = "threads of the measured program (0: as many as the run has)"},
    {.name = "latency.precision",
     .type = CONFIG_CHOICE,
     .fallback = "auto",
     .choice = latency_precision_choice,
     .doc = "precision of products in the measured program"},
    {0}};

enum precision train_precision(const struct config *c)
{
    return precision_of(config_choice(c, "train.precision"));
}

enum precision latency_precision(const struct config *c)
{
    const struct config_choice *chosen = config_choice(c, "latency.precision");
    return chosen == &as_trained ? train_precision(c) : precision_of(chosen);
}

int train_selects_average(const struct config *c)
{
    return strstr(config_string(c, "train.select"), "average") != NULL;
}

int train_selects_best(const struct config *c)
{
    return !strncmp(config_string(c, "train.select"), "best", 4);
}

int64_t train_epoch_batches(const struct config *c, int64_t images)
{
    int64_t batches = images / config_int(c, "train.batch");
    int64_t steps = config_int(c, "train.steps"), part = config_int(c, "train.accumulate");
    return steps && steps < (batches + part - 1) / part ? steps * part : batches;
}

static int check_eval_head(const struct config *c, struct error *err)
{
    const struct objective *objective;
    if (!config_is_active(c, "train.eval_head") ||
        !strcmp(config_string(c, "train.eval_head"), "memory"))
        return 0;
    objective = (const struct objective *)config_choice(c, "train.objective");
    if (!objective->dense && !objective->unlabelled)
        return 0;
    return config_error(c, err, "train.eval_head", "train.objective %s has no classifiers",
                        objective->choice.name);
}

int train_check(const struct config *c, struct error *err)
{
    const double *betas;
    if (check_eval_head(c, err))
        return -1;
    if (config_is_active(c, "train.betas") && config_floats(c, "train.betas", &betas) != 2)
        return config_error(c, err, "train.betas", "needs two numbers, beta1 and beta2");
    if (train_selects_average(c) && !update_average(c)->share)
        return config_error(c, err, "train.select",
                            "there is no running mean to take (set train.average=ema)");
    if (!config_int(c, "train.warmup_steps") &&
        config_float(c, "train.warmup_epochs") >= (double)config_int(c, "train.epochs"))
        return config_error(c, err, "train.warmup_epochs", "must be less than train.epochs (%lld)",
                            (long long)config_int(c, "train.epochs"));
    return 0;
}
