/* Layer normalisation. */
#include "tensor/ops/rule.h"

struct tensor *op_layer_norm(struct graph *g, struct tensor *x, struct tensor *gamma,
                             struct tensor *beta, double eps)
{
    return graph_apply(g, &op_layer_norm_row, 3, (struct tensor *[]){x, gamma, beta},
                       &(struct eps_attr){eps})
        ->out[0];
}

static struct shape rows_of(struct shape s)
{
    s.rank--;
    return s;
}

static int norm_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    struct shape x = n->in[0]->shape;
    char left[200], right[200];
    for (int i = 1; i < 3; i++)
        if (x.rank < 1 || n->in[i]->shape.rank != 1 || n->in[i]->shape.dim[0] != shape_last(x))
            return op_refuse(n, err, "%s does not fit %s", op_describe(n, i, left, sizeof left),
                             op_describe(n, 0, right, sizeof right));
    shape[0] = x;
    shape[1] = shape[2] = rows_of(x);
    return 0;
}

static void norm_grad(struct grad *gr)
{
    const struct node *n = gr->node;
    struct tensor *in[] = {gr->dout[0], n->in[0], n->in[1], n->out[1], n->out[2]};
    struct node *d = graph_apply(gr->g, &op_layer_norm_grad_row, 5, in, NULL);
    for (int i = 0; i < 3; i++)
        gr->din[i] = d->out[i];
}

static void norm_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                        struct tensor **out)
{
    const struct eps_attr *a = n->attr;
    struct tensor *x = in[0];
    int last = x->shape.rank - 1;
    double share = 1.0 / (double)shape_last(x->shape);
    struct tensor *mean = op_sum(g, x, last, 1, 1, share);
    struct tensor *centred = op_sub(g, x, mean);
    struct tensor *variance = op_sum(g, op_mul(g, centred, centred), last, 1, 1, share);
    struct tensor *deviation = op_sqrt(g, op_affine(g, variance, 1, a->eps));
    struct tensor *rstd = op_div(g, graph_scalar(g, 1.0), deviation);
    out[0] = op_add(g, op_mul(g, op_mul(g, centred, rstd), in[1]), in[2]);
    out[1] = op_reshape(g, mean, n->out[1]->shape);
    out[2] = op_reshape(g, rstd, n->out[2]->shape);
}

static void norm_cost(const struct node *n, struct op_cost *c)
{
    int64_t count = shape_count(n->in[0]->shape);
    c->other_flops = 7 * count;
    c->macs_fvcore = 5 * count;
}

const struct op op_layer_norm_row = {
    .name = "layer_norm",
    .doc = "layer normalisation over the last axis",
    .flags = OP_FUSED,
    .attr_size = sizeof(struct eps_attr),
    .min_in = 3,
    .max_in = 3,
    .n_out = 3,
    .shape = norm_shape,
    .grad = norm_grad,
    .expand = norm_expand,
    .gradient = &op_layer_norm_grad_row,
    .cost = norm_cost,
};

static int norm_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    (void)err;
    shape[0] = n->in[1]->shape;
    shape[1] = shape[2] = n->in[2]->shape;
    return 0;
}

const struct op op_layer_norm_grad_row = {
    .name = "layer_norm_grad",
    .doc = "gradient of layer_norm: (dy, x, gamma, mean, rstd) -> dx, dgamma, dbeta",
    .flags = OP_BACKWARD,
    .min_in = 5,
    .max_in = 5,
    .n_out = 3,
    .shape = norm_grad_shape,
};
