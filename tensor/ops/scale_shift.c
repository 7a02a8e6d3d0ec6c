/* scale_shift: a gain and an offset for each channel. */
#include "tensor/ops/rule.h"

struct tensor *op_scale_shift(struct graph *g, struct tensor *x, struct tensor *gain,
                              struct tensor *offset)
{
    return graph_apply(g, &op_scale_shift_row, 3, (struct tensor *[]){x, gain, offset}, NULL)
        ->out[0];
}

static int scale_shift_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                             struct error *err)
{
    (void)type;
    struct shape channels = SHAPE(shape_last(n->in[0]->shape));
    char text[200], other[200];
    for (int i = 1; i < 3; i++)
        if (!shape_equal(n->in[i]->shape, channels))
            return op_refuse(n, err, "%s has not one value for each channel of %s",
                             op_describe(n, i, other, sizeof other),
                             op_describe(n, 0, text, sizeof text));
    shape[0] = n->in[0]->shape;
    return 0;
}

/* Sum over all axes but the last. */
static struct tensor *over_rows(struct graph *g, struct tensor *x)
{
    return op_sum(g, x, 0, x->shape.rank - 1, 0, 1);
}

static void scale_shift_grad(struct grad *gr)
{
    struct graph *g = gr->g;
    struct tensor *dy = gr->dout[0];
    if (gr->wanted[0])
        gr->din[0] = op_mul(g, dy, gr->node->in[1]);
    if (gr->wanted[1])
        gr->din[1] = over_rows(g, op_mul(g, dy, gr->node->in[0]));
    if (gr->wanted[2])
        gr->din[2] = over_rows(g, dy);
}

static void scale_shift_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                               struct tensor **out)
{
    (void)n;
    out[0] = op_add(g, op_mul(g, in[0], in[1]), in[2]);
}

/* fvcore counts batch norm in inference as 2 an element. */
static void scale_shift_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = 2 * shape_count(n->out[0]->shape);
    c->macs_fvcore = c->other_flops;
}

const struct op op_scale_shift_row = {
    .name = "scale_shift",
    .doc = "a gain and an offset for each channel",
    .flags = OP_INPLACE | OP_FUSED,
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = scale_shift_shape,
    .grad = scale_shift_grad,
    .expand = scale_shift_expand,
    .cost = scale_shift_cost,
};
