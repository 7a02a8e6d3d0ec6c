/* Colours of segmentation classes, and pictures of masks. */
#ifndef DATA_PALETTE_H
#define DATA_PALETTE_H

#include "data/image.h"

/* The colour of class k: hues as far apart as their number allows, the first ones most. */
void palette_color(int k, unsigned char rgb[3]);

/* The picture under the colours of its classes (height,width), which cover the given share of it;
 * ignored pixels stay as they are, borders of classes are white. out (height,width,3). */
void palette_overlay(const struct image_view *picture, const unsigned char *classes, double share,
                     unsigned char *out);

#endif
