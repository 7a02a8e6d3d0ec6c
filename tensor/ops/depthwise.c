/* depthwise: one small filter for each channel, along the tokens. */
#include "tensor/ops/rule.h"

struct tensor *op_depthwise(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return graph_apply(g, &op_depthwise_row, 3, (struct tensor *[]){x, w, b}, NULL)->out[0];
}

static int depthwise_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    struct shape x = n->in[0]->shape, w = n->in[1]->shape;
    char left[200], right[200];
    if (x.rank != 3 || w.rank != 3 || w.dim[0] != x.dim[2] || w.dim[1] != 1 || w.dim[2] % 2 == 0 ||
        !shape_equal(n->in[2]->shape, SHAPE(x.dim[2])))
        return op_refuse(n, err, "%s does not fit the filters %s (channels, 1, odd width)",
                         op_describe(n, 0, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    shape[0] = x;
    return 0;
}

static void depthwise_grad(struct grad *gr)
{
    struct tensor *in[] = {gr->node->in[0], gr->node->in[1], gr->dout[0]};
    struct node *d = graph_apply(gr->g, &op_depthwise_grad_row, 3, in, NULL);
    for (int i = 0; i < 3; i++)
        gr->din[i] = d->out[i];
}

/* fvcore does not see it: padding "same" traces to an operator that it has no entry for. */
static void depthwise_cost(const struct node *n, struct op_cost *c)
{
    c->macs = shape_count(n->in[0]->shape) * n->in[1]->shape.dim[2];
    c->macs_fvcore = 0;
}

const struct op op_depthwise_row = {
    .name = "depthwise",
    .doc = "depthwise convolution along the tokens, zero padded",
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = depthwise_shape,
    .grad = depthwise_grad,
    .cost = depthwise_cost,
};

static int depthwise_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                                struct error *err)
{
    (void)type;
    (void)err;
    shape[0] = n->in[0]->shape;
    shape[1] = n->in[1]->shape;
    shape[2] = SHAPE(n->in[0]->shape.dim[2]);
    return 0;
}

const struct op op_depthwise_grad_row = {
    .name = "depthwise_grad",
    .doc = "gradient of depthwise: (x, w, dy) -> dx, dw, db",
    .flags = OP_BACKWARD,
    .min_in = 3,
    .max_in = 3,
    .n_out = 3,
    .shape = depthwise_grad_shape,
};
