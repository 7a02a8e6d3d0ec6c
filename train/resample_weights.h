/* Weights for another resolution: patch kernels for other patch sizes, position tables for other
 * grids. Everything is in double and separable: a two-dimensional resize is the Kronecker product
 * of two equal one-dimensional ones. */
#ifndef TRAIN_RESAMPLE_WEIGHTS_H
#define TRAIN_RESAMPLE_WEIGHTS_H

#include <stdint.h>

enum resample_kernel {
    /* FlexiViT's (Beyer et al. 2023, section 3.4): with B the antialiased bicubic resize of an
     * image from the old patch size to the new one, the new kernel is the w' of least norm that
     * minimises |B^T w' - w|: w' = pinv(B^T) w. A patch enlarged by B then keeps its embedding. */
    RESAMPLE_PINV,
    /* The antialiased bicubic resize of the kernel itself. */
    RESAMPLE_INTERPOLATE
};

/* count kernels of side x side values, one after the other -> count of out_side x out_side. */
void resample_kernels(enum resample_kernel how, const double *in, int64_t count, int64_t side,
                      double *out, int64_t out_side);

/* A table of a row-major grid (side^2, width) -> (out_side^2, width), antialiased bicubic (timm's
 * resample_abs_pos_embed without the prefix entries). */
void resample_table(const double *in, int64_t side, int64_t width, double *out, int64_t out_side);

#endif
