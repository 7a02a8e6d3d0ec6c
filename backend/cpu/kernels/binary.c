/* add, sub, mul, div with broadcasting. */
#include "backend/cpu/kernels/broadcast.h"

/* y = f(a, b) over one run of n elements; a run's operand is a vector or, with step 0, one value.
 * An output may be one of the operands. */
#define BINARY(NAME, EXPRESSION)                                                                   \
    static inline real f_##NAME(real a, real b)                                                    \
    {                                                                                              \
        return EXPRESSION;                                                                         \
    }                                                                                              \
    static void run_##NAME(real *y, const real *a, int64_t step_a, const real *b, int64_t step_b,  \
                           int64_t n)                                                              \
    {                                                                                              \
        real a0 = *a, b0 = *b;                                                                     \
        if (step_a && step_b)                                                                      \
            KERNEL_PRAGMA(omp simd)                                                                \
        for (int64_t i = 0; i < n; i++)                                                            \
            y[i] = f_##NAME(a[i], b[i]);                                                           \
        else if (step_a) KERNEL_PRAGMA(omp simd) for (int64_t i = 0; i < n; i++) y[i] =            \
            f_##NAME(a[i], b0);                                                                    \
        else KERNEL_PRAGMA(omp simd) for (int64_t i = 0; i < n; i++) y[i] = f_##NAME(a0, b[i]);    \
    }                                                                                              \
    void KERNEL(NAME)(const struct kernel_call *c)                                                 \
    {                                                                                              \
        binary(c, run_##NAME);                                                                     \
    }

typedef void run_function(real *y, const real *a, int64_t step_a, const real *b, int64_t step_b,
                          int64_t n);

static void binary(const struct kernel_call *c, run_function *run)
{
    const struct node *n = c->node;
    struct broadcast l = KERNEL(broadcast)(n->out[0]->shape, n->in[0]->shape, n->in[1]->shape);
    struct broadcast_blocks k = broadcast_blocks(&l);
    const real *a = c->in[0], *b = c->in[1];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, k.count)
    {
        int64_t first = i / k.pieces * k.rows, end = min_i64(l.rows, first + k.rows);
        int64_t start = i % k.pieces * k.piece, length = min_i64(k.piece, l.width - start);
        for (int64_t r = first; r < end; r++)
            run(y + r * l.width + start, a + broadcast_start(&l, 0, r) + start * l.step[0],
                l.step[0], b + broadcast_start(&l, 1, r) + start * l.step[1], l.step[1], length);
    }
}

BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, a *b)
BINARY(div, a / b)
