/* Resampling without antialiasing, as OpenCV does it (mmseg's Resize): bilinear on u8 with 11-bit
 * weights, and nearest neighbour for labels. */
#ifndef DATA_RESIZE_TAPS_H
#define DATA_RESIZE_TAPS_H

#include "data/image.h"

/* src -> width x height, interleaved, with src->channels samples a pixel. */
void resize_linear(const struct image_view *src, int width, int height, unsigned char *out);

/* One plane: source row and column are floor(i * in / out). */
void resize_nearest(const struct image_view *src, int width, int height, unsigned char *out);

/* The size that keeps the ratio and fits into the box long_side x short_side, either way up: scaled
 * by the smaller of long_side / longer and short_side / shorter, rounded half up. At least 1. */
void resize_fit(int height, int width, int long_side, int short_side, int *new_height,
                int *new_width);

#endif
