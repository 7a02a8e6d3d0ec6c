/* The trainer's side of data/mix.h: a batch goes into the training network, mixed where the
 * configuration asks for it: by the device, which gets a row a sample of what happens to it
 * (op_mix), or by the host where a second input is made of the images (train/views.h). What happens
 * to a batch is a function of (seed, epoch, batch), so a resumed run repeats it and no checkpoint
 * speaks of it. */
#ifndef TRAIN_MIXER_H
#define TRAIN_MIXER_H

#include "data/mix.h"

struct batch;
struct network;

/* Owned by the caller; mixer_close releases it. A zeroed one is closed. */
struct mixer {
    struct mix mix;
    struct mix_plan plan;
    float *rows;             /* (B,MIXED_FIELDS) of network.mix; NULL where it is not */
    float *images, *targets; /* (B,C,S,S) where the host mixes, (B,K) where labels are; or NULL */
    int32_t *pixels;         /* (B,S,S) labels; NULL where images have one each */
};

/* Reads the configuration alone, so that the network can be made for its targets. */
int mixer_init(struct mixer *m, const struct config *c, struct error *err);
int mixer_has_targets(const struct mixer *m); /* soft ones, (B,K) */
/* Buffers for the batches of n. */
void mixer_open(struct mixer *m, const struct network *n);
void mixer_close(struct mixer *m);

/* What the last batch was mixed with; false where the configuration mixes nothing. */
int mixer_mean(const struct mixer *m, const struct network *n, struct mix_mean *mean);

/* What the plan says of the first `count` samples as rows of op_mix, (batch, MIXED_FIELDS); nothing
 * happens to the others. */
void mixer_rows(const struct mix_plan *p, int count, int batch, float *rows);

/* Writes images and targets of a batch. */
void mixer_write(struct mixer *m, struct network *n, const struct batch *b, uint64_t seed);

#endif
