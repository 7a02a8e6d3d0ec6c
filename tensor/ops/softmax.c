/* softmax over one axis. */
#include "tensor/ops/rule.h"

struct tensor *op_softmax(struct graph *g, struct tensor *x, int axis)
{
    return apply1(g, &op_softmax_row, x, &(struct axis_attr){rule_axis(x->shape.rank, axis)});
}

static int softmax_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                         struct error *err)
{
    const struct axis_attr *a = n->attr;
    char text[200];
    if (a->axis < 0)
        return op_refuse(n, err, "%s has no such axis", op_describe(n, 0, text, sizeof text));
    return rule_all_same(n, shape, type, err);
}

static void softmax_grad(struct grad *gr)
{
    gr->din[0] = apply2(gr->g, &op_softmax_grad_row, gr->node->out[0], gr->dout[0], gr->node->attr);
}

static void softmax_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                           struct tensor **out)
{
    const struct axis_attr *a = n->attr;
    struct tensor *e = op_exp(g, op_sub(g, in[0], op_max(g, in[0], a->axis)));
    out[0] = op_div(g, e, op_sum(g, e, a->axis, 1, 1, 1.0));
}

static void softmax_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = 4 * shape_count(n->out[0]->shape);
}

const struct op op_softmax_row = {
    .name = "softmax",
    .doc = "softmax over one axis",
    .flags = OP_FUSED | OP_INPLACE,
    .attr_size = sizeof(struct axis_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = softmax_shape,
    .grad = softmax_grad,
    .expand = softmax_expand,
    .gradient = &op_softmax_grad_row,
    .cost = softmax_cost,
};

const struct op op_softmax_grad_row = {
    .name = "softmax_grad",
    .doc = "gradient of softmax: (y, dy)",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct axis_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = softmax_shape,
    .cost = softmax_cost,
};
