/* tome_match and mctf_match: which tokens are merged. Both split the tokens into those at even
 * positions (A) and those at odd ones (B), score every pair, and say where each token goes. */
#include "tensor/ops/rule.h"

static int64_t min_i64(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* ---- ToMe ------------------------------------------------------------------------------------ */

int64_t op_tome_amount(int64_t tokens, int64_t r, int class_token, int distill)
{
    int64_t most = (tokens - (class_token != 0) - (distill != 0)) / 2;
    r = min_i64(r, most);
    return r > 0 ? r : 0;
}

struct match op_tome_match(struct graph *g, struct tensor *metric, int64_t r, int class_token,
                           int distill)
{
    struct tome_attr a = {r, class_token, distill};
    struct node *n = graph_apply(g, &op_tome_match_row, 1, &metric, &a);
    return (struct match){n->out[0], n->out[1]};
}

/* assign (B,N), scores (B, A, B's) */
static void match_shape(struct shape x, struct shape *shape, enum tensor_type *type)
{
    shape[0] = SHAPE(x.dim[0], x.dim[1]);
    shape[1] = SHAPE(x.dim[0], (x.dim[1] + 1) / 2, x.dim[1] / 2);
    type[0] = TENSOR_INT;
}

static void match_cost(const struct node *n, struct op_cost *c)
{
    c->macs = shape_count(n->out[1]->shape) * n->in[0]->shape.dim[2];
    c->macs_fvcore = c->macs;
    c->other_flops = 2 * shape_count(n->in[0]->shape) + 2 * shape_count(n->out[1]->shape);
}

static int tome_match_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                            struct error *err)
{
    const struct tome_attr *a = n->attr;
    struct shape x = n->in[0]->shape;
    char text[200];
    if (x.rank != 3)
        return op_refuse(n, err, "%s is not (batch, tokens, channels)",
                         op_describe(n, 0, text, sizeof text));
    if (a->r < 1 || a->r != op_tome_amount(x.dim[1], a->r, a->class_token, a->distill))
        return op_refuse(
            n, err, "%lld tokens of %s cannot be merged: %lld are the most", (long long)a->r,
            op_describe(n, 0, text, sizeof text),
            (long long)op_tome_amount(x.dim[1], INT64_MAX, a->class_token, a->distill));
    match_shape(x, shape, type);
    return 0;
}

const struct op op_tome_match_row = {
    .name = "tome_match",
    .doc = "ToMe: where each token goes, by the similarity of keys",
    .flags = OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct tome_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 2,
    .shape = tome_match_shape,
    .cost = match_cost,
};

/* ---- MCTF ------------------------------------------------------------------------------------ */

int64_t op_mctf_amount(int64_t tokens, double r, int protect, int64_t min_tokens)
{
    double t = (double)tokens;
    if (t - r < (double)min_tokens)
        r = t - (double)min_tokens;
    int64_t n = (int64_t)(r < 1 ? (t - protect) * r : r);
    n = min_i64(n, (tokens - protect) / 2);
    return n > 0 ? n : 0;
}

struct match op_mctf_match(struct graph *g, struct tensor *x, struct tensor *received,
                           struct tensor *sizes, struct mctf_attr a)
{
    struct tensor *in[] = {x, received, sizes};
    struct node *n = graph_apply(g, &op_mctf_match_row, sizes ? 3 : 2, in, &a);
    return (struct match){n->out[0], n->out[1]};
}

static int mctf_match_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                            struct error *err)
{
    const struct mctf_attr *a = n->attr;
    struct shape x = n->in[0]->shape;
    char text[200], other[200];
    if (x.rank != 3)
        return op_refuse(n, err, "%s is not (batch, tokens, channels)",
                         op_describe(n, 0, text, sizeof text));
    for (int i = 1; i < n->n_in; i++)
        if (!shape_equal(n->in[i]->shape, SHAPE(x.dim[0], x.dim[1])))
            return op_refuse(n, err, "%s has not one value for each token of %s",
                             op_describe(n, i, other, sizeof other),
                             op_describe(n, 0, text, sizeof text));
    if (a->n < 1 || a->protect < 0 || a->protect > 1 || a->n > (x.dim[1] - a->protect) / 2)
        return op_refuse(n, err, "%lld tokens of %s cannot be merged: %lld are the most",
                         (long long)a->n, op_describe(n, 0, text, sizeof text),
                         (long long)((x.dim[1] - a->protect) / 2));
    match_shape(x, shape, type);
    return 0;
}

const struct op op_mctf_match_row = {
    .name = "mctf_match",
    .doc = "MCTF: where each token goes, by similarity, attention received and size",
    .flags = OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct mctf_attr),
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .shape = mctf_match_shape,
    .cost = match_cost,
};
