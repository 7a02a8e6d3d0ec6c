/* Element-wise functions and their fused gradients. */
#include "backend/cuda/cuda.h"

static int64_t count_of(const struct cuda_call *c)
{
    return shape_count(c->node->out[0]->shape);
}

#define UNARY(name)                                                                                \
    int cuda_##name(const struct cuda_call *c)                                                     \
    {                                                                                              \
        return vt_##name(c->out[0], c->in[0], count_of(c), c->stream);                             \
    }

#define UNARY_GRAD(name)                                                                           \
    int cuda_##name(const struct cuda_call *c)                                                     \
    {                                                                                              \
        return vt_##name(c->out[0], c->in[0], c->in[1], count_of(c), c->stream);                   \
    }

UNARY(exp)
UNARY(log)
UNARY(sqrt)
UNARY(erf)
UNARY(sigmoid)
UNARY(phi)
UNARY(relu)
UNARY_GRAD(phi_grad)
UNARY_GRAD(relu_grad)

int cuda_affine(const struct cuda_call *c)
{
    const struct affine_attr *a = c->node->attr;
    return vt_affine(c->out[0], c->in[0], count_of(c), (float)a->scale, (float)a->shift,
                     cuda_types(c, 1, 1), c->stream);
}

int cuda_above(const struct cuda_call *c)
{
    const struct above_attr *a = c->node->attr;
    return vt_above(c->out[0], c->in[0], count_of(c), (float)a->threshold, c->stream);
}

int cuda_scale_shift(const struct cuda_call *c)
{
    struct shape s = c->node->in[0]->shape;
    return vt_scale_shift(c->out[0], c->in[0], c->in[1], c->in[2], shape_rows(s), shape_last(s),
                          c->stream);
}

int cuda_gelu(const struct cuda_call *c)
{
    return vt_gelu(c->out[0], c->in[0], count_of(c), cuda_types(c, 1, 1), c->stream);
}

int cuda_gelu_grad(const struct cuda_call *c)
{
    return vt_gelu_grad(c->out[0], c->in[0], c->in[1], count_of(c), cuda_types(c, 1, 2), c->stream);
}
