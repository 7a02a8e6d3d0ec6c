/* Layer normalisation, alone and of a sum. */
#include "tensor/ops/rule.h"

struct tensor *op_layer_norm(struct graph *g, struct tensor *x, struct tensor *gamma,
                             struct tensor *beta, double eps)
{
    return graph_apply(g, &op_layer_norm_row, 3, (struct tensor *[]){x, gamma, beta},
                       &(struct eps_attr){eps})
        ->out[0];
}

struct node *op_add_layer_norm(struct graph *g, struct tensor *a, struct tensor *b,
                               struct tensor *gamma, struct tensor *beta, double eps)
{
    return graph_apply(g, &op_add_layer_norm_row, 4, (struct tensor *[]){a, b, gamma, beta},
                       &(struct eps_attr){eps});
}

static struct shape rows_of(struct shape s)
{
    s.rank--;
    return s;
}

/* gamma and beta are the inputs first and first + 1. */
static int check_params(const struct node *n, int first, struct error *err)
{
    struct shape x = n->in[0]->shape;
    char left[200], right[200];
    for (int i = first; i < first + 2; i++)
        if (x.rank < 1 || n->in[i]->shape.rank != 1 || n->in[i]->shape.dim[0] != shape_last(x))
            return op_refuse(n, err, "%s does not fit %s", op_describe(n, i, left, sizeof left),
                             op_describe(n, 0, right, sizeof right));
    return 0;
}

static int norm_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    if (check_params(n, 1, err))
        return -1;
    shape[0] = n->in[0]->shape;
    shape[1] = shape[2] = rows_of(shape[0]);
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

static int norm_grad_adds(const struct node *n)
{
    return n->n_in == 5;
}

const struct op op_layer_norm_grad_row = {
    .name = "layer_norm_grad",
    .doc = "gradient of layer_norm: (dy, x, gamma, mean, rstd[, more]) -> dx + more, dgamma, dbeta",
    .flags = OP_BACKWARD | OP_INPLACE,
    .overwrites = 1 << 0 | 1 << 1 | 1 << 5,
    .min_in = 5,
    .max_in = 6,
    .n_out = 3,
    .shape = norm_grad_shape,
    .adds = norm_grad_adds,
};

/* ---- of a sum -------------------------------------------------------------------------------- */

static int add_norm_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                          struct error *err)
{
    (void)type;
    char left[200], right[200];
    if (!shape_equal(n->in[0]->shape, n->in[1]->shape))
        return op_refuse(n, err, "%s and %s differ in shape", op_describe(n, 0, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    if (check_params(n, 2, err))
        return -1;
    shape[0] = shape[1] = n->in[0]->shape;
    shape[2] = shape[3] = rows_of(shape[0]);
    return 0;
}

/* What comes to y directly is added to what comes through the norm. */
static void add_norm_grad(struct grad *gr)
{
    const struct node *n = gr->node;
    struct tensor *sum = gr->dout[0];
    if (gr->dout[1]) {
        struct tensor *in[] = {gr->dout[1], n->out[0], n->in[2], n->out[2], n->out[3], sum};
        struct node *d = graph_apply(gr->g, &op_layer_norm_grad_row, sum ? 6 : 5, in, NULL);
        sum = d->out[0];
        gr->din[2] = d->out[1];
        gr->din[3] = d->out[2];
    }
    gr->din[0] = gr->din[1] = sum;
}

static void add_norm_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                            struct tensor **out)
{
    struct tensor *y = op_add(g, in[0], in[1]);
    struct node *norm =
        graph_apply(g, &op_layer_norm_row, 3, (struct tensor *[]){y, in[2], in[3]}, n->attr);
    out[0] = y;
    for (int i = 0; i < 3; i++)
        out[1 + i] = norm->out[i];
}

static void add_norm_cost(const struct node *n, struct op_cost *c)
{
    norm_cost(n, c);
    c->other_flops += shape_count(n->in[0]->shape);
}

const struct op op_add_layer_norm_row = {
    .name = "add_layer_norm",
    .doc = "a + b, and its layer normalisation over the last axis",
    .flags = OP_FUSED | OP_INPLACE,
    .overwrites = 1 << 0 | 1 << 1,
    .attr_size = sizeof(struct eps_attr),
    .min_in = 4,
    .max_in = 4,
    .n_out = 4,
    .shape = add_norm_shape,
    .grad = add_norm_grad,
    .expand = add_norm_expand,
    .gradient = &op_layer_norm_grad_row,
    .cost = add_norm_cost,
};
