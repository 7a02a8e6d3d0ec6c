/* Multi-head attention with heads as column ranges. */
#include "tensor/ops/rule.h"

struct tensor *op_attention(struct graph *g, struct tensor *q, struct tensor *k, struct tensor *v,
                            struct tensor *key_bias, int heads, double scale)
{
    struct attention_attr a = {.heads = heads, .has_bias = key_bias != NULL, .scale = scale};
    struct tensor *in[] = {q, k, v, key_bias};
    return graph_apply(g, &op_attention_row, key_bias ? 4 : 3, in, &a)->out[0];
}

struct tensor *op_attention_packed(struct graph *g, struct tensor *qkv, struct tensor *key_bias,
                                   int heads, double scale)
{
    struct attention_attr a = {
        .heads = heads, .packed = 1, .has_bias = key_bias != NULL, .scale = scale};
    struct tensor *in[] = {qkv, key_bias};
    return graph_apply(g, &op_attention_row, key_bias ? 2 : 1, in, &a)->out[0];
}

struct attention_size op_attention_size(const struct node *n)
{
    const struct attention_attr *a = n->attr;
    struct shape q = n->in[0]->shape;
    if (a->packed) {
        int64_t dim = q.dim[2] / 3 / a->heads;
        return (struct attention_size){q.dim[0], q.dim[1], q.dim[1], a->heads, dim, dim};
    }
    struct shape k = n->in[1]->shape, v = n->in[2]->shape;
    return (struct attention_size){
        q.dim[0], q.dim[1], k.dim[1], a->heads, q.dim[2] / a->heads, v.dim[2] / a->heads};
}

static int operands_fit(const struct node *n, const struct attention_attr *a)
{
    struct shape q = n->in[0]->shape;
    if (q.rank != 3)
        return 0;
    if (a->packed)
        return q.dim[2] % (3 * a->heads) == 0;
    struct shape k = n->in[1]->shape, v = n->in[2]->shape;
    return k.rank == 3 && v.rank == 3 && k.dim[0] == q.dim[0] && v.dim[0] == q.dim[0] &&
           k.dim[2] == q.dim[2] && k.dim[1] == v.dim[1] && q.dim[2] % a->heads == 0 &&
           v.dim[2] % a->heads == 0;
}

static int attention_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    const struct attention_attr *a = n->attr;
    char text[200];
    if (!operands_fit(n, a))
        return op_refuse(n, err, "%s does not split into %d heads or does not fit keys and values",
                         op_describe(n, 0, text, sizeof text), a->heads);
    struct attention_size s = op_attention_size(n);
    if (a->has_bias && !shape_equal(n->in[n->n_in - 1]->shape, SHAPE(s.batch, s.keys)))
        return op_refuse(n, err, "the key bias %s is not (batch, keys)",
                         op_describe(n, n->n_in - 1, text, sizeof text));
    shape[0] = SHAPE(s.batch, s.queries, s.heads * s.value_dim);
    shape[1] = SHAPE(s.batch, s.heads, s.queries);
    return 0;
}

static void attention_grad(struct grad *gr)
{
    const struct node *n = gr->node;
    const struct attention_attr *a = n->attr;
    struct tensor *in[7];
    int n_in = 0, n_values = a->packed ? 1 : 3;
    for (int i = 0; i < n->n_in; i++)
        in[n_in++] = n->in[i];
    in[n_in++] = n->out[0];
    in[n_in++] = n->out[1];
    in[n_in++] = gr->dout[0];
    struct node *d = graph_apply(gr->g, &op_attention_grad_row, n_in, in, a);
    for (int i = 0; i < n_values; i++)
        gr->din[i] = d->out[i];
}

/* q, k, v as separate tensors. */
static void unpack(struct graph *g, const struct attention_attr *a, struct tensor *const *in,
                   struct tensor *qkv[3])
{
    int64_t width = in[0]->shape.dim[2] / 3;
    for (int i = 0; i < 3; i++)
        qkv[i] = a->packed ? op_slice(g, in[0], 2, i * width, width) : in[i];
}

static void attention_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                             struct tensor **out)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    struct tensor *x[3];
    unpack(g, a, in, x);
    struct tensor *scores =
        op_matmul(g, x[0], x[1], (struct matmul_attr){a->heads, 0, 1, 4, a->scale});
    if (a->has_bias)
        scores = op_add(g, scores, op_reshape(g, in[n->n_in - 1], SHAPE(s.batch, 1, 1, s.keys)));
    struct tensor *top = op_max(g, scores, 3);
    struct tensor *e = op_exp(g, op_sub(g, scores, top));
    struct tensor *sum = op_sum(g, e, 3, 1, 1, 1.0);
    struct tensor *p = op_div(g, e, sum);
    out[0] = op_matmul(g, p, x[2], (struct matmul_attr){a->heads, 0, 0, 3, 1.0});
    out[1] = op_reshape(g, op_add(g, top, op_log(g, sum)), n->out[1]->shape);
}

static void attention_cost(const struct node *n, struct op_cost *c)
{
    const struct attention_attr *a = n->attr;
    struct attention_size s = op_attention_size(n);
    int64_t scores = s.batch * s.heads * s.queries * s.keys;
    c->macs = scores * (s.dim + s.value_dim);
    c->macs_fvcore = a->explicit_products ? c->macs : 0;
    c->other_flops = 4 * scores;
}

const struct op op_attention_row = {
    .name = "attention",
    .doc = "multi-head attention, scores never in memory",
    .flags = OP_FUSED,
    .attr_size = sizeof(struct attention_attr),
    .min_in = 1,
    .max_in = 4,
    .n_out = 2,
    .shape = attention_shape,
    .grad = attention_grad,
    .expand = attention_expand,
    .gradient = &op_attention_grad_row,
    .cost = attention_cost,
};

static int attention_grad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                                struct error *err)
{
    (void)type;
    (void)err;
    const struct attention_attr *a = n->attr;
    for (int i = 0; i < 3; i++)
        shape[i] = i == 0 || !a->packed ? n->in[i]->shape : SHAPE_SCALAR;
    return 0;
}

const struct op op_attention_grad_row = {
    .name = "attention_grad",
    .doc = "gradient of attention: (inputs…, out, lse, dout) -> dq, dk, dv or dqkv",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct attention_attr),
    .min_in = 4,
    .max_in = 7,
    .n_out = 3,
    .shape = attention_grad_shape,
};
