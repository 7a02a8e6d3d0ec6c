/* Cases of softmax, layer norm and attention. */
#ifndef TESTS_BACKEND_RECIPES_FUSED_H
#define TESTS_BACKEND_RECIPES_FUSED_H

#include "tests/backend/recipes/draw.h"

static void build_softmax(struct graph *g, struct rng *r)
{
    int axis;
    struct shape s = shape_along(r, &axis);
    op_softmax(g, leaf(g, "x", s), axis);
}

static void build_softmax_grad(struct graph *g, struct rng *r)
{
    int axis;
    struct shape s = large_shape_along(r, &axis);
    op_softmax(g, leaf(g, "x", s), axis);
    const struct node *n = g->nodes[0];
    struct tensor *in[2] = {n->out[0], leaf(g, "dy", n->out[0]->shape)};
    graph_apply(g, &op_softmax_grad_row, 2, in, n->attr);
}

/* Kernels hold rows of up to 1024 columns in registers, where that is a multiple of four: at 64 and
 * 196 tokens it is. */
static int64_t any_norm(struct rng *r)
{
    int64_t width = any(r, 2, 300);
    return fixed_tokens == 64 ? 4 * width : fixed_tokens == 196 ? width / 4 * 4 + 4 : width;
}

static void build_layer_norm(struct graph *g, struct rng *r)
{
    int64_t width = any_norm(r);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 3), any_tokens(r, 1, 200), width));
    struct tensor *gamma = leaf(g, "gamma", SHAPE(width)), *beta = leaf(g, "beta", SHAPE(width));
    op_layer_norm(g, x, gamma, beta, 1e-6);
}

static void build_layer_norm_grad(struct graph *g, struct rng *r)
{
    build_layer_norm(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[5] = {leaf(g, "dy", n->out[0]->shape), n->in[0], n->in[1], n->out[1],
                            n->out[2]};
    graph_apply(g, &op_layer_norm_grad_row, 5, in, NULL);
}

static void build_layer_norm_grad_more(struct graph *g, struct rng *r)
{
    build_layer_norm(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[6] = {
        leaf(g, "dy", n->out[0]->shape),  n->in[0], n->in[1], n->out[1], n->out[2],
        leaf(g, "more", n->out[0]->shape)};
    graph_apply(g, &op_layer_norm_grad_row, 6, in, NULL);
}

static void build_add_layer_norm(struct graph *g, struct rng *r)
{
    int64_t width = any_norm(r), batch = any(r, 1, 3);
    struct shape s = SHAPE(batch, any_tokens(r, 1, 200), width);
    op_add_layer_norm(g, leaf(g, "a", s), leaf(g, "b", s), leaf(g, "gamma", SHAPE(width)),
                      leaf(g, "beta", SHAPE(width)), 1e-6);
}

static void build_attention(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), m = any_tokens(r, 1, 150), n = any_tokens(r, 1, 90);
    int64_t heads = any(r, 1, 3);
    int64_t d = any(r, 1, 40), e = any(r, 1, 40);
    int packed = chance(r), biased = chance(r);
    double scale = 1 / sqrt((double)d);
    if (packed) {
        struct tensor *qkv = leaf(g, "qkv", SHAPE(batch, n, 3 * heads * d));
        op_attention_packed(g, qkv, biased ? leaf(g, "bias", SHAPE(batch, n)) : NULL, (int)heads,
                            scale);
        return;
    }
    struct tensor *q = leaf(g, "q", SHAPE(batch, m, heads * d));
    struct tensor *k = leaf(g, "k", SHAPE(batch, n, heads * d));
    struct tensor *v = leaf(g, "v", SHAPE(batch, n, heads * e));
    op_attention(g, q, k, v, biased ? leaf(g, "bias", SHAPE(batch, n)) : NULL, (int)heads, scale);
}

static void build_attention_grad(struct graph *g, struct rng *r)
{
    build_attention(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[7];
    int n_in = 0;
    for (int i = 0; i < n->n_in; i++)
        in[n_in++] = n->in[i];
    in[n_in++] = n->out[0];
    in[n_in++] = n->out[1];
    in[n_in++] = leaf(g, "dout", n->out[0]->shape);
    graph_apply(g, &op_attention_grad_row, n_in, in, n->attr);
}

/* Features and values of a head of linear attention: any, and two pairs that kernels on tensor
 * cores read in sixteen bytes, of the smallest and of the widest tiles. */
static void any_linear_head(struct rng *r, int64_t *features, int64_t *values)
{
    *features = any(r, 1, 40);
    *values = any(r, 1, 40);
    if (fixed_tokens == 64) {
        *features = 16;
        *values = 64;
    }
    if (fixed_tokens == 196) {
        *features = 24;
        *values = 72;
    }
}

static void build_linear_attention(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), m = any_tokens(r, 1, 90), n = any_tokens(r, 1, 90);
    int64_t heads = any(r, 1, 3), f, e;
    any_linear_head(r, &f, &e);
    struct tensor *q = leaf(g, "q", SHAPE(batch, m, heads * f));
    struct tensor *k = leaf(g, "k", SHAPE(batch, n, heads * f));
    struct tensor *v = leaf(g, "v", SHAPE(batch, n, heads * e));
    op_linear_attention(g, q, k, v, (int)heads, 1e-6);
}

/* Values with a mean: what sums lose by rounding is then more than what differs between outputs. */
static double around_three(struct rng *r, int input, int64_t i)
{
    (void)i;
    return rng_normal(r) + (input == 2 ? 3 : 0);
}

static void build_linear_attention_grad(struct graph *g, struct rng *r)
{
    build_linear_attention(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[7] = {n->in[0],
                            n->in[1],
                            n->in[2],
                            n->out[1],
                            n->out[2],
                            n->out[0],
                            leaf(g, "dout", n->out[0]->shape)};
    graph_apply(g, &op_linear_attention_grad_row, 7, in, n->attr);
}

/* Probabilities, and a slope: of anything else softmax_grad is all cancellation. */
static double shares(struct rng *r, int input, int64_t i)
{
    (void)i;
    return input == 0 ? 0.01 * rng_uniform(r) : rng_normal(r);
}

#endif
