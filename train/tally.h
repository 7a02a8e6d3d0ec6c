/* What training says of itself: numbers of a batch, their sums over an update and over an epoch,
 * and the metrics made of those ("step/…" and "train/…", docs/training.md). All of it is read from
 * what a step leaves behind anyway: nothing is computed for it on the device. */
#ifndef TRAIN_TALLY_H
#define TRAIN_TALLY_H

#include "model/model.h"

#include <stdint.h>

struct metrics;
struct mixer;
struct network;

/* Of one batch; with the last one of an update norm is that of the whole gradient, before clipping.
 */
struct batch_note {
    double loss, norm;
    double terms[MODEL_TERMS_MAX]; /* what the loss is made of (network.term_names) */
    double lambda, cutmix;         /* as in struct mix_mean; 1 and 0 where nothing is mixed */
};

/* Over the batches of one update, from zeros. */
struct step_sums {
    struct batch_note sum; /* but norm: the last one's */
    int64_t batches;
};

/* Over the batches of one epoch, from zeros; part of a checkpoint. */
struct epoch_sums {
    double loss, terms[MODEL_TERMS_MAX]; /* of batches whose loss and norm are finite */
    double norm;                         /* of the gradient of each update, before clipping */
    double clip;                         /* what clipping multiplied each by */
    int64_t steps, nonfinite;            /* batches; those left out of the sums */
    int64_t norms;                       /* updates in the sums */
    int64_t images, top1;                /* of the first classifier, on augmented images */
    int64_t skipped;                     /* images in place of ones that could not be read */
};

/* After a run of n's step with a batch that m wrote. */
void tally_read(struct batch_note *b, const struct network *n, const struct mixer *m);

void tally_step(struct step_sums *s, const struct batch_note *b);
/* clip is train.clip; last says that an update was made. Returns whether loss and norm are finite.
 */
int tally_epoch(struct epoch_sums *e, const struct batch_note *b, double clip, int last);

/* What a gradient of this norm is multiplied by: min(1, clip / (norm + 1e-6)); 1 where clip is 0.
 */
double tally_clip(double norm, double clip);

/* step/loss, step/NAME_loss, step/grad_norm, step/clip_coef, step/mix_lambda, step/cutmix: means
 * over the batches of the update. */
void tally_step_metrics(const struct step_sums *s, const struct network *n, const struct mixer *m,
                        double clip, struct metrics *out);
/* train/loss, train/NAME_loss, train/top1, train/grad_norm, train/clip_coef, train/nonfinite,
 * train/skipped. */
void tally_epoch_metrics(const struct epoch_sums *e, const struct network *n, double clip,
                         struct metrics *out);

#endif
