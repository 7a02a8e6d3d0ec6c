/* Loops over a result with up to two broadcast operands. */
#ifndef BACKEND_CPU_KERNELS_BROADCAST_H
#define BACKEND_CPU_KERNELS_BROADCAST_H

#include "backend/cpu/kernels/kernel.h"

/* A result as rows of `width` elements. Dimensions of 1 are gone and neighbours with the same
 * pattern are merged, so equal shapes give one long row, and a bias gives rows as long as itself.
 * Strides are in elements; 0 where an operand repeats. */
struct broadcast {
    int rank; /* dimensions before the row */
    int64_t dim[GRAPH_RANK_MAX], stride[2][GRAPH_RANK_MAX];
    int64_t rows, width;
    int64_t step[2]; /* of the operands within a row: 1 or 0 */
};

struct broadcast KERNEL(broadcast)(struct shape out, struct shape a, struct shape b);

/* Where row r begins in operand i. */
static inline int64_t broadcast_start(const struct broadcast *l, int i, int64_t r)
{
    int64_t start = 0;
    for (int d = l->rank - 1; d >= 0; d--) {
        start += r % l->dim[d] * l->stride[i][d];
        r /= l->dim[d];
    }
    return start;
}

/* Blocks: several rows, or a piece of one. */
struct broadcast_blocks {
    int64_t count, rows, pieces, piece;
};

static inline struct broadcast_blocks broadcast_blocks(const struct broadcast *l)
{
    struct broadcast_blocks k = {0, rows_a_block(l->width), 1, l->width};
    if (l->width > KERNEL_BLOCK) {
        k.piece = KERNEL_BLOCK;
        k.pieces = ceil_div(l->width, k.piece);
    }
    k.count = ceil_div(l->rows, k.rows) * k.pieces;
    return k;
}

#endif
