/* Optimisers. The update itself is an op of the compiled plan; a member here reads its keys and
 * fills the plan's input "train/hyper" before each step. One line of optimizers.def each. */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include "base/config.h"
#include "tensor/ops/ops.h"

struct optimizer {
    struct config_choice choice; /* train.optimizer */
    /* The hyper-parameters of step t (0 for the first) at this rate. */
    void (*hyper)(const struct config *c, double lr, int64_t t, float out[HYPER_COUNT]);
};

/* Registry: member i, NULL past the last; as a choice for config tables. */
const struct optimizer *optimizer_at(int i);
const struct config_choice *optimizer_choice(int i);

#endif
