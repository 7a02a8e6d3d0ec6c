/* Cases of products. */
#ifndef TESTS_BACKEND_RECIPES_PRODUCTS_H
#define TESTS_BACKEND_RECIPES_PRODUCTS_H

#include "tests/backend/recipes/draw.h"

static void build_linear(struct graph *g, struct rng *r)
{
    int64_t in = any(r, 1, 150), out = any(r, 1, 150), rows = any_tokens(r, 1, 300);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 3), rows, in));
    struct tensor *w = leaf(g, "w", SHAPE(out, in));
    op_linear(g, x, w, chance(r) ? leaf(g, "b", SHAPE(out)) : NULL);
}

static void build_linear_add(struct graph *g, struct rng *r)
{
    int64_t in = chance(r) ? any(r, 1, 150) : any(r, 1000, 2500), out = any(r, 1, 90);
    int64_t batch = any(r, 1, 3), rows = any_tokens(r, 1, 150);
    struct tensor *h = leaf(g, "h", SHAPE(batch, rows, in)), *w = leaf(g, "w", SHAPE(out, in));
    op_linear_add(g, leaf(g, "x", SHAPE(batch, rows, out)), h, w,
                  chance(r) ? leaf(g, "b", SHAPE(out)) : NULL);
}

/* Few channels: many values are near zero, where GELU bends. */
static void build_linear_gelu(struct graph *g, struct rng *r)
{
    int64_t in = any(r, 1, 12), out = any(r, 1, 150), rows = any_tokens(r, 1, 300);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 3), rows, in));
    struct tensor *w = leaf(g, "w", SHAPE(out, in));
    op_linear_gelu(g, x, w, chance(r) ? leaf(g, "b", SHAPE(out)) : NULL);
}

static void build_matmul_gelu_grad(struct graph *g, struct rng *r)
{
    int64_t rows = any_tokens(r, 1, 300), out = any(r, 1, 90), in = any(r, 1, 90),
            batch = any(r, 1, 3);
    struct tensor *dy = leaf(g, "dy", SHAPE(batch * rows, out));
    op_matmul_gelu_grad(g, dy, leaf(g, "w", SHAPE(out, in)),
                        leaf(g, "pre", SHAPE(batch, rows, in)));
}

/* Sometimes many rows: sums that are cut into pieces. */
static void build_linear_weight_grad(struct graph *g, struct rng *r)
{
    int64_t rows = any_tokens(r, 1, 300) * (chance(r) ? 1 : any(r, 2, 6));
    struct tensor *dy = leaf(g, "dy", SHAPE(rows, any(r, 1, 90)));
    op_linear_weight_grad(g, dy, leaf(g, "x", SHAPE(rows, any(r, 1, 90))));
}

static void build_linear_weight_grad_more(struct graph *g, struct rng *r)
{
    int64_t rows = any_tokens(r, 1, 300), out = any(r, 1, 90), in = any(r, 1, 90);
    struct tensor *all[] = {leaf(g, "dy", SHAPE(rows, out)), leaf(g, "x", SHAPE(rows, in)),
                            leaf(g, "more", SHAPE(out, in))};
    graph_apply(g, &op_linear_weight_grad_row, 3, all, NULL);
}

/* One large product: sometimes deep enough to be cut along its depth. */
static void build_matmul_flat(struct graph *g, struct rng *r)
{
    int ta = chance(r), tb = chance(r);
    int64_t m = any_tokens(r, 1, 70), n = any(r, 1, 70),
            k = chance(r) ? any(r, 1, 200) : any(r, 1000, 5000);
    struct tensor *a = leaf(g, "a", ta ? SHAPE(k, m) : SHAPE(m, k));
    struct tensor *b = leaf(g, "b", tb ? SHAPE(n, k) : SHAPE(k, n));
    op_matmul(g, a, b, (struct matmul_attr){1, ta, tb, 2, 0.7});
}

static void build_matmul_more(struct graph *g, struct rng *r)
{
    int ta = chance(r), tb = chance(r);
    int64_t m = any_tokens(r, 1, 70), n = any(r, 1, 70), k = any(r, 1, 1500);
    struct tensor *in[] = {leaf(g, "a", ta ? SHAPE(k, m) : SHAPE(m, k)),
                           leaf(g, "b", tb ? SHAPE(n, k) : SHAPE(k, n)),
                           leaf(g, "more", SHAPE(m, n))};
    graph_apply(g, &op_matmul_row, 3, in, &(struct matmul_attr){1, ta, tb, 2, 1});
}

static struct tensor *stack(struct graph *g, struct rng *r, const char *name, int64_t batch,
                            int64_t heads, int64_t rows, int64_t cols)
{
    return leaf(g, name,
                chance(r) ? SHAPE(batch, rows, heads * cols) : SHAPE(batch, heads, rows, cols));
}

static void build_matmul_stack(struct graph *g, struct rng *r)
{
    int ta = chance(r), tb = chance(r);
    int64_t batch = any(r, 1, 4), heads = any(r, 1, 4);
    int64_t m = any_tokens(r, 1, 70), n = any(r, 1, 70), k = any(r, 1, 70);
    struct tensor *a = stack(g, r, "a", batch, heads, ta ? k : m, ta ? m : k);
    struct tensor *b = stack(g, r, "b", batch, heads, tb ? n : k, tb ? k : n);
    op_matmul(g, a, b, (struct matmul_attr){(int)heads, ta, tb, (int)any(r, 3, 4), 0.7});
}

static void build_scale_shift(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r), channels = SHAPE(s.dim[s.rank - 1]);
    op_scale_shift(g, leaf(g, "x", s), leaf(g, "gain", channels), leaf(g, "offset", channels));
}

static void build_depthwise(struct graph *g, struct rng *r)
{
    int64_t channels = any(r, 1, 100);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 5), any_tokens(r, 1, 40), channels));
    struct tensor *w = leaf(g, "w", SHAPE(channels, 1, 2 * any(r, 0, 3) + 1));
    op_depthwise(g, x, w, leaf(g, "b", SHAPE(channels)));
}

static void build_depthwise_grad(struct graph *g, struct rng *r)
{
    build_depthwise(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dy", n->out[0]->shape)};
    graph_apply(g, &op_depthwise_grad_row, 3, in, NULL);
}

#endif
