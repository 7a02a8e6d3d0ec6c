/* Element-wise ops, with broadcasting. */
#include "tests/backend/reference/shared.h"

#define REF_BINARY(NAME, SIGN)                                                                     \
    static void REF(NAME)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)         \
    {                                                                                              \
        struct shape s = n->out[0]->shape;                                                         \
        for (int64_t i = 0; i < shape_count(s); i++)                                               \
            out[0][i] = in[0][REF(source)(s, n->in[0]->shape, i)] SIGN                             \
                in[1][REF(source)(s, n->in[1]->shape, i)];                                         \
    }
REF_BINARY(add, +)
REF_BINARY(sub, -)
REF_BINARY(mul, *)
REF_BINARY(div, /)
#undef REF_BINARY

#define REF_UNARY(NAME, EXPRESSION)                                                                \
    static void REF(NAME)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)         \
    {                                                                                              \
        for (int64_t i = 0; i < shape_count(n->out[0]->shape); i++) {                              \
            REF_REAL x = in[0][i];                                                                 \
            out[0][i] = EXPRESSION;                                                                \
        }                                                                                          \
    }
REF_UNARY(exp, REF(exp_of)(x))
REF_UNARY(log, REF(log_of)(x))
REF_UNARY(sqrt, REF(sqrt_of)(x))
REF_UNARY(erf, REF(erf_of)(x))
REF_UNARY(sigmoid, 1 / (1 + REF(exp_of)(-x)))
REF_UNARY(phi, REF(phi_of)(x))
REF_UNARY(gelu, REF(gelu_of)(x))
REF_UNARY(relu, x > 0 ? x : 0)
REF_UNARY(above, x > (REF_REAL)((const struct above_attr *)n->attr)->threshold)
REF_UNARY(relu_grad, x > 0 ? in[1][i] : 0)
REF_UNARY(phi_grad, in[1][i] * REF(phi_slope)(x))
REF_UNARY(gelu_grad, in[1][i] * REF(gelu_slope)(x))
#undef REF_UNARY

static void REF(affine)(const struct node *n, REF_REAL *const *in, REF_REAL *const *out)
{
    const struct affine_attr *a = n->attr;
    for (int64_t i = 0; i < shape_count(n->out[0]->shape); i++)
        out[0][i] = (REF_REAL)a->scale * in[0][i] + (REF_REAL)a->shift;
}
