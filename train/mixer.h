/* The trainer's side of data/mix.h: a batch goes into the training network, mixed where the
 * configuration asks for it. What happens to a batch is a function of (seed, epoch, batch), so a
 * resumed run repeats it and no checkpoint speaks of it. */
#ifndef TRAIN_MIXER_H
#define TRAIN_MIXER_H

#include "data/mix.h"

struct batch;
struct network;

/* Owned by the caller; mixer_close releases it. A zeroed one is closed. */
struct mixer {
    struct mix mix;
    struct mix_plan plan;
    float *images, *targets; /* (B,C,S,S), (B,K); NULL where nothing is mixed */
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

/* Writes images and targets of a batch. */
void mixer_write(struct mixer *m, struct network *n, const struct batch *b, uint64_t seed);

#endif
