/* Linear attention with elu + 1 and a normaliser. */
#include "tensor/ops/rule.h"

struct tensor *op_linear_attention(struct graph *g, struct tensor *q, struct tensor *k,
                                   struct tensor *v, int heads, double eps)
{
    return graph_apply(g, &op_linear_attention_row, 3, (struct tensor *[]){q, k, v},
                       &(struct linear_attention_attr){heads, eps})
        ->out[0];
}

struct attention_size op_linear_attention_size(const struct node *n)
{
    const struct linear_attention_attr *a = n->attr;
    struct shape q = n->in[0]->shape, k = n->in[1]->shape, v = n->in[2]->shape;
    return (struct attention_size){
        q.dim[0], q.dim[1], k.dim[1], a->heads, q.dim[2] / a->heads, v.dim[2] / a->heads};
}

static int linear_attention_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                                  struct error *err)
{
    (void)type;
    const struct linear_attention_attr *a = n->attr;
    struct shape q = n->in[0]->shape, k = n->in[1]->shape, v = n->in[2]->shape;
    char left[200], right[200];
    if (q.rank != 3 || k.rank != 3 || v.rank != 3 || q.dim[0] != k.dim[0] || q.dim[0] != v.dim[0] ||
        k.dim[1] != v.dim[1] || q.dim[2] != k.dim[2] || q.dim[2] % a->heads || v.dim[2] % a->heads)
        return op_refuse(
            n, err, "query %s and keys %s do not fit each other, the values or %d heads",
            op_describe(n, 0, left, sizeof left), op_describe(n, 1, right, sizeof right), a->heads);
    struct attention_size s = op_linear_attention_size(n);
    shape[0] = SHAPE(s.batch, s.queries, s.heads * s.value_dim);
    shape[1] = SHAPE(s.batch, s.heads, s.dim, s.value_dim);
    shape[2] = SHAPE(s.batch, s.heads, s.dim);
    return 0;
}

static void linear_attention_grad(struct grad *gr)
{
    const struct node *n = gr->node;
    struct tensor *in[] = {n->in[0],  n->in[1],  n->in[2],   n->out[1],
                           n->out[2], n->out[0], gr->dout[0]};
    struct node *d = graph_apply(gr->g, &op_linear_attention_grad_row, 7, in, n->attr);
    for (int i = 0; i < 3; i++)
        gr->din[i] = d->out[i];
}

static void linear_attention_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                                    struct tensor **out)
{
    const struct linear_attention_attr *a = n->attr;
    struct attention_size s = op_linear_attention_size(n);
    struct tensor *q = op_phi(g, in[0]), *k = op_phi(g, in[1]);
    struct tensor *kv = op_matmul(g, k, in[2], (struct matmul_attr){a->heads, 1, 0, 4, 1.0});
    struct tensor *ksum = op_sum(g, k, 1, 1, 0, 1.0);
    struct tensor *column = op_reshape(g, ksum, SHAPE(s.batch, s.heads, s.dim, 1));
    struct matmul_attr plain = {a->heads, 0, 0, 3, 1.0};
    struct tensor *top = op_matmul(g, q, kv, plain);
    struct tensor *bottom = op_affine(g, op_matmul(g, q, column, plain), 1, a->eps);
    struct tensor *ratio =
        op_div(g, op_reshape(g, top, SHAPE(s.batch, s.queries, s.heads, s.value_dim)),
               op_reshape(g, bottom, SHAPE(s.batch, s.queries, s.heads, 1)));
    out[0] = op_reshape(g, ratio, n->out[0]->shape);
    out[1] = kv;
    out[2] = op_reshape(g, ksum, n->out[2]->shape);
}

/* Half of the cost that numpy's einsum_path prints with "%.3e", rounded down: what fvcore reads.
 * Four digits, ties to even, as printf rounds a double; in integers, since graphs are counted by
 * the thousand. */
static int64_t einsum_macs(int64_t cost)
{
    int64_t exact = (int64_t)(double)cost, unit = 1;
    while (exact / unit > 9999)
        unit *= 10;
    int64_t digits = exact / unit, rest = exact % unit;
    if (2 * rest > unit || (2 * rest == unit && digits % 2))
        digits++;
    return (int64_t)(double)(digits * unit) / 2;
}

static void linear_attention_cost(const struct node *n, struct op_cost *c)
{
    struct attention_size s = op_linear_attention_size(n);
    int64_t b = s.batch, h = s.heads, f = s.dim, e = s.value_dim;
    int64_t small = e < f ? e : f;
    c->macs = b * h * (s.keys * f * e + s.queries * f * e + s.queries * f);
    c->macs_fvcore = einsum_macs(2 * b * s.keys * h * f * e) +
                     einsum_macs(2 * b * s.queries * h * f) +
                     einsum_macs(2 * b * s.queries * h * f * e + b * s.queries * h * small);
    c->other_flops = b * h * ((s.keys + s.queries) * f * 2 + s.queries * e);
}

const struct op op_linear_attention_row = {
    .name = "linear_attention",
    .doc = "linear attention, elu + 1, normalised",
    .flags = OP_FUSED,
    .attr_size = sizeof(struct linear_attention_attr),
    .min_in = 3,
    .max_in = 3,
    .n_out = 3,
    .shape = linear_attention_shape,
    .grad = linear_attention_grad,
    .expand = linear_attention_expand,
    .gradient = &op_linear_attention_grad_row,
    .cost = linear_attention_cost,
};

static int linear_attention_grad_shape(const struct node *n, struct shape *shape,
                                       enum tensor_type *type, struct error *err)
{
    (void)type;
    (void)err;
    for (int i = 0; i < 3; i++)
        shape[i] = n->in[i]->shape;
    return 0;
}

const struct op op_linear_attention_grad_row = {
    .name = "linear_attention_grad",
    .doc = "gradient of linear_attention: (q, k, v, kv, ksum, out, dout) -> dq, dk, dv",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct linear_attention_attr),
    .min_in = 7,
    .max_in = 7,
    .n_out = 3,
    .shape = linear_attention_grad_shape,
};
