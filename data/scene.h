/* Training samples of scenes, as mmseg's ADE20K pipeline makes them: resize by a random ratio,
 * cut a window that no class fills, mirror, distort colours, pad. */
#ifndef DATA_SCENE_H
#define DATA_SCENE_H

#include <stdint.h>

#include "data/image.h"

struct rng;

struct scene_options {
    double ratio[2];           /* of the size that an image is fitted into */
    int long_side, short_side; /* that size, before the ratio */
    double max_share;          /* of a window's labelled pixels that one class may have */
    int photometric, flip;
};

/* What one thread needs; zero-initialise, release. */
struct scene_scratch {
    struct image image, mask, window, labels;
};
void scene_scratch_release(struct scene_scratch *s);

/* A window of a sample, at most size x size: rgb or gray, interleaved, in s->window, and, where
 * mask is not NULL, labels in s->labels. Every random number is drawn from r in a fixed order. */
struct scene_window {
    int width, height, channels;
};
struct scene_window scene_cut(const struct scene_options *o, const struct image_view *image,
                              const struct image_view *mask, int size, struct rng *r,
                              struct scene_scratch *s);

/* Whether a window of labels has more than one class and none with max_share of the labelled pixels
 * or more. */
int scene_is_mixed(const struct image_view *labels, double max_share);

#endif
