/* Ops that only a training step has: stochastic depth, the gradient norm, AdamW. */
#include "base/rng.h"
#include "tensor/ops/rule.h"

struct tensor *op_drop_path(struct graph *g, struct tensor *x, double rate, const char *name)
{
    return apply1(g, &op_drop_path_row, x, &(struct drop_attr){rate, rng_hash(name)});
}

static int drop_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    const struct drop_attr *a = n->attr;
    if (!(a->rate >= 0 && a->rate < 1))
        return op_refuse(n, err, "rate %g is not in [0, 1)", a->rate);
    return rule_same_shape(n, shape, type, err);
}

static void drop_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_drop_path_row, gr->dout[0], gr->node->attr);
}

const struct op op_drop_path_row = {
    .name = "drop_path",
    .doc = "stochastic depth, a draw for each sample",
    .flags = OP_INPLACE,
    .attr_size = sizeof(struct drop_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = drop_shape,
    .grad = drop_grad,
    .cost = rule_cost_elements,
};

struct tensor *op_norm_square(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_norm_square_row, x, NULL);
}

static int scalar_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)n;
    (void)type;
    (void)err;
    shape[0] = SHAPE_SCALAR;
    return 0;
}

static void square_grad(struct grad *gr)
{
    struct tensor *twice = op_affine(gr->g, gr->node->in[0], 2, 0);
    gr->din[0] = op_mul(gr->g, twice, gr->dout[0]);
}

const struct op op_norm_square_row = {
    .name = "norm_square",
    .doc = "sum of squares",
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = scalar_shape,
    .grad = square_grad,
};

void op_apply_adamw(struct graph *g, struct tensor *params, struct tensor *m, struct tensor *v,
                    struct tensor *grads, struct tensor *norm_square, struct tensor *hyper)
{
    struct tensor *in[] = {params, m, v, grads, norm_square, hyper};
    graph_apply(g, &op_adamw_row, 6, in, NULL);
}

static int adamw_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                       struct error *err)
{
    (void)shape;
    (void)type;
    char left[200], right[200];
    for (int i = 1; i < 4; i++)
        if (!shape_equal(n->in[i]->shape, n->in[0]->shape))
            return op_refuse(n, err, "%s and %s differ in shape",
                             op_describe(n, 0, left, sizeof left),
                             op_describe(n, i, right, sizeof right));
    if (!shape_equal(n->in[5]->shape, SHAPE(HYPER_COUNT)))
        return op_refuse(n, err, "%s is not the block of hyper-parameters",
                         op_describe(n, 5, left, sizeof left));
    return 0;
}

const struct op op_adamw_row = {
    .name = "adamw",
    .doc = "effect: one AdamW step with clipping over flat blocks",
    .flags = OP_EFFECT,
    .min_in = 6,
    .max_in = 6,
    .n_out = 0,
    .shape = adamw_shape,
};
