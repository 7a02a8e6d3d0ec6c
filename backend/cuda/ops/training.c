/* Stochastic depth, the gradient norm. */
#include "backend/cuda/cuda.h"

int cuda_drop_path(const struct cuda_call *c)
{
    const struct drop_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    return vt_drop_path(c->out[0], c->in[0], s.dim[0], shape_count(s) / s.dim[0], a->rate,
                        a->stream, c->scalars, cuda_types(c, 1, 1), c->stream);
}

size_t cuda_norm_square_scratch(const struct node *n)
{
    return sizeof(double) * (size_t)vt_norm_parts(shape_count(n->in[0]->shape));
}

int cuda_norm_square(const struct cuda_call *c)
{
    return vt_norm_square(c->out[0], c->in[0], c->scratch, shape_count(c->node->in[0]->shape),
                          c->stream);
}
