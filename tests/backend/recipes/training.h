/* Cases of drop path and of updates of the flat blocks. */
#ifndef TESTS_BACKEND_RECIPES_TRAINING_H
#define TESTS_BACKEND_RECIPES_TRAINING_H

#include "tests/backend/recipes/draw.h"

static void build_drop_path(struct graph *g, struct rng *r)
{
    op_drop_path(g, leaf(g, "x", any_shape(r)), 0.4, "blocks.0");
}

static void build_norm_square(struct graph *g, struct rng *r)
{
    op_norm_square(g, leaf(g, "x", large_shape(r)));
}

static struct tensor *hyper_leaf(struct graph *g)
{
    return leaf(g, "hyper", SHAPE(HYPER_COUNT));
}

static void build_update(struct graph *g, struct rng *r, const struct op *update)
{
    struct shape s = any_flat(r);
    struct tensor *p = leaf(g, "p", s);
    struct tensor *states[] = {leaf(g, "m", s), leaf(g, "v", s)};
    struct tensor *grads = leaf(g, "grads", s), *norm = leaf(g, "norm", SHAPE_SCALAR);
    op_apply_update(g, update, p, states, grads, norm, hyper_leaf(g), any(r, 0, s.dim[0]));
}

static void build_adamw(struct graph *g, struct rng *r)
{
    build_update(g, r, &op_adamw_row);
}

static void build_sgd(struct graph *g, struct rng *r)
{
    build_update(g, r, &op_sgd_row);
}

static void build_accumulate(struct graph *g, struct rng *r)
{
    struct shape s = any_flat(r);
    struct tensor *sum = leaf(g, "sum", s), *grads = leaf(g, "grads", s);
    op_apply_accumulate(g, sum, grads, hyper_leaf(g));
}

static void build_running_mean(struct graph *g, struct rng *r)
{
    struct shape s = any_flat(r);
    struct tensor *mean = leaf(g, "mean", s), *p = leaf(g, "p", s);
    op_apply_running_mean(g, mean, p, hyper_leaf(g));
}

/* Hyper-parameters of the third update. */
static double some_hyper(int64_t i, double flag)
{
    const double hyper[HYPER_COUNT] = {
        [HYPER_LR] = 1e-3,     [HYPER_DECAY] = 0.05,   [HYPER_NEW1] = 0.1,     [HYPER_NEW2] = 0.001,
        [HYPER_EPS] = 1e-8,    [HYPER_CLIP] = 1,       [HYPER_T] = 3,          [HYPER_ADD] = flag,
        [HYPER_SHARE] = 0.125, [HYPER_MOMENTUM] = 0.9, [HYPER_NESTEROV] = flag};
    return hyper[i];
}

static double for_adamw(struct rng *r, int input, int64_t i)
{
    double x = rng_normal(r);
    return input == 5 ? some_hyper(i, 0) : input == 4 ? 2.5 : input == 2 ? x * x : x;
}

static double for_sgd(struct rng *r, int input, int64_t i)
{
    return input == 4 ? some_hyper(i, 0) : input == 3 ? 2.5 : rng_normal(r);
}

static double for_nesterov(struct rng *r, int input, int64_t i)
{
    return input == 4 ? some_hyper(i, 1) : input == 3 ? 2.5 : rng_normal(r);
}

static double for_flat(struct rng *r, int input, int64_t i)
{
    return input == 2 ? some_hyper(i, 1) : rng_normal(r);
}

static double for_flat_anew(struct rng *r, int input, int64_t i)
{
    return input == 2 ? some_hyper(i, 0) : rng_normal(r);
}

#endif
