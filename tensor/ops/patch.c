/* patchify, unpatchify, pool_grid: images and token grids. */
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

/* ---- pool_grid ------------------------------------------------------------------------------- */

struct tensor *op_pool_grid(struct graph *g, struct tensor *x, int64_t rows, int64_t cols,
                            int64_t out_rows, int64_t out_cols)
{
    return apply1(g, &op_pool_grid_row, x, &(struct pool_attr){rows, cols, out_rows, out_cols});
}

static int pool_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    const struct pool_attr *a = n->attr;
    char text[200];
    struct shape s = n->in[0]->shape;
    if (s.rank != 3 || s.dim[1] != a->rows * a->cols)
        return op_refuse(n, err, "%s is not a grid of %lld x %lld tokens",
                         op_describe(n, 0, text, sizeof text), (long long)a->rows,
                         (long long)a->cols);
    if (a->out_rows < 1 || a->out_cols < 1 || a->out_rows > a->rows || a->out_cols > a->cols)
        return op_refuse(n, err, "a grid of %lld x %lld cannot be pooled to %lld x %lld",
                         (long long)a->rows, (long long)a->cols, (long long)a->out_rows,
                         (long long)a->out_cols);
    shape[0] = SHAPE(s.dim[0], a->out_rows * a->out_cols, s.dim[2]);
    return 0;
}

static void pool_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_pool_grid_grad_row, gr->dout[0], gr->node->attr);
}

static void pool_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = shape_count(n->in[0]->shape);
    c->macs_fvcore = c->other_flops;
}

const struct op op_pool_grid_row = {
    .name = "pool_grid",
    .doc = "adaptive average pooling of a token grid",
    .attr_size = sizeof(struct pool_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = pool_shape,
    .grad = pool_grad,
    .cost = pool_cost,
};

static int pool_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    (void)err;
    const struct pool_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    shape[0] = SHAPE(s.dim[0], a->rows * a->cols, s.dim[2]);
    return 0;
}

static void pool_grad_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_pool_grid_row, gr->dout[0], gr->node->attr);
}

const struct op op_pool_grid_grad_row = {
    .name = "pool_grid_grad",
    .doc = "adjoint of pool_grid",
    .attr_size = sizeof(struct pool_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = pool_grad_shape,
    .grad = pool_grad_grad,
};
