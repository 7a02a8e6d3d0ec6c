/* Depthwise convolution along the tokens. */
#include "backend/cuda/cuda.h"

static struct vt_depthwise_size size_of(const struct node *n)
{
    const int64_t *x = n->in[0]->shape.dim;
    return (struct vt_depthwise_size){x[0], x[1], x[2], n->in[1]->shape.dim[2]};
}

int cuda_depthwise(const struct cuda_call *c)
{
    return vt_depthwise(c->out[0], c->in[0], c->in[1], c->in[2], size_of(c->node), c->stream);
}

size_t cuda_depthwise_grad_scratch(const struct node *n)
{
    struct vt_depthwise_size s = size_of(n);
    return sizeof(float) * (size_t)(s.batch * (s.taps + 1) * s.channels);
}

int cuda_depthwise_grad(const struct cuda_call *c)
{
    return vt_depthwise_grad(c->out[0], c->out[1], c->out[2], c->in[0], c->in[1], c->in[2],
                             c->scratch, size_of(c->node), c->stream);
}
