/* patchify, unpatchify. */
#include "backend/cuda/cuda.h"

static struct vt_patches patches_of(const struct node *n)
{
    const struct patch_attr *a = n->attr;
    return (struct vt_patches){n->out[0]->shape.dim[0], a->channels, a->height, a->width, a->patch};
}

int cuda_patchify(const struct cuda_call *c)
{
    return vt_patchify(c->out[0], c->in[0], patches_of(c->node), c->stream);
}

int cuda_unpatchify(const struct cuda_call *c)
{
    return vt_unpatchify(c->out[0], c->in[0], patches_of(c->node), c->stream);
}
