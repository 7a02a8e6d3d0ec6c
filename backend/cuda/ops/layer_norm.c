/* Layer normalisation, alone and of a sum. */
#include "backend/cuda/cuda.h"

int cuda_layer_norm(const struct cuda_call *c)
{
    const struct eps_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    return vt_layer_norm(c->out[0], c->out_copy[0], c->out[1], c->out[2], c->in[0], c->in[1],
                         c->in[2], shape_rows(s), shape_last(s), (float)a->eps, cuda_types(c, 1, 1),
                         c->stream);
}

int cuda_add_layer_norm(const struct cuda_call *c)
{
    const struct eps_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    unsigned types = (c->half_out >> 1 & 1) | (c->half_in & 2); /* of y and more */
    return vt_add_layer_norm(c->out[0], c->out[1], c->out_copy[1], c->out[2], c->out[3], c->in[0],
                             c->in[1], c->in[2], c->in[3], shape_rows(s), shape_last(s),
                             (float)a->eps, types, c->stream);
}

size_t cuda_layer_norm_grad_scratch(const struct node *n)
{
    struct shape s = n->in[1]->shape;
    return sizeof(float) * (size_t)vt_layer_norm_parts(shape_rows(s), shape_last(s));
}

int cuda_layer_norm_grad(const struct cuda_call *c)
{
    struct shape s = c->node->in[1]->shape;
    const float *more = c->node->n_in == 6 ? c->in[5] : NULL;
    return vt_layer_norm_grad(c->out[0], c->out_copy[0], c->out[1], c->out[2], c->in[0], c->in[1],
                              c->in[2], c->in[3], c->in[4], more, c->scratch, shape_rows(s),
                              shape_last(s), c->half_in & 3, c->stream);
}
