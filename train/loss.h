/* Training losses: a configuration says what a model is trained to minimise. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include "base/config.h"

struct model_options;

/* Root table of the schema: train.loss. */
extern const struct config_key loss_keys[];

/* Fills the loss of a training network's options: bce, and its scale. */
void loss_options(const struct config *c, struct model_options *o);

#endif
