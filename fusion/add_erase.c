/* Add-erase: a gate for each token decides how much of the old one is replaced. The gate looks at
 * the mean of the fresh tokens only, and its size fixes the token count. */
#include "fusion/fusion.h"

static struct tensor *build(struct builder *b, struct tensor *fresh, struct tensor *target)
{
    struct graph *g = b->g;
    int64_t batch = target->shape.dim[0], tokens = target->shape.dim[1];
    struct tensor *mean = op_mean_tokens(g, fresh);                            /* (B,C) */
    struct tensor *gate = op_sigmoid(g, nn_linear(b, "linear", mean, tokens)); /* (B,N) */
    gate = op_reshape(g, gate, SHAPE(batch, tokens, 1));
    struct tensor *old = op_mul(g, target, op_affine(g, gate, -1, 1));
    return op_add(g, old, op_mul(g, fresh, gate));
}

const struct fusion fusion_add_erase = {
    .choice = {.name = "add_erase", .doc = "a learned gate for each token blends old and fresh"},
    .paper = "ViTTM eq. 10; one gate a direction, shared by all layers, with bias (authors' code)",
    .fixed_tokens = 1,
    .build = build,
};
