/* Ops that only a training step has: stochastic depth, the gradient norm, the updates of flat
 * blocks. */
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

/* ---- updates of flat blocks ------------------------------------------------------------------ */

enum { UPDATE_OTHERS = 4, UPDATE_STATES_MAX = 2 }; /* inputs of an update besides its states */

int op_update_states(const struct op *update)
{
    return update->max_in - UPDATE_OTHERS;
}

void op_apply_update(struct graph *g, const struct op *update, struct tensor *params,
                     struct tensor *const *states, struct tensor *grads, struct tensor *norm_square,
                     struct tensor *hyper, int64_t decayed)
{
    struct tensor *in[UPDATE_OTHERS + UPDATE_STATES_MAX] = {params};
    int n = 1;
    for (int i = 0; i < op_update_states(update); i++)
        in[n++] = states[i];
    in[n++] = grads;
    in[n++] = norm_square;
    in[n++] = hyper;
    graph_apply(g, update, n, in, &(struct update_attr){decayed});
}

void op_apply_adamw(struct graph *g, struct tensor *params, struct tensor *m, struct tensor *v,
                    struct tensor *grads, struct tensor *norm_square, struct tensor *hyper)
{
    struct tensor *const states[] = {m, v};
    op_apply_update(g, &op_adamw_row, params, states, grads, norm_square, hyper,
                    shape_count(params->shape));
}

void op_apply_accumulate(struct graph *g, struct tensor *sum, struct tensor *grads,
                         struct tensor *hyper)
{
    graph_apply(g, &op_accumulate_row, 3, (struct tensor *[]){sum, grads, hyper}, NULL);
}

void op_apply_running_mean(struct graph *g, struct tensor *mean, struct tensor *params,
                           struct tensor *hyper)
{
    graph_apply(g, &op_running_mean_row, 3, (struct tensor *[]){mean, params, hyper}, NULL);
}

/* The first n inputs are alike, the last is the block of hyper-parameters. */
static int check_flat(const struct node *n, int alike, struct error *err)
{
    char left[200], right[200];
    for (int i = 1; i < alike; i++)
        if (!shape_equal(n->in[i]->shape, n->in[0]->shape))
            return op_refuse(n, err, "%s and %s differ in shape",
                             op_describe(n, 0, left, sizeof left),
                             op_describe(n, i, right, sizeof right));
    if (!shape_equal(n->in[n->n_in - 1]->shape, SHAPE(HYPER_COUNT)))
        return op_refuse(n, err, "%s is not the block of hyper-parameters",
                         op_describe(n, n->n_in - 1, left, sizeof left));
    return 0;
}

static int update_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    const struct update_attr *a = n->attr;
    (void)shape;
    (void)type;
    if (a->decayed < 0 || a->decayed > shape_count(n->in[0]->shape))
        return op_refuse(n, err, "decay of %lld values of %lld", (long long)a->decayed,
                         (long long)shape_count(n->in[0]->shape));
    return check_flat(n, n->n_in - 2, err);
}

static int pair_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)shape;
    (void)type;
    return check_flat(n, 2, err);
}

const struct op op_adamw_row = {
    .name = "adamw",
    .doc = "effect: one AdamW step with clipping over flat blocks",
    .flags = OP_EFFECT,
    .attr_size = sizeof(struct update_attr),
    .min_in = 6,
    .max_in = 6,
    .n_out = 0,
    .shape = update_shape,
};

const struct op op_sgd_row = {
    .name = "sgd",
    .doc = "effect: one step of gradient descent with momentum and clipping over flat blocks",
    .flags = OP_EFFECT,
    .attr_size = sizeof(struct update_attr),
    .min_in = 5,
    .max_in = 5,
    .n_out = 0,
    .shape = update_shape,
};

const struct op op_accumulate_row = {
    .name = "accumulate",
    .doc = "effect: the gradient of a micro-batch joins the sum of the others",
    .flags = OP_EFFECT,
    .min_in = 3,
    .max_in = 3,
    .n_out = 0,
    .shape = pair_shape,
};

const struct op op_running_mean_row = {
    .name = "running_mean",
    .doc = "effect: the weights join their running mean (EMA)",
    .flags = OP_EFFECT,
    .min_in = 3,
    .max_in = 3,
    .n_out = 0,
    .shape = pair_shape,
};
