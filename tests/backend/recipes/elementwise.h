/* Cases of element-wise ops and reductions. */
#ifndef TESTS_BACKEND_RECIPES_ELEMENTWISE_H
#define TESTS_BACKEND_RECIPES_ELEMENTWISE_H

#include "tests/backend/recipes/draw.h"

/* Two shapes that broadcast: dimensions become 1, leading ones vanish. */
static void broadcast_pair(struct graph *g, struct rng *r, struct tensor *x[2])
{
    struct shape s = any_shape(r), t = s;
    for (int i = 0; i < s.rank; i++) {
        int which = (int)rng_below(r, 5);
        if (which == 0)
            s.dim[i] = 1;
        if (which == 1)
            t.dim[i] = 1;
    }
    int drop = (int)rng_below(r, 3) == 0 ? (int)rng_below(r, t.rank) : 0;
    for (int i = 0; i + drop < t.rank; i++)
        t.dim[i] = t.dim[i + drop];
    t.rank -= drop;
    int swap = chance(r);
    x[0] = leaf(g, "a", swap ? t : s);
    x[1] = leaf(g, "b", swap ? s : t);
}

#define BUILD_BINARY(NAME)                                                                         \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        struct tensor *x[2];                                                                       \
        broadcast_pair(g, r, x);                                                                   \
        op_##NAME(g, x[0], x[1]);                                                                  \
    }
BUILD_BINARY(add)
BUILD_BINARY(sub)
BUILD_BINARY(mul)
BUILD_BINARY(div)

#define BUILD_UNARY(NAME)                                                                          \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        op_##NAME(g, leaf(g, "x", large_shape(r)));                                                \
    }
BUILD_UNARY(exp)
BUILD_UNARY(log)
BUILD_UNARY(sqrt)
BUILD_UNARY(erf)
BUILD_UNARY(sigmoid)
BUILD_UNARY(phi)
BUILD_UNARY(relu)
BUILD_UNARY(gelu)

#define BUILD_UNARY_GRAD(NAME)                                                                     \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        struct shape s = large_shape(r);                                                           \
        struct tensor *in[2] = {leaf(g, "x", s), leaf(g, "dy", s)};                                \
        graph_apply(g, &op_##NAME##_row, 2, in, NULL);                                             \
    }
BUILD_UNARY_GRAD(phi_grad)
BUILD_UNARY_GRAD(relu_grad)
BUILD_UNARY_GRAD(gelu_grad)

static void build_above(struct graph *g, struct rng *r)
{
    op_above(g, leaf(g, "x", any_shape(r)), 0.5);
}

static void build_affine(struct graph *g, struct rng *r)
{
    op_affine(g, leaf(g, "x", any_shape(r)), -1.7, 0.3);
}

/* Few groups of many rows are summed in pieces. */
static void build_sum(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int first = (int)rng_below(r, s.rank);
    if (chance(r) || fixed_tokens == 64) {
        int64_t rows = any(r, 2000, 6000), batch = any(r, 1, 3), images = any(r, 10, 30);
        s = SHAPE(batch, fixed_tokens ? images * fixed_tokens : rows, any(r, 1, 21));
        s.dim[2] = fixed_tokens == 64 ? 20 : s.dim[2]; /* four columns at once */
        first = 1;
    }
    op_sum(g, leaf(g, "x", s), first, (int)any(r, 1, s.rank - first), chance(r), 0.37);
}

static void build_max(struct graph *g, struct rng *r)
{
    int axis;
    struct shape s = shape_along(r, &axis);
    op_max(g, leaf(g, "x", s), axis);
}

static void build_spread(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r), to = s;
    for (int i = 0; i < s.rank; i++)
        if (chance(r))
            s.dim[i] = 1;
    op_spread(g, leaf(g, "x", s), to, 0.37);
}

static double positive(struct rng *r, int input, int64_t i)
{
    (void)input;
    (void)i;
    return 0.05 + 3 * fabs(rng_normal(r));
}

static double wide(struct rng *r, int input, int64_t i)
{
    (void)i;
    return (input == 0 ? 4 : 1) * rng_normal(r);
}

static double divisor(struct rng *r, int input, int64_t i)
{
    (void)i;
    double x = rng_normal(r);
    return input == 0 ? x : x < 0 ? x - 0.3 : x + 0.3;
}

#endif
