/* Shared by data/preprocess.c and data/preprocess_place.c only: where a sample lies in its image.
 */
#ifndef DATA_PREPROCESS_INTERNAL_H
#define DATA_PREPROCESS_INTERNAL_H

#include "data/preprocess.h"
#include "data/resize.h"

/* The image, or a box of it, is resampled to height x width; of that the part `valid` is kept,
 * black outside; the result is the window of size x size at top, left, which may be mirrored. */
struct placement {
    struct box source, valid;
    int height, width, top, left;
    int is_rrc, is_mirrored;
};

/* Of an image of height x width; draws every random number of the geometry. r NULL: evaluation. */
struct placement preprocess_place(const struct preprocess *p, int height, int width, int size,
                                  struct rng *r);

static inline int preprocess_clamp(int v, int lo, int hi)
{
    return v < lo ? lo : v > hi ? hi : v;
}

/* Outputs from .. to-1 of `size`, the first of which looks at `first`, look at start .. start+n-1.
 */
static inline void preprocess_clip(int first, int start, int n, int size, int *from, int *to)
{
    *from = preprocess_clamp(start - first, 0, size);
    *to = preprocess_clamp(start + n - first, *from, size);
}

#endif
