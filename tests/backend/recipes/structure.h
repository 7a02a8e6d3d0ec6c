/* Cases of ops that move values. */
#ifndef TESTS_BACKEND_RECIPES_STRUCTURE_H
#define TESTS_BACKEND_RECIPES_STRUCTURE_H

#include "tests/backend/recipes/draw.h"

static void build_slice(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int axis = (int)rng_below(r, s.rank);
    s.dim[axis] += 1;
    int64_t start = rng_below(r, s.dim[axis]);
    int64_t room = s.dim[axis] - start;
    op_slice(g, leaf(g, "x", s), axis, start, start ? any(r, 1, room) : s.dim[axis] - 1);
}

static void build_pad(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int64_t before = any(r, 0, 5);
    op_pad(g, leaf(g, "x", s), (int)rng_below(r, s.rank), before, any(r, before ? 0 : 1, 5));
}

static void build_concat(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int axis = (int)rng_below(r, s.rank), n = (int)any(r, 2, 4);
    struct tensor *x[4];
    char name[16];
    for (int i = 0; i < n; i++) {
        s.dim[axis] = any_tokens(r, 1, 30);
        snprintf(name, sizeof name, "x%d", i);
        x[i] = leaf(g, name, s);
    }
    op_concat(g, x, n, axis);
}

static void build_repeat(struct graph *g, struct rng *r)
{
    op_repeat(g, leaf(g, "x", shape_times(1, any_shape(r))), any(r, 2, 9));
}

static void build_swap(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    if (s.rank == 1)
        s = SHAPE(s.dim[0], 3);
    op_swap(g, leaf(g, "x", s), (int)rng_below(r, s.rank - 1));
}

/* Kernels move four values at once where patches allow it: always so at 64 tokens. */
static int64_t any_patch(struct rng *r)
{
    int64_t p = any(r, 1, 5);
    return fixed_tokens == 64 ? 4 : p;
}

static void build_patchify(struct graph *g, struct rng *r)
{
    int64_t p = any_patch(r), batch = any(r, 1, 3), channels = any(r, 1, 4), rows, cols;
    any_grid(r, 5, &rows, &cols);
    op_patchify(g, leaf(g, "x", SHAPE(batch, channels, p * rows, p * cols)), p);
}

static struct tensor *byte_leaf(struct graph *g, struct rng *r, int64_t patch)
{
    int64_t batch = any(r, 1, 3), channels = any(r, 1, 4), rows, cols;
    any_grid(r, 5, &rows, &cols);
    return graph_input(g, "image", SHAPE(batch, channels, patch * rows, patch * cols), TENSOR_BYTE);
}

static void build_levels(struct graph *g, struct rng *r)
{
    struct tensor *image = byte_leaf(g, r, any(r, 1, 5));
    op_levels(g, image, leaf(g, "table", SHAPE(image->shape.dim[1], 256)));
}

static void build_patch_levels(struct graph *g, struct rng *r)
{
    int64_t p = any_patch(r);
    struct tensor *image = byte_leaf(g, r, p);
    const int64_t *dim = image->shape.dim;
    struct tensor *in[] = {image, leaf(g, "table", SHAPE(dim[1], 256))};
    graph_apply(g, &op_patch_levels_row, 2, in, &(struct patch_attr){p, dim[1], dim[2], dim[3]});
}

/* Samples of the last case that is mixed. */
static int64_t mixed_samples;

static struct tensor *plan_leaf(struct graph *g, const struct tensor *image)
{
    mixed_samples = image->shape.dim[0];
    return leaf(g, "plan", SHAPE(mixed_samples, MIXED_FIELDS));
}

static struct tensor *image_leaf(struct graph *g, struct rng *r, int64_t patch)
{
    int64_t batch = any(r, 1, 4), channels = any(r, 1, 4), rows, cols;
    any_grid(r, 5, &rows, &cols);
    return leaf(g, "x", SHAPE(batch, channels, patch * rows, patch * cols));
}

static void build_mix(struct graph *g, struct rng *r)
{
    struct tensor *image = image_leaf(g, r, any_patch(r));
    op_mix(g, image, plan_leaf(g, image));
}

