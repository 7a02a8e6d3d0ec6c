/* Element-wise functions of one tensor, and the two gradients that are fused. */
#include "backend/cpu/kernels/math.h"

#define UNARY(NAME, SETUP, EXPRESSION)                                                             \
    void KERNEL(NAME)(const struct kernel_call *c)                                                 \
    {                                                                                              \
        int64_t n = shape_count(c->node->out[0]->shape);                                           \
        SETUP;                                                                                     \
        KERNEL_FOR_BLOCKS(c, block, ceil_div(n, KERNEL_BLOCK))                                     \
        {                                                                                          \
            int64_t start = block * KERNEL_BLOCK, length = min_i64(KERNEL_BLOCK, n - start);       \
            const real *in = (const real *)c->in[0] + start;                                       \
            real *out = (real *)c->out[0] + start;                                                 \
            KERNEL_PRAGMA(omp simd)                                                                \
            for (int64_t i = 0; i < length; i++) {                                                 \
                real x = in[i];                                                                    \
                out[i] = EXPRESSION;                                                               \
            }                                                                                      \
        }                                                                                          \
    }

/* (x, dy) -> dx */
#define UNARY_GRAD(NAME, EXPRESSION)                                                               \
    void KERNEL(NAME)(const struct kernel_call *c)                                                 \
    {                                                                                              \
        int64_t n = shape_count(c->node->out[0]->shape);                                           \
        KERNEL_FOR_BLOCKS(c, block, ceil_div(n, KERNEL_BLOCK))                                     \
        {                                                                                          \
            int64_t start = block * KERNEL_BLOCK, length = min_i64(KERNEL_BLOCK, n - start);       \
            const real *in = (const real *)c->in[0] + start;                                       \
            const real *slope = (const real *)c->in[1] + start;                                    \
            real *out = (real *)c->out[0] + start;                                                 \
            KERNEL_PRAGMA(omp simd)                                                                \
            for (int64_t i = 0; i < length; i++) {                                                 \
                real x = in[i], dy = slope[i];                                                     \
                out[i] = EXPRESSION;                                                               \
            }                                                                                      \
        }                                                                                          \
    }

#define NOTHING ((void)0)
#define AFFINE                                                                                     \
    const struct affine_attr *attr = c->node->attr;                                                \
    real scale = (real)attr->scale, shift = (real)attr->shift

#define ABOVE real threshold = (real)((const struct above_attr *)c->node->attr)->threshold

UNARY(affine, AFFINE, scale *x + shift)
UNARY(exp, NOTHING, math_exp(x))
UNARY(log, NOTHING, math_log(x))
UNARY(sqrt, NOTHING, math_sqrt(x))
UNARY(erf, NOTHING, math_erf(x))
UNARY(sigmoid, NOTHING, math_sigmoid(x))
UNARY(phi, NOTHING, math_phi(x))
UNARY_GRAD(phi_grad, dy *math_phi_slope(x))
UNARY(relu, NOTHING, (x < 0 ? 0 : x))
UNARY(gelu, NOTHING, math_gelu(x))
UNARY(above, ABOVE, (x > threshold ? 1 : 0))
UNARY_GRAD(relu_grad, (x > 0 ? dy : 0))
UNARY_GRAD(gelu_grad, dy *math_gelu_slope(x))
