/* The images of a batch go into a network's inputs: the image, and what its memory sees where that
 * is a second one (model/view.h). The loader makes images of the larger side of both, so that crop,
 * augmentation and mixing are the same for both; the smaller one is their mean over blocks. */
#ifndef TRAIN_VIEWS_H
#define TRAIN_VIEWS_H

#include <stdint.h>

struct batch;
struct config;
struct dataset;
struct error;
struct network;

/* Refuses a second input that the data set, or mixing, cannot supply. 0 or -1. */
int views_check(const struct config *c, const struct dataset *d, struct error *err);

/* Whether something else is made of the images, by the host: then it mixes them too. */
int views_derive(const struct config *c);
/* Whether batches of d can go to the device in bytes, to be normalised and mixed there: samples are
 * bytes in training (or evaluation), and nothing is derived from images or masks. */
int views_give_bytes(const struct config *c, const struct dataset *d, int train);
/* Gives a network of bytes the values of its samples, once before the first batch. */
void views_write_levels(struct network *n, const struct dataset *d, int train);

int views_side(const struct network *n);      /* of the images that views_write takes */
int64_t views_count(const struct network *n); /* their floats, a batch */
int views_need_masks(const struct network *n);

/* images (B,C,S,S) with S of views_side; masks (B,S,S), or NULL where none are needed. */
void views_write(struct network *n, const float *images, const uint8_t *masks);
/* A batch as it is: the loader's option bytes must be network.levels != NULL. */
void views_write_batch(struct network *n, const struct batch *b);

#endif
