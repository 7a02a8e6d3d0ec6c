/* patchify, unpatchify; of values or of bytes, of a batch that is mixed. */
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

/* Of the images themselves: not cut. */
static struct vt_patches whole(const struct node *n)
{
    const int64_t *dim = n->in[0]->shape.dim;
    return (struct vt_patches){dim[0], dim[1], dim[2], dim[3], 1};
}

int cuda_levels(const struct cuda_call *c)
{
    return vt_levels(c->out[0], c->in[0], c->in[1], whole(c->node), c->stream);
}

_Static_assert(MIXED_BOX == 4 && MIXED_ERASED == 8 && MIXED_FIELDS == 12,
               "kernels/mix.cu reads a row as three times four values");

int cuda_mix(const struct cuda_call *c)
{
    return vt_mix(c->out[0], c->in[0], c->in[1], whole(c->node), c->stream);
}

int cuda_patch_mix(const struct cuda_call *c)
{
    return vt_patch_mix(c->out[0], c->half_out & 1, c->in[0], c->node->n_in == 3 ? c->in[2] : NULL,
                        c->in[1], patches_of(c->node), c->stream);
}
