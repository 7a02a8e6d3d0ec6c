/* Masks of a masked autoencoder's images go into its network. Networks of other objectives have
 * none, and every function here does nothing for them. */
#ifndef TRAIN_MASKER_H
#define TRAIN_MASKER_H

#include <stdint.h>

struct batch;
struct network;

/* The masks of images 0, 1, 2, …: so that a network has some before anybody writes others. */
void masker_prepare(struct network *n);

/* The masks of a batch's images, a function of (seed, epoch, sample). */
void masker_write(struct network *n, const struct batch *b, uint64_t seed, uint64_t epoch);

#endif
