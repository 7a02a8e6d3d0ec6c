/* Checkpoints: everything that a resumed run needs to end with the same bits.
 *
 * FOLDER/checkpoint.safetensors holds the parameters by name, the optimiser's moments and the
 * running mean as "train/m", "train/v" and "train/mean", and, where the best weights are to be
 * kept, those as "best/NAME". What else training depends on is a function of (seed, epoch, step),
 * so the position is all there is to add. It is in the metadata, with the partial sums of the
 * epoch, and everything is under one SHA-256 (train/safetensors.h).
 *
 * Saving writes checkpoint.next.safetensors whole, then moves checkpoint to checkpoint.previous and
 * next to checkpoint. After a kill at any moment at least one of them is whole, and loading takes
 * the furthest whole one that belongs to this run. */
#ifndef TRAIN_CHECKPOINT_H
#define TRAIN_CHECKPOINT_H

#include "train/metrics.h"
#include "train/tally.h"
#include "train/weights.h"

#include <stdint.h>

struct error;
struct network;

/* Where a run stands. */
struct run_position {
    int64_t epoch; /* complete ones */
    int64_t batch; /* batches done in the current one */
    int64_t step;  /* optimiser steps in all */
    struct epoch_sums sums;
    struct metrics last; /* of the last complete epoch */
    /* What the run is judged by: val/top1, val/miou, or -val/loss where nothing is classified; NAN
     * before the first evaluation. */
    double best_top1;
    int64_t best_epoch;
};

/* Whose checkpoint it is: one of another cell, seed or order of parameters is not taken. */
struct checkpoint_owner {
    const char *folder, *cell;
    uint64_t seed;
};

/* best may be NULL. */
int checkpoint_save(const struct checkpoint_owner *o, const struct run_position *at,
                    const struct network *n, struct weights *scratch, const struct weights *best,
                    struct error *err);

/* Returns 1 with everything restored, or 0 where the folder has no checkpoint to go on from. A
 * damaged or foreign one is warned about and passed over. scratch and best as in checkpoint_save.
 */
int checkpoint_load(const struct checkpoint_owner *o, struct run_position *at, struct network *n,
                    struct weights *scratch, struct weights *best);

/* Removes all of them, which a finished run needs no more. */
void checkpoint_remove(const char *folder);

#endif
