/* sum and max over axes. */
#include "tensor/ops/rule.h"

struct tensor *op_sum(struct graph *g, struct tensor *x, int first, int count, int keep,
                      double scale)
{
    struct reduce_attr a = {rule_axis(x->shape.rank, first), count, keep, scale};
    return apply1(g, &op_sum_row, x, &a);
}

struct tensor *op_max(struct graph *g, struct tensor *x, int axis)
{
    struct reduce_attr a = {rule_axis(x->shape.rank, axis), 1, 1, 1.0};
    return apply1(g, &op_max_row, x, &a);
}

struct tensor *op_mean_tokens(struct graph *g, struct tensor *x)
{
    return op_sum(g, x, 1, 1, 0, 1.0 / (double)x->shape.dim[1]);
}

static struct shape reduced(struct shape s, const struct reduce_attr *a, int keep)
{
    struct shape r = {0};
    for (int i = 0; i < s.rank; i++) {
        int inside = i >= a->first && i < a->first + a->count;
        if (!inside || keep)
            r.dim[r.rank++] = inside ? 1 : s.dim[i];
    }
    return r;
}

static int reduce_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct reduce_attr *a = n->attr;
    char text[200];
    if (a->first < 0 || a->count < 1 || a->first + a->count > n->in[0]->shape.rank)
        return op_refuse(n, err, "%s has no such axes", op_describe(n, 0, text, sizeof text));
    shape[0] = reduced(n->in[0]->shape, a, a->keep);
    return 0;
}

/* Every element's gradient is scale * dy of its group: broadcast against ones. */
static void sum_grad(struct grad *gr)
{
    const struct reduce_attr *a = gr->node->attr;
    struct shape s = gr->node->in[0]->shape;
    struct tensor *d = op_reshape(gr->g, gr->dout[0], reduced(s, a, 1));
    gr->din[0] =
        graph_apply(gr->g, &op_spread_row, 1, &d, &(struct spread_attr){s, a->scale})->out[0];
}

static void reduce_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = shape_count(n->in[0]->shape);
}

const struct op op_sum_row = {
    .name = "sum",
    .doc = "scaled sum over neighbouring axes",
    .attr_size = sizeof(struct reduce_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = reduce_shape,
    .grad = sum_grad,
    .cost = reduce_cost,
};

const struct op op_max_row = {
    .name = "max",
    .doc = "maximum over one axis, a constant to autograd",
    .flags = OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct reduce_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = reduce_shape,
    .cost = reduce_cost,
};

/* ---- spread ---------------------------------------------------------------------------------- */

struct tensor *op_spread(struct graph *g, struct tensor *x, struct shape shape, double scale)
{
    return apply1(g, &op_spread_row, x, &(struct spread_attr){shape, scale});
}

static int spread_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct spread_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    char text[200], to[128];
    int ok = s.rank == a->shape.rank;
    for (int i = 0; ok && i < s.rank; i++)
        ok = s.dim[i] == a->shape.dim[i] || s.dim[i] == 1;
    if (!ok)
        return op_refuse(n, err, "%s cannot be spread to %s", op_describe(n, 0, text, sizeof text),
                         shape_text(a->shape, to, sizeof to));
    shape[0] = a->shape;
    return 0;
}

static void spread_grad(struct grad *gr)
{
    const struct spread_attr *a = gr->node->attr;
    struct shape s = gr->node->in[0]->shape;
    struct tensor *d = gr->dout[0];
    for (int i = 0; i < s.rank; i++)
        if (s.dim[i] == 1 && a->shape.dim[i] != 1)
            d = op_sum(gr->g, d, i, 1, 1, 1.0);
    gr->din[0] = a->scale == 1.0 ? d : op_affine(gr->g, d, a->scale, 0);
}

const struct op op_spread_row = {
    .name = "spread",
    .doc = "repeats along dimensions of 1, scaled: the adjoint of sum",
    .attr_size = sizeof(struct spread_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = spread_shape,
    .grad = spread_grad,
    .cost = rule_cost_elements,
};
