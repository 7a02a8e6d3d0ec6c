/* unfold and fold. The grid is an image (B,C,H,W) or tokens (B,H*W,C): two strides tell them apart.
 */
#include "backend/cuda/cuda.h"

static struct vt_windows windows_of(const struct node *n)
{
    const struct unfold_attr *a = n->attr;
    return (struct vt_windows){
        .batch = n->out[0]->shape.dim[0],
        .channels = a->channels,
        .height = a->height,
        .width = a->width,
        .out_height = a->out_height,
        .out_width = a->out_width,
        .kernel = a->kernel,
        .stride = a->stride,
        .pad = a->pad,
        .channel_stride = a->tokens ? 1 : a->height * a->width,
        .pixel_stride = a->tokens ? a->channels : 1,
    };
}

int cuda_unfold(const struct cuda_call *c)
{
    return vt_unfold(c->out[0], c->in[0], windows_of(c->node), c->stream);
}

int cuda_fold(const struct cuda_call *c)
{
    return vt_fold(c->out[0], c->in[0], windows_of(c->node), c->stream);
}
