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

static void adamw_hyper(const struct config *c, double lr, int64_t t, float out[HYPER_COUNT])
{
    const double *betas;
    config_floats(c, "train.betas", &betas);
    out[HYPER_LR] = (float)lr;
    out[HYPER_DECAY] = (float)config_float(c, "train.weight_decay");
    out[HYPER_NEW1] = (float)(1 - betas[0]);
    out[HYPER_NEW2] = (float)(1 - betas[1]);
    out[HYPER_EPS] = (float)config_float(c, "train.eps");
    out[HYPER_CLIP] = (float)config_float(c, "train.clip");
    out[HYPER_T] = (float)(t + 1);
}

static const struct optimizer optimizer_adamw = {
    {"adamw", "Adam with decoupled weight decay, on every parameter alike", adamw_keys},
    adamw_hyper};

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
