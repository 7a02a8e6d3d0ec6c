/* The loader turns a data set into batches: threads decode and augment ahead, batches come out in
 * order.
 *
 * Every bit of a batch is a function of (data set, options, epoch, batch number) alone: the order
 * of an epoch is a permutation keyed by (seed, epoch), augmentation is keyed by (seed, epoch,
 * sample). So neither the number of threads nor where a resumed run starts changes anything.
 *
 *   struct loader_options o = {.batch = 128, .image_size = 32, .seed = 1, .train = 1, .shuffle = 1,
 *                              .threads = 2};
 *   if (loader_open(&l, d, &o, &err)) ...
 *   for (epoch = 0; epoch < epochs; epoch++)
 *       while ((b = loader_next(l, &err)))    // NULL ends the epoch; the next call begins another
 *           step(b->images, b->labels);
 *   if (err.code) ...
 *   loader_close(l); */
#ifndef DATA_LOADER_H
#define DATA_LOADER_H

#include <stdint.h>

struct dataset;
struct error;
struct loader;

struct loader_options {
    int batch;      /* samples a batch, B */
    int image_size; /* S */
    int channels;   /* 0 means 3; 1 only for gray data sets */
    uint64_t seed;
    int train; /* 1: augment, and leave out the last, incomplete batch of an epoch.
                  0: evaluation preprocessing; the last batch may be partial */
    int shuffle;
    int masks;           /* 1: fill masks; the data set must have them */
    int bytes;           /* 1: fill bytes in place of images: preprocess_gives_bytes, no masks */
    int threads;         /* worker threads; 0 does the work inside loader_next */
    int64_t epoch;       /* where to start */
    int64_t first_batch; /* within that epoch; equal to loader_batches is its end */
    int64_t batches;     /* at most so many an epoch; 0: all */
};

/* Owned by the loader, valid until the next loader_next or loader_close. */
struct batch {
    const float *images;    /* (B,C,S,S) normalised; NULL with bytes */
    const uint8_t *bytes;   /* (B,C,S,S) before normalisation (preprocess_table); or NULL */
    const int32_t *labels;  /* (B) */
    const int32_t *indices; /* (B) sample numbers in the data set */
    const uint8_t *masks;   /* (B,S,S), or NULL */
    int count;   /* samples; rows past it are images of 0 with label 0, index -1, masks ignored */
    int skipped; /* of them, in place of ones that could not be read: see data.on_bad below */
    int64_t epoch, number; /* number counts from 0 in each epoch */
};

/* d must outlive the loader. Fails where training has fewer images than one batch, where the data
 * set has no masks, and where first_batch is past the end. */
int loader_open(struct loader **l, const struct dataset *d, const struct loader_options *o,
                struct error *err);
void loader_close(struct loader *l); /* stops the threads; NULL is fine */

/* Under data.on_bad: skip, a sample that cannot be read is replaced by the next readable one of the
 * data set. Training only: an evaluation with holes would not be the number it says it is, so there
 * a bad file is always an error. */

/* The next batch in order, or NULL: at the end of an epoch with err->code 0, or on an error (a
 * sample that cannot be read: the message names its file), which comes in the place of its batch
 * whatever the number of threads and stays. err must not be NULL and is cleared first. */
const struct batch *loader_next(struct loader *l, struct error *err);

/* Batches an epoch. */
int64_t loader_batches(const struct loader *l);

/* Seconds that loader_next spent waiting: what training lost to data. */
double loader_wait_s(const struct loader *l);

#endif
