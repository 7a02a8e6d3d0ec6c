/* Optimisers. The update itself is an op of the compiled plan; a member names it and reads its
 * keys.
 *
 * To add one: train/optimizer_NAME.c with a struct optimizer optimizer_NAME, and a line in
 * optimizers.def; a new rule is an op first (tensor/ops, docs/extending.md). */
#ifndef TRAIN_OPTIMIZER_H
#define TRAIN_OPTIMIZER_H

#include "base/config.h"
#include "tensor/ops/ops.h"

struct optimizer {
    struct config_choice choice; /* train.optimizer */
    const struct op *op;         /* the update, of plan_options */
    /* Adds the hyper-parameters that are its own (train/update.h sets the rest). */
    void (*hyper)(const struct config *c, float out[HYPER_COUNT]);
};

/* Registry: member i as a choice for config tables, NULL past the last. */
const struct config_choice *optimizer_choice(int i);

#endif
