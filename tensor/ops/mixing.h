/* Sparse linear maps along one axis, known when a graph is built: adaptive pooling, nearest,
 * bilinear and bicubic resampling, strided averages. Op resample applies one to a tensor and its
 * transpose to the gradient. */
#ifndef TENSOR_OPS_MIXING_H
#define TENSOR_OPS_MIXING_H

#include "base/arena.h"

#include <stdint.h>

/* Row i of the (n_out, n_in) matrix holds weight[k] at column index[k] for k = start[i] ..
 * start[i+1]-1. Lives in an arena. */
struct mixing {
    int64_t n_out, n_in;
    const int32_t *start, *index;
    const double *weight;
};

/* Adaptive average pooling: bin i covers floor(i n/m) .. ceil((i+1) n/m) - 1. */
struct mixing *mixing_pool(struct arena *a, int64_t n_in, int64_t n_out);
/* out[i] = in[floor(i n_in / n_out)]. */
struct mixing *mixing_nearest(struct arena *a, int64_t n_in, int64_t n_out);
/* Average of 2 neighbours every stride, the last one alone where the length is odd: torch's
 * avg_pool1d(2, stride, ceil_mode, without counting padding). */
struct mixing *mixing_pairs(struct arena *a, int64_t n_in, int64_t stride);
/* torch's interpolate with align_corners off: bilinear (source position clamped at 0), bicubic (a =
 * -0.75, taps clamped), bicubic antialiased (a = -0.5, taps outside left out, weights normalised).
 */
enum mixing_kind { MIXING_BILINEAR, MIXING_BICUBIC, MIXING_BICUBIC_ANTIALIAS };
struct mixing *mixing_resize(struct arena *a, enum mixing_kind kind, int64_t n_in, int64_t n_out);

/* The first n_out rows of m. */
struct mixing *mixing_first(struct arena *a, const struct mixing *m, int64_t n_out);

/* Rows and columns of a row-major grid at once: the Kronecker product. */
struct mixing *mixing_grid(struct arena *a, const struct mixing *rows, const struct mixing *cols);
struct mixing *mixing_transpose(struct arena *a, const struct mixing *m);

#endif
