/* softmax and its gradient. */
#include "backend/cuda/cuda.h"

static struct axis_view view_of(const struct node *n)
{
    const struct axis_attr *a = n->attr;
    return axis_view(n->in[0]->shape, a->axis, 1);
}

int cuda_softmax(const struct cuda_call *c)
{
    struct axis_view v = view_of(c->node);
    return vt_softmax(c->out[0], c->in[0], v.outer, v.size, v.inner, c->stream);
}

int cuda_softmax_grad(const struct cuda_call *c)
{
    struct axis_view v = view_of(c->node);
    return vt_softmax_grad(c->out[0], c->in[0], c->in[1], v.outer, v.size, v.inner, c->stream);
}
