#include "train/optimizer.h"

#include <stddef.h>

static const struct config_key adamw_keys[] = {
    {.name = "train.betas",
     .type = CONFIG_FLOATS,
     .fallback = "0.9, 0.999",
     .min = 0,
     .max = 0.999999,
     .doc = "decay of the two moments, AdamW's beta1 and beta2"},
    {.name = "train.eps",
     .type = CONFIG_FLOAT,
     .fallback = "1e-8",
     .min = 1e-30,
     .max = 1,
     .doc = "added to the root of the second moment"},
    {0}};

static void adamw_hyper(const struct config *c, float out[HYPER_COUNT])
{
    const double *betas;
    config_floats(c, "train.betas", &betas);
    out[HYPER_NEW1] = (float)(1 - betas[0]);
    out[HYPER_NEW2] = (float)(1 - betas[1]);
    out[HYPER_EPS] = (float)config_float(c, "train.eps");
}

static const struct optimizer optimizer_adamw = {
    {"adamw", "Adam with decoupled weight decay", adamw_keys}, &op_adamw_row, adamw_hyper};

static const struct config_key sgd_keys[] = {{.name = "train.momentum",
                                              .type = CONFIG_FLOAT,
                                              .fallback = "0.9",
                                              .min = 0,
                                              .max = 0.999999,
                                              .doc = "share of the old velocity"},
                                             {.name = "train.nesterov",
                                              .type = CONFIG_BOOL,
                                              .fallback = "false",
                                              .doc = "look ahead along the velocity"},
                                             {0}};

static void sgd_hyper(const struct config *c, float out[HYPER_COUNT])
{
    out[HYPER_MOMENTUM] = (float)config_float(c, "train.momentum");
    out[HYPER_NESTEROV] = (float)config_bool(c, "train.nesterov");
}

static const struct optimizer optimizer_sgd = {
    {"sgd", "gradient descent with momentum; weight decay is added to the gradient", sgd_keys},
    &op_sgd_row,
    sgd_hyper};

static const struct optimizer *const optimizers[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "train/optimizers.def"
#undef OPTIMIZER
    NULL};

const struct optimizer *optimizer_at(int i)
{
    return optimizers[i];
}

const struct config_choice *optimizer_choice(int i)
{
    return optimizers[i] ? &optimizers[i]->choice : NULL;
}
