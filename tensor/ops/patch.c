/* patchify, unpatchify: images as tokens; of values, of bytes, of a batch that is mixed. */
#include "tensor/ops/rule.h"

/* ---- patchify -------------------------------------------------------------------------------- */

struct tensor *op_patchify(struct graph *g, struct tensor *image, int64_t patch)
{
    struct patch_attr a = {patch, 0, 0, 0};
    if (image->shape.rank == 4) {
        a.channels = image->shape.dim[1];
        a.height = image->shape.dim[2];
        a.width = image->shape.dim[3];
    }
    return apply1(g, &op_patchify_row, image, &a);
}

static int patchify_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                          struct error *err)
{
    (void)type;
    const struct patch_attr *a = n->attr;
    char text[200];
    if (n->in[0]->shape.rank != 4)
        return op_refuse(n, err, "%s is not an image (B, channels, height, width)",
                         op_describe(n, 0, text, sizeof text));
    if (a->patch < 1 || a->height % a->patch || a->width % a->patch)
        return op_refuse(n, err, "a patch of %lld pixels does not divide an image of %lld x %lld",
                         (long long)a->patch, (long long)a->height, (long long)a->width);
    shape[0] = SHAPE(n->in[0]->shape.dim[0], (a->height / a->patch) * (a->width / a->patch),
                     a->channels * a->patch * a->patch);
    return 0;
}

static void patchify_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_unpatchify_row, gr->dout[0], gr->node->attr);
}

const struct op op_patchify_row = {
    .name = "patchify",
    .doc = "non-overlapping image patches as tokens",
    .attr_size = sizeof(struct patch_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = patchify_shape,
    .grad = patchify_grad,
};

static int unpatchify_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                            struct error *err)
{
    (void)type;
    (void)err;
    const struct patch_attr *a = n->attr;
    shape[0] = SHAPE(n->in[0]->shape.dim[0], a->channels, a->height, a->width);
    return 0;
}

static void unpatchify_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_patchify_row, gr->dout[0], gr->node->attr);
}

const struct op op_unpatchify_row = {
    .name = "unpatchify",
    .doc = "tokens of pixels back to an image",
    .attr_size = sizeof(struct patch_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = unpatchify_shape,
    .grad = unpatchify_grad,
};

/* ---- images in bytes ------------------------------------------------------------------------- */

enum { LEVELS = 256 };

struct tensor *op_levels(struct graph *g, struct tensor *image, struct tensor *table)
{
    return apply2(g, &op_levels_row, image, table, NULL);
}

/* Input 0 and its values, which are input `values`. */
static int check_levels(const struct node *n, int values, struct error *err)
{
    struct shape image = n->in[0]->shape, table = n->in[values]->shape;
    char text[200];
    if (n->in[0]->type != TENSOR_BYTE || image.rank != 4)
        return op_refuse(n, err, "%s is not an image (B, channels, height, width) of bytes",
                         op_describe(n, 0, text, sizeof text));
    if (table.rank != 2 || table.dim[0] != image.dim[1] || table.dim[1] != LEVELS)
        return op_refuse(n, err, "%s is not a table (channels, 256)",
                         op_describe(n, values, text, sizeof text));
    return 0;
}

static int levels_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    shape[0] = n->in[0]->shape;
    return check_levels(n, 1, err);
}

const struct op op_levels_row = {
    .name = "levels",
    .doc = "the value of each sample of an image in bytes",
    .flags = OP_CONSTANT_GRAD,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = levels_shape,
};

static int patch_levels_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                              struct error *err)
{
    return levels_shape(n, shape, type, err) ? -1 : patchify_shape(n, shape, type, err);
}

static void patch_levels_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                                struct tensor **out)
{
    out[0] = apply1(g, &op_patchify_row, op_levels(g, in[0], in[1]), n->attr);
}

const struct op op_patch_levels_row = {
    .name = "patch_levels",
    .doc = "patches of the values of an image in bytes",
    .flags = OP_FUSED | OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct patch_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = patch_levels_shape,
    .expand = patch_levels_expand,
};

/* ---- a batch that is mixed ------------------------------------------------------------------- */

struct tensor *op_mix(struct graph *g, struct tensor *image, struct tensor *plan)
{
    return apply2(g, &op_mix_row, image, plan, NULL);
}

static int check_mixed(const struct node *n, struct error *err)
{
    struct shape image = n->in[0]->shape, plan = n->in[1]->shape;
    char text[200];
    if (n->n_in == 2 && (n->in[0]->type != TENSOR_VALUE || image.rank != 4))
        return op_refuse(n, err, "%s is not an image (B, channels, height, width) of values",
                         op_describe(n, 0, text, sizeof text));
    if (plan.rank != 2 || plan.dim[0] != image.dim[0] || plan.dim[1] != MIXED_FIELDS)
        return op_refuse(n, err, "%s is not a plan (%lld, %d)",
                         op_describe(n, 1, text, sizeof text), (long long)image.dim[0],
                         MIXED_FIELDS);
    return 0;
}

static int mix_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                     struct error *err)
{
    (void)type;
    shape[0] = n->in[0]->shape;
    return check_mixed(n, err);
}

const struct op op_mix_row = {
    .name = "mix",
    .doc = "images of a batch erased and mixed with each other, as training does",
    .flags = OP_CONSTANT_GRAD,
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = mix_shape,
};

static int patch_mix_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    if ((n->n_in == 3 && check_levels(n, 2, err)) || check_mixed(n, err))
        return -1;
    return patchify_shape(n, shape, type, err);
}

static void patch_mix_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                             struct tensor **out)
{
    struct tensor *image = n->n_in == 3 ? op_levels(g, in[0], in[2]) : in[0];
    out[0] = apply1(g, &op_patchify_row, op_mix(g, image, in[1]), n->attr);
}

const struct op op_patch_mix_row = {
    .name = "patch_mix",
    .doc = "patches of images that are mixed, of values or of bytes",
    .flags = OP_FUSED | OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct patch_attr),
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .shape = patch_mix_shape,
    .expand = patch_mix_expand,
};