static void build_patches_of(struct graph *g, int64_t patch, int n, struct tensor **in)
{
    const int64_t *dim = in[0]->shape.dim;
    graph_apply(g, &op_patch_mix_row, n, in, &(struct patch_attr){patch, dim[1], dim[2], dim[3]});
}

static void build_patch_mix(struct graph *g, struct rng *r)
{
    int64_t p = any_patch(r);
    struct tensor *image = image_leaf(g, r, p);
    build_patches_of(g, p, 2, (struct tensor *[]){image, plan_leaf(g, image)});
}

static void build_patch_mix_levels(struct graph *g, struct rng *r)
{
    int64_t p = any_patch(r);
    struct tensor *image = byte_leaf(g, r, p), *plan = plan_leaf(g, image);
    struct tensor *table = leaf(g, "table", SHAPE(image->shape.dim[1], 256));
    build_patches_of(g, p, 3, (struct tensor *[]){image, plan, table});
}

/* Boxes of up to 12 pixels that begin in the image's first 8, and may end outside; every other
 * sample is a sum. */
static double for_mix(struct rng *r, int input, int64_t i)
{
    int64_t field = i % MIXED_FIELDS;
    if (input != 1)
        return rng_normal(r);
    if (field == MIXED_PARTNER)
        return (double)rng_below(r, mixed_samples);
    if (field == MIXED_SUM)
        return (double)(i / MIXED_FIELDS % 2);
    if (field < MIXED_BOX)
        return rng_uniform(r);
    return (double)rng_below(r, (field - MIXED_BOX) % 4 < 2 ? 8 : 13);
}

static void build_unpatchify(struct graph *g, struct rng *r)
{
    build_patchify(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *t = leaf(g, "t", n->out[0]->shape);
    graph_apply(g, &op_unpatchify_row, 1, &t, n->attr);
}

static void build_resample(struct graph *g, struct rng *r)
{
    int axis;
    struct shape s = shape_along(r, &axis);
    int64_t from = s.dim[axis], to = any(r, 1, 40);
    op_resample(g, leaf(g, "x", s), axis,
                chance(r) ? mixing_pool(&g->arena, from, to)
                          : mixing_resize(&g->arena, MIXING_BICUBIC, from, to),
                0);
}

static void build_pool(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), width = any(r, 1, 40), rows, cols;
    any_grid(r, 9, &rows, &cols);
    op_pool_grid(g, leaf(g, "x", SHAPE(batch, rows * cols, width)), rows, cols, any(r, 1, 9),
                 any(r, 1, 9));
}

static void build_unfold(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), channels = any(r, 1, 6), rows, cols;
    any_grid(r, 9, &rows, &cols);
    struct shape s =
        chance(r) ? SHAPE(batch, rows * cols, channels) : SHAPE(batch, channels, rows, cols);
    int64_t least = rows < cols ? rows : cols;
    op_unfold(g, leaf(g, "x", s), rows, cols, any(r, 1, least < 3 ? least : 3), any(r, 1, 2),
              any(r, 0, 1));
}

static void build_fold(struct graph *g, struct rng *r)
{
    build_unfold(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *t = leaf(g, "t", n->out[0]->shape);
    graph_apply(g, &op_fold_row, 1, &t, n->attr);
}

static void build_scatter(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), tokens = any_tokens(r, 1, 40), heads = any(r, 1, 3),
            width = chance(r) ? 1 : any(r, 1, fixed_tokens ? 130 : 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, heads, tokens, width));
    op_scatter_rows(g, x, assignment(g, batch, tokens), 2, any(r, PLACES, 9));
}

static void build_scatter_max(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), tokens = any_tokens(r, 1, 40), heads = any(r, 1, 3),
            width = chance(r) ? 1 : any(r, 1, fixed_tokens ? 130 : 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, heads, tokens, width));
    op_scatter_max(g, x, assignment(g, batch, tokens), 2, any(r, PLACES, 9));
}

static void build_gather(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), width = chance(r) ? 1 : any(r, 1, 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, any(r, PLACES, 9), width));
    op_gather_rows(g, x, assignment(g, batch, any_tokens(r, 1, 40)), 1);
}

#endif
