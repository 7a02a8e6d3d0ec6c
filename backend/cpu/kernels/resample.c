/* resample: a sparse linear map along one axis. */
#include "backend/cpu/kernels/kernel.h"

/* y (inner) = sum over k of weight[k] * row index[k] of x. */
static void mix_row(real *y, const real *x, const struct mixing *m, int64_t row, int64_t inner)
{
    memset(y, 0, sizeof(real) * (size_t)inner);
    for (int32_t k = m->start[row]; k < m->start[row + 1]; k++) {
        const real *from = x + m->index[k] * inner, weight = (real)m->weight[k];
#pragma omp simd
        for (int64_t i = 0; i < inner; i++)
            y[i] += weight * from[i];
    }
}

void KERNEL(resample)(const struct kernel_call *c)
{
    const struct resample_attr *a = c->node->attr;
    const struct mixing *m = a->forward;
    struct axis_view v = axis_view(c->node->in[0]->shape, a->axis, 1);
    int64_t rows = v.outer * m->n_out, block = rows_a_block(v.inner);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, b, ceil_div(rows, block))
    {
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++)
            mix_row(y + r * v.inner, x + r / m->n_out * v.size * v.inner, m, r % m->n_out, v.inner);
    }
}
