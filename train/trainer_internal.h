/* Inside train/trainer*.c only: what running, selecting and finishing share. */
#ifndef TRAIN_TRAINER_INTERNAL_H
#define TRAIN_TRAINER_INTERNAL_H

#include "train/trainer.h"

/* Evaluates t->weights: t->evaluation, and "val/" metrics whose names go on with prefix. 0, 1 where
 * told to stop, -1. */
int trainer_evaluate(struct trainer *t, const char *prefix, struct metrics *m, struct error *err);

/* The weights of the network and, where there is one, their running mean; those that the run may
 * end with are the last, in t->weights and t->evaluation. 0, 1, -1 alike. */
int trainer_evaluate_epoch(struct trainer *t, struct metrics *m, struct error *err);

/* Notes whether the epoch that m speaks of is the best so far, and keeps its weights where
 * train.select asks for the best. */
void trainer_keep_best(struct trainer *t, int64_t epoch, const struct metrics *m);

/* Puts the weights that train.select names into t->weights. */
void trainer_select_weights(struct trainer *t);

#endif
