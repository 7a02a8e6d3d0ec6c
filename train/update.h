/* What a training step does besides the loss: which parameters it changes, after how many
 * micro-batches, by which rule, and what follows their running mean. */
#ifndef TRAIN_UPDATE_H
#define TRAIN_UPDATE_H

#include "base/config.h"
#include "tensor/compile/plan.h"
#include "tensor/ops/ops.h"

#include <stdint.h>

/* Root table of the schema: train.accumulate, train.average, train.freeze, train.decay_groups. */
extern const struct config_key update_keys[];

/* Running means of the weights, train.average. */
struct average {
    struct config_choice choice;
    const char *prefix; /* of its metrics: "ema_" in val/ema_top1; NULL: there is no mean */
    /* Share of the new weights in update t (0 for the first), which is 1 in update 0. */
    double (*share)(const struct config *c, int64_t t);
};
const struct average *update_average(const struct config *c);

/* Fills the optimiser's part of the options of a training plan. */
void update_options(const struct config *c, struct plan_options *o);

/* One run of the compiled step: a micro-batch, and with the last one of its group an update. */
struct update {
    double lr;
    int64_t t;    /* of the update, 0 for the first */
    int64_t part; /* micro-batches of this update done before */
    int last;
};
/* The hyper-parameters of it. */
void update_hyper(const struct config *c, const struct update *u, float out[HYPER_COUNT]);

#endif
