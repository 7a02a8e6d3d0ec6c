/* The trainer: a configuration, a seed and a device become trained weights.
 *
 * An epoch is: for each batch write images, labels and hyper-parameters, run the step, read the
 * loss (train.accumulate batches make one update); then evaluate; then one event; then a
 * checkpoint. Every bit of the outcome is a function of (configuration, seed, device): not of the
 * number of threads, and not of how often the run was stopped and resumed.
 *
 * Inside an epoch there are checkpoints too, by time and by steps (train.checkpoint_every, _steps).
 *
 * Stopping: options.stop is looked at after every update. The position inside the epoch goes into
 * the checkpoint, so nothing is done twice. */
#ifndef TRAIN_TRAINER_H
#define TRAIN_TRAINER_H

#include "train/checkpoint.h"
#include "train/evaluate.h"
#include "train/journal.h"
#include "train/mixer.h"
#include "train/schedule.h"

struct dataset;
struct average;

struct trainer_options {
    const struct config *config; /* resolved */
    const struct device *device;
    uint64_t seed;
    const char *cell;         /* whose checkpoints to take; "" where there is no folder */
    const char *folder;       /* NULL: nothing is written, nothing resumed */
    volatile const int *stop; /* non-zero: checkpoint and return; may be NULL */
    int64_t stop_after; /* optimiser steps of this call after which to stop as if told to (tests);
                           0: never */
};

/* Owned by the caller of trainer_open; configuration, device and folder are borrowed. */
struct trainer {
    struct trainer_options options;
    struct dataset *train_set, *val_set;
    struct network net, eval_net;
    struct mixer mixer;
    struct lr_plan lr;
    const struct average *average;
    struct weights weights, best; /* best only with train.select: best, best_average */
    int keeps_best;
    int takes_mean;                 /* train.select: average, best_average */
    int64_t epochs, batches, steps; /* a run; an epoch's batches and optimiser steps */
    int64_t accumulate;             /* batches an optimiser step */
    struct run_position at;
    struct step_sums update; /* the one under way, or the last */
    struct journal journal;
    struct checkpoint_owner owner;
    struct evaluation evaluation; /* the last one */
    int failed_saves;             /* in a row */
    double saved_at;              /* when the last checkpoint was written or tried (base/clock.h) */
    int64_t saved_step;           /* and after which step */
    int64_t steps_done;           /* optimiser steps of this call */
    int64_t epoch_batches;        /* batches of this call in this epoch */
    double epoch_wait_s;          /* of epoch_s, for the next batch: what training lost to data */
    double batch_s, epoch_s, eval_s; /* seconds a batch (smoothed), of this epoch's batches, of
                                      * the last evaluations */
    double last_loss;
};

/* Refuses a model whose classes or channels are not the data's. */
int trainer_check_data(const struct config *c, const struct dataset *d, struct error *err);

/* Refuses a run on so many images that never updates its weights, or never at the full rate. */
int trainer_check_length(const struct config *c, int64_t images, struct error *err);

/* Opens data, compiles both networks, initialises the parameters (train.weights over them), then
 * goes back to the furthest checkpoint of the folder. Refuses a model whose sizes are not the
 * data's. */
int trainer_open(struct trainer *t, const struct trainer_options *o, struct error *err);
void trainer_close(struct trainer *t);

/* Trains to the end. 0: done, and t->at.last has the last epoch's metrics; 1: stopped, with a
 * checkpoint where there is a folder; -1: failed (a loss that is not finite is EXIT_FAILED). */
int trainer_run(struct trainer *t, struct error *err);

/* After trainer_run returned 0: puts the selected weights (train.select) into t->weights and
 * t->eval_net, and evaluates them unless that has just been done. Fills m with the run's final
 * metrics. Returns 0, 1, -1 alike. */
int trainer_finish(struct trainer *t, struct metrics *m, struct error *err);

/* FOLDER/weights.safetensors and correct.bits of the finished run, average.safetensors where there
 * is a running mean besides the selected weights, and of segmentation examples.png. digest, if not
 * NULL, gets the SHA-256 of the weights file's content. */
int trainer_save(struct trainer *t, char digest[65], struct error *err);

#endif
