/* scatter_rows, scatter_max and gather_rows. */
#include "backend/cuda/cuda.h"

static struct vt_moves moves_of(const struct node *n)
{
    const struct assign_attr *a = n->attr;
    struct axis_view v = axis_view(n->in[0]->shape, a->axis, 1);
    return (struct vt_moves){.outer = v.outer,
                             .size = v.size,
                             .inner = v.inner,
                             .out_size = n->out[0]->shape.dim[a->axis],
                             .group = v.outer / n->in[0]->shape.dim[0],
                             .length = n->in[1]->shape.dim[1]};
}

int cuda_scatter_rows(const struct cuda_call *c)
{
    return vt_scatter_rows(c->out[0], c->in[0], c->in[1], moves_of(c->node), c->stream);
}

int cuda_scatter_max(const struct cuda_call *c)
{
    return vt_scatter_max(c->out[0], c->in[0], c->in[1], moves_of(c->node), c->stream);
}

int cuda_gather_rows(const struct cuda_call *c)
{
    return vt_gather_rows(c->out[0], c->in[0], c->in[1], moves_of(c->node), cuda_types(c, 1, 1),
                          c->stream);
}
