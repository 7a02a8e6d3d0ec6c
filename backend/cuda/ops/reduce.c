/* sum and max. */
#include "backend/cuda/cuda.h"

static struct axis_view view_of(const struct node *n)
{
    const struct reduce_attr *a = n->attr;
    return axis_view(n->in[0]->shape, a->first, a->count);
}

size_t cuda_sum_scratch(const struct node *n)
{
    struct axis_view v = view_of(n);
    return sizeof(float) * (size_t)vt_sum_parts(v.outer, v.size, v.inner);
}

int cuda_sum(const struct cuda_call *c)
{
    const struct reduce_attr *a = c->node->attr;
    struct axis_view v = view_of(c->node);
    return vt_sum(c->out[0], c->in[0], c->scratch, v.outer, v.size, v.inner, (float)a->scale,
                  c->half_in, c->stream);
}

int cuda_max(const struct cuda_call *c)
{
    struct axis_view v = view_of(c->node);
    return vt_max(c->out[0], c->in[0], v.outer, v.size, v.inner, c->stream);
}
