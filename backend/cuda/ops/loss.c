/* Cross entropy, over classes, binary, and of many labels. */
#include "backend/cuda/cuda.h"

static struct vt_loss loss_of(const struct cuda_call *c)
{
    const struct loss_attr *a = c->node->attr;
    const int64_t *dim = c->node->in[0]->shape.dim;
    struct vt_loss l = {
        .batch = dim[0], .classes = dim[1], .smoothing = a->smoothing, .scale = a->scale};
    if (c->node->in[1]->type == TENSOR_VALUE)
        l.soft = c->in[1];
    else
        l.labels = c->in[1];
    return l;
}

size_t cuda_loss_scratch(const struct node *n)
{
    return sizeof(double) * (size_t)n->in[0]->shape.dim[0];
}

int cuda_cross_entropy(const struct cuda_call *c)
{
    return vt_cross_entropy(c->out[0], c->scratch, c->in[0], loss_of(c), c->stream);
}

int cuda_cross_entropy_grad(const struct cuda_call *c)
{
    return vt_cross_entropy_grad(c->out[0], c->in[0], c->in[2], loss_of(c), c->stream);
}

int cuda_bce(const struct cuda_call *c)
{
    return vt_bce(c->out[0], c->scratch, c->in[0], loss_of(c), c->stream);
}

int cuda_bce_grad(const struct cuda_call *c)
{
    return vt_bce_grad(c->out[0], c->in[0], c->in[2], loss_of(c), c->stream);
}

static struct vt_labels labels_of(const struct cuda_call *c)
{
    const struct label_loss_attr *a = c->node->attr;
    struct shape s = c->node->in[0]->shape;
    return (struct vt_labels){.rows = shape_rows(s),
                              .classes = shape_last(s),
                              .labels = c->in[1],
                              .smoothing = a->smoothing,
                              .ignore = a->ignore,
                              .over_all = a->over_all};
}

size_t cuda_label_scratch(const struct node *n)
{
    (void)n;
    return sizeof(double) * (size_t)vt_label_parts();
}

int cuda_label_cross_entropy(const struct cuda_call *c)
{
    return vt_label_cross_entropy(c->out[0], c->scratch, c->in[0], labels_of(c), c->stream);
}

int cuda_label_cross_entropy_grad(const struct cuda_call *c)
{
    return vt_label_cross_entropy_grad(c->out[0], c->scratch, c->in[0], c->in[2], labels_of(c),
                                       c->stream);
}
