/* patchify, unpatchify; of values or of bytes. */
#include "backend/cuda/cuda.h"

static struct vt_patches patches_of(const struct node *n)
{
    const struct patch_attr *a = n->attr;
    return (struct vt_patches){n->out[0]->shape.dim[0], a->channels, a->height, a->width, a->patch};
}

int cuda_patchify(const struct cuda_call *c)
{
    return vt_patchify(c->out[0], c->half_out & 1, c->in[0], patches_of(c->node), c->stream);
}

int cuda_unpatchify(const struct cuda_call *c)
{
    return vt_unpatchify(c->out[0], c->in[0], patches_of(c->node), c->stream);
}

int cuda_patch_levels(const struct cuda_call *c)
{
    return vt_patch_levels(c->out[0], c->half_out & 1, c->in[0], c->in[1], patches_of(c->node),
                           c->stream);
}

int cuda_levels(const struct cuda_call *c)
{
    const int64_t *dim = c->node->in[0]->shape.dim;
    struct vt_patches p = {dim[0], dim[1], dim[2], dim[3], 1};
    return vt_levels(c->out[0], c->in[0], c->in[1], p, c->stream);
}
