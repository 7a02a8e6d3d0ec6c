/* Frames a second of a segmenting network as the ViTTM authors measure them (benchmark_seg.py):
 * real images one at a time; timed are all windows, the decoder, resizing to the original size and
 * the choice of classes; reading, decoding, resizing to the windows and normalising are not. */
#ifndef TRAIN_FRAMES_H
#define TRAIN_FRAMES_H

#include "train/latency.h"
#include "train/network.h"
#include "train/segmentation.h"

struct dataset;
struct device;
struct error;
struct weights;

#define FRAMES_PROTOCOL                                                                            \
    "frames: images of the data set one by one, the first ones discarded; windows, decoder, "      \
    "resizing to the original and argmax are timed, loading and normalising are not; "             \
    "images_per_s "                                                                                \
    "is images / total time"

/* Owned by the caller; do not move it between open and close. */
struct frames {
    struct network net; /* batch 1 */
    struct segment_protocol protocol;
    struct segmenter segmenter;
    struct dataset *data;
    struct segment_image *images; /* prepared, run in turn */
    unsigned char *classes;
    size_t classes_capacity;
    int n_images;
    int64_t next;
    struct latency_subject subject; /* one call is one frame */
};

/* The validation images of c's data set, of which the first n (or all, if there are fewer) are
 * prepared. weights NULL: initial ones. */
int frames_open(struct frames *f, const struct config *c, const struct device *d, int n,
                const struct weights *weights, struct error *err);
void frames_close(struct frames *f);

/* The authors' measurement: count images (again from the first where there are fewer), the first
 * skip not counted; f->subject.blocks gets seconds an image. 0; 1 where stop said so; -1. */
int frames_measure(struct frames *f, int64_t count, int64_t skip, volatile const int *stop,
                   struct error *err);

#endif
