/* Patch and position embeddings. */
#include "nn/nn.h"

#include <math.h>

static struct shape kernel_shape(int64_t dim, int64_t channels, int64_t patch)
{
    return SHAPE(dim, channels, patch, patch);
}

static double torch_bound(int64_t channels, int64_t patch)
{
    return 1 / sqrt((double)(channels * patch * patch));
}

struct tensor *nn_patch_embed(struct builder *b, const char *name, struct tensor *image,
                              int64_t patch, int64_t dim, enum patch_init kind)
{
    int64_t channels = image->shape.dim[1];
    double bound = torch_bound(channels, patch);
    struct init weight = {INIT_UNIFORM, bound}, bias = {INIT_UNIFORM, bound};
    if (kind == PATCH_XAVIER) {
        weight.scale = sqrt(6.0 / (double)((channels + dim) * patch * patch));
        bias = nn_zero;
    }
    const char *old = nn_push(b, "%s.proj", name);
    struct tensor *pixels = op_patchify(b->g, image, patch); /* (B, N, c*p*p) */
    struct tensor *x =
        op_linear(b->g, pixels, nn_param(b, "weight", kernel_shape(dim, channels, patch), weight),
                  nn_param(b, "bias", SHAPE(dim), bias)); /* (B, N, dim) */
    nn_pop(b, old);
    return x;
}

void nn_unused_patch_embed(struct builder *b, const char *name, int64_t channels, int64_t patch,
                           int64_t dim)
{
    struct init init = {INIT_UNIFORM, torch_bound(channels, patch)};
    const char *old = nn_push(b, "%s.proj", name);
    nn_unused_param(b, "weight", kernel_shape(dim, channels, patch), init);
    nn_unused_param(b, "bias", SHAPE(dim), init);
    nn_pop(b, old);
}

struct tensor *nn_pos_embed(struct builder *b, const char *name, struct tensor *x)
{
    struct shape s = x->shape;
    s.dim[0] = 1;
    return op_add(b->g, x, nn_param(b, name, s, nn_normal_002)); /* (B,N,C) + (1,N,C) */
}

struct tensor *nn_pos_embed_grid(struct builder *b, const char *name, struct tensor *x,
                                 struct pos_grid grid)
{
    struct graph *g = b->g;
    struct grid from = grid.stored, to = grid.now;
    if (!from.rows || (from.rows == to.rows && from.cols == to.cols))
        return nn_pos_embed(b, name, x);
    int64_t dim = shape_last(x->shape), cells = from.rows * from.cols;
    struct tensor *table = nn_param(b, name, SHAPE(1, grid.prefix + cells, dim), nn_normal_002);
    struct mixing *rows = mixing_resize(&g->arena, grid.kind, from.rows, to.rows);
    struct mixing *cols = mixing_resize(&g->arena, grid.kind, from.cols, to.cols);
    struct tensor *rest = op_resample(g, op_slice(g, table, 1, grid.prefix, cells), 1,
                                      mixing_grid(&g->arena, rows, cols), 0);
    if (grid.prefix) {
        struct tensor *both[] = {op_slice(g, table, 1, 0, grid.prefix), rest};
        rest = op_concat(g, both, 2, 1);
    }
    return op_add(g, x, rest);
}

struct tensor *nn_pad_image(struct builder *b, struct tensor *image, int64_t patch)
{
    for (int axis = 2; axis < 4; axis++) {
        int64_t over = image->shape.dim[axis] % patch;
        if (over)
            image = op_pad(b->g, image, axis, 0, patch - over);
    }
    return image;
}

int nn_patch_grid(struct builder *b, const char *key, int64_t patch, const struct tensor *image,
                  struct grid *grid)
{
    int64_t height = image->shape.dim[2], width = image->shape.dim[3];
    *grid = (struct grid){height / patch, width / patch};
    return nn_check_patch(b, key, patch, height) && nn_check_patch(b, key, patch, width);
}
