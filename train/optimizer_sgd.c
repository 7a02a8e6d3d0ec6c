/* SGD with momentum in the order of torch: weight decay is part of the gradient, no dampening. */
#include "train/optimizer.h"

static const struct config_key keys[] = {{.name = "train.momentum",
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

static void hyper(const struct config *c, float out[HYPER_COUNT])
{
    out[HYPER_MOMENTUM] = (float)config_float(c, "train.momentum");
    out[HYPER_NESTEROV] = (float)config_bool(c, "train.nesterov");
}

const struct optimizer optimizer_sgd = {
    {"sgd", "gradient descent with momentum; weight decay is added to the gradient", keys},
    &op_sgd_row,
    hyper};
