/* linear_weight_grad: the gradients of a linear layer's weight and bias, which both read dy. */
#include "tensor/ops/rule.h"

static const struct matmul_attr of_rows = {1, 1, 0, 2, 1.0}; /* dy^T x */

struct node *op_linear_weight_grad(struct graph *g, struct tensor *dy, struct tensor *x)
{
    return graph_apply(g, &op_linear_weight_grad_row, 2, (struct tensor *[]){dy, x}, NULL);
}

static int weight_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                             struct error *err)
{
    (void)type;
    struct shape dy = n->in[0]->shape, x = n->in[1]->shape;
    char left[200], right[200];
    if (dy.rank != 2 || x.rank != 2 || dy.dim[0] != x.dim[0])
        return op_refuse(n, err, "%s and %s have other rows", op_describe(n, 0, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    shape[0] = SHAPE(dy.dim[1], x.dim[1]);
    shape[1] = SHAPE(dy.dim[1]);
    if (n->n_in == 3 && shape_count(n->in[2]->shape) != shape_count(shape[0]))
        return op_refuse(n, err, "%s is not as large as the product",
                         op_describe(n, 2, left, sizeof left));
    return 0;
}

static int weight_grad_adds(const struct node *n)
{
    return n->n_in == 2;
}

static void weight_grad_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                               struct tensor **out)
{
    out[0] = graph_apply(g, &op_matmul_row, n->n_in, in, &of_rows)->out[0];
    out[1] = op_sum(g, in[0], 0, 1, 0, 1.0);
}

static void weight_grad_cost(const struct node *n, struct op_cost *c)
{
    int64_t count = shape_count(n->in[0]->shape);
    c->macs = count * shape_last(n->in[1]->shape);
    c->macs_fvcore = c->macs;
    c->other_flops = count;
}

const struct op op_linear_weight_grad_row = {
    .name = "linear_weight_grad",
    .doc = "gradients of linear's weight and bias: (dy, x[, more]) -> dy^T x + more, rows of dy",
    .flags = OP_FUSED | OP_OPTIONAL | OP_BACKWARD | OP_INPLACE,
    .overwrites = 1 << 2,
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .shape = weight_grad_shape,
    .expand = weight_grad_expand,
    .adds = weight_grad_adds,
    .cost = weight_grad_cost,
};
