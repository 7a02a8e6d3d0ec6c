/* AdamW (Loshchilov and Hutter 2019, algorithm 2): weight decay apart from the gradient. */
#include "train/optimizer.h"

static const struct config_key keys[] = {
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

static void hyper(const struct config *c, float out[HYPER_COUNT])
{
    const double *betas;
    config_floats(c, "train.betas", &betas);
    out[HYPER_NEW1] = (float)(1 - betas[0]);
    out[HYPER_NEW2] = (float)(1 - betas[1]);
    out[HYPER_EPS] = (float)config_float(c, "train.eps");
}

const struct optimizer optimizer_adamw = {
    {"adamw", "Adam with decoupled weight decay", keys}, &op_adamw_row, hyper};
