/* The built-in data set: a coloured shape on a shaded, noisy background, with smaller shapes of
 * other classes and lines to distract. The class is that of the large shape; masks hold 0 for the
 * background and 1 + class for every shape. Image i is a pure function of (split, i): a scene in
 * units of the image's side, which can be drawn at any size. */
#ifndef DATA_SHAPES_H
#define DATA_SHAPES_H

#include <stdint.h>

#include "data/dataset.h"

#define SHAPES_CLASSES 10

/* Draws image i of a split: rgb (size,size,3) and mask (size,size), each of which may be NULL.
 * Returns the class. */
int shapes_draw(enum split split, int64_t i, int size, unsigned char *rgb, unsigned char *mask);

#endif
