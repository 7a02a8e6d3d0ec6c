/* scale_shift: a gain and an offset for each channel. */
#include "backend/cpu/kernels/kernel.h"

void KERNEL(scale_shift)(const struct kernel_call *c)
{
    struct shape s = c->node->in[0]->shape;
    int64_t rows = shape_rows(s), width = shape_last(s), block = rows_a_block(width);
    const real *gain = c->in[1], *offset = c->in[2];
    KERNEL_FOR_BLOCKS(c, b, ceil_div(rows, block))
    {
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++) {
            const real *x = (const real *)c->in[0] + r * width;
            real *y = (real *)c->out[0] + r * width;
#pragma omp simd
            for (int64_t i = 0; i < width; i++)
                y[i] = x[i] * gain[i] + offset[i];
        }
    }
}
