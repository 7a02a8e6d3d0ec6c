/* Shared by data/augment*.c only: the operations of each flavour, and what several of them do
 * alike. */
#ifndef DATA_AUGMENT_OPS_H
#define DATA_AUGMENT_OPS_H

#include <stddef.h>
#include <stdint.h>

#include "data/augment.h"

#define AUGMENTATION(name)                                                                         \
    void augment_float_##name(struct augment_image *im, double m);                                 \
    void augment_u8_##name(struct augment_bytes *im, double m);                                    \
    void augment_pil_##name(struct augment_bytes *im, double m);
#include "data/augmentations.def"
AUGMENTATION(Invert)
#undef AUGMENTATION

/* Samples in a channel, in an image. */
static inline size_t augment_plane(int height, int width)
{
    return (size_t)height * (size_t)width;
}
#define AUGMENT_PLANE(im) augment_plane((im)->height, (im)->width)
#define AUGMENT_SIZE(im)  ((size_t)(im)->channels * AUGMENT_PLANE(im))

/* ---- floats (augment_float.c) ---- */

/* Of three channels of n pixels. */
void augment_to_gray(const float *rgb, size_t n, float *gray);

/* ---- bytes (augment_u8.c) ---- */

/* scratch: x with every pixel but the outermost replaced by the mean of 3 x 3 around it, its centre
 * counted five times, rounded. */
void augment_blur13(struct augment_bytes *im);

void augment_look_up(unsigned char *p, size_t n, const unsigned char table[256]);
int64_t augment_sum(const unsigned char *p, size_t n);
void augment_extremes(const unsigned char *p, size_t n, int *lowest, int *highest);

/* What makes a histogram of n samples even. */
void augment_equal_table(const int count[256], size_t n, unsigned char table[256]);

/* ---- geometry (augment_warp.c) ---- */

/* Nearest neighbour: from[i] is the place in a plane of the source of output (first + i, row), or
 * -1 outside. */
typedef void augment_places(const void *map, int row, int first, int n, int *from);

/* Every sample from its place, 0 from outside. */
void augment_move_floats(struct augment_image *im, augment_places *places, const void *map);
void augment_move_bytes(struct augment_bytes *im, augment_places *places, const void *map);

#endif
