/* resample: a sparse linear map along one axis. */
#include "tensor/ops/rule.h"

struct tensor *op_resample(struct graph *g, struct tensor *x, int axis, const struct mixing *m,
                           int64_t macs_fvcore)
{
    struct resample_attr a = {rule_axis(x->shape.rank, axis), m, mixing_transpose(&g->arena, m),
                              macs_fvcore};
    return apply1(g, &op_resample_row, x, &a);
}

struct tensor *op_pool_grid(struct graph *g, struct tensor *x, int64_t rows, int64_t cols,
                            int64_t out_rows, int64_t out_cols)
{
    struct mixing *m = mixing_grid(&g->arena, mixing_pool(&g->arena, rows, out_rows),
                                   mixing_pool(&g->arena, cols, out_cols));
    return op_resample(g, x, 1, m, x->shape.dim[1] * x->shape.dim[2]);
}

static int resample_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                          struct error *err)
{
    (void)type;
    const struct resample_attr *a = n->attr;
    char text[200];
    if (a->axis < 0 || n->in[0]->shape.dim[a->axis] != a->forward->n_in)
        return op_refuse(n, err, "%s does not have the %lld elements that are resampled",
                         op_describe(n, 0, text, sizeof text), (long long)a->forward->n_in);
    shape[0] = n->in[0]->shape;
    shape[0].dim[a->axis] = a->forward->n_out;
    return 0;
}

static void resample_grad(struct grad *gr)
{
    const struct resample_attr *a = gr->node->attr;
    struct resample_attr back = {a->axis, a->adjoint, a->forward, 0};
    gr->din[0] = apply1(gr->g, &op_resample_row, gr->dout[0], &back);
}

static void resample_cost(const struct node *n, struct op_cost *c)
{
    const struct resample_attr *a = n->attr;
    int64_t outer = shape_count(n->out[0]->shape) / a->forward->n_out;
    c->other_flops = 2 * outer * a->forward->start[a->forward->n_out];
    c->macs_fvcore = a->macs_fvcore * n->out[0]->shape.dim[0];
}

const struct op op_resample_row = {
    .name = "resample",
    .doc = "a fixed sparse linear map along one axis: pooling, resizing",
    .attr_size = sizeof(struct resample_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = resample_shape,
    .grad = resample_grad,
    .cost = resample_cost,
};
