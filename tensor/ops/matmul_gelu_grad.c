/* matmul_gelu_grad: the gradient of what a product reads, where that is GELU's. */
#include "tensor/ops/rule.h"

struct tensor *op_matmul_gelu_grad(struct graph *g, struct tensor *dy, struct tensor *w,
                                   struct tensor *pre)
{
    return graph_apply(g, &op_matmul_gelu_grad_row, 3, (struct tensor *[]){dy, w, pre}, NULL)
        ->out[0];
}

static int gelu_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    struct shape dy = n->in[0]->shape, w = n->in[1]->shape;
    char left[200], right[200];
    if (dy.rank != 2 || w.rank != 2 || dy.dim[1] != w.dim[0])
        return op_refuse(n, err, "%s and %s cannot be multiplied",
                         op_describe(n, 0, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    shape[0] = n->in[2]->shape;
    if (shape_count(shape[0]) != dy.dim[0] * w.dim[1])
        return op_refuse(n, err, "%s is not as large as the product",
                         op_describe(n, 2, left, sizeof left));
    return 0;
}

static void gelu_grad_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                             struct tensor **out)
{
    struct tensor *dh = op_matmul(g, in[0], in[1], (struct matmul_attr){1, 0, 0, 2, 1.0});
    out[0] = op_gelu_grad(g, in[2], op_reshape(g, dh, n->out[0]->shape));
}

static void gelu_grad_cost(const struct node *n, struct op_cost *c)
{
    c->macs = shape_count(n->in[0]->shape) * shape_last(n->in[1]->shape);
    c->macs_fvcore = c->macs;
    c->other_flops = shape_count(n->out[0]->shape);
}

const struct op op_matmul_gelu_grad_row = {
    .name = "matmul_gelu_grad",
    .doc = "gradient through GELU of what a product reads: (dy, w, pre) -> dy w * gelu'(pre)",
    .flags = OP_FUSED | OP_OPTIONAL | OP_BACKWARD,
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = gelu_grad_shape,
    .expand = gelu_grad_expand,
    .cost = gelu_grad_cost,
};
