/* add, sub, mul, div: broadcasting as numpy does. */
#include "tensor/ops/rule.h"

static struct tensor *binary(struct graph *g, const struct op *op, struct tensor *a,
                             struct tensor *b)
{
    return apply2(g, op, a, b, NULL);
}

struct tensor *op_add(struct graph *g, struct tensor *a, struct tensor *b)
{
    return binary(g, &op_add_row, a, b);
}

struct tensor *op_sub(struct graph *g, struct tensor *a, struct tensor *b)
{
    return binary(g, &op_sub_row, a, b);
}

struct tensor *op_mul(struct graph *g, struct tensor *a, struct tensor *b)
{
    return binary(g, &op_mul_row, a, b);
}

struct tensor *op_div(struct graph *g, struct tensor *a, struct tensor *b)
{
    return binary(g, &op_div_row, a, b);
}

static int64_t dim_from_right(struct shape s, int i) /* i = 0 is the last; missing ones are 1 */
{
    return i < s.rank ? s.dim[s.rank - 1 - i] : 1;
}

static int broadcast_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                           struct error *err)
{
    (void)type;
    struct shape a = n->in[0]->shape, b = n->in[1]->shape;
    char left[200], right[200];
    shape[0].rank = a.rank > b.rank ? a.rank : b.rank;
    for (int i = 0; i < shape[0].rank; i++) {
        int64_t x = dim_from_right(a, i), y = dim_from_right(b, i);
        if (x != y && x != 1 && y != 1)
            return op_refuse(n, err, "%s and %s cannot be broadcast",
                             op_describe(n, 0, left, sizeof left),
                             op_describe(n, 1, right, sizeof right));
        shape[0].dim[shape[0].rank - 1 - i] = x > y ? x : y;
    }
    return 0;
}

/* Sums d over whatever was repeated to make it from a tensor of shape s: runs of neighbouring axes
 * at a time. */
static struct tensor *sum_to(struct graph *g, struct tensor *d, struct shape s)
{
    int rank = d->shape.rank;
    for (int i = 0; i < rank;) {
        int count = 0;
        while (i + count < rank && dim_from_right(s, rank - 1 - i - count) == 1 &&
               d->shape.dim[i + count] != 1)
            count++;
        if (count)
            d = op_sum(g, d, i, count, 1, 1.0);
        i += count + 1;
    }
    return op_reshape(g, d, s);
}

static void add_grad(struct grad *gr)
{
    for (int i = 0; i < 2; i++)
        if (gr->wanted[i])
            gr->din[i] = sum_to(gr->g, gr->dout[0], gr->node->in[i]->shape);
}

static void sub_grad(struct grad *gr)
{
    if (gr->wanted[0])
        gr->din[0] = sum_to(gr->g, gr->dout[0], gr->node->in[0]->shape);
    if (gr->wanted[1])
        gr->din[1] = op_affine(gr->g, sum_to(gr->g, gr->dout[0], gr->node->in[1]->shape), -1, 0);
}

static void mul_grad(struct grad *gr)
{
    for (int i = 0; i < 2; i++)
        if (gr->wanted[i])
            gr->din[i] = sum_to(gr->g, op_mul(gr->g, gr->dout[0], gr->node->in[1 - i]),
                                gr->node->in[i]->shape);
}

static void div_grad(struct grad *gr) /* y = a/b: da = dy/b, db = -dy y/b */
{
    struct tensor *const *in = gr->node->in;
    struct tensor *da = op_div(gr->g, gr->dout[0], in[1]);
    if (gr->wanted[0])
        gr->din[0] = sum_to(gr->g, da, in[0]->shape);
    if (gr->wanted[1])
        gr->din[1] = op_affine(
            gr->g, sum_to(gr->g, op_mul(gr->g, da, gr->node->out[0]), in[1]->shape), -1, 0);
}

#define BINARY(NAME, DOC)                                                                          \
    const struct op op_##NAME##_row = {                                                            \
        .name = #NAME,                                                                             \
        .doc = DOC,                                                                                \
        .flags = OP_INPLACE,                                                                       \
        .min_in = 2,                                                                               \
        .max_in = 2,                                                                               \
        .n_out = 1,                                                                                \
        .shape = broadcast_shape,                                                                  \
        .grad = NAME##_grad,                                                                       \
        .cost = rule_cost_elements,                                                                \
    }

BINARY(add, "a + b, broadcast");
BINARY(sub, "a - b, broadcast");
BINARY(mul, "a * b, broadcast");
BINARY(div, "a / b, broadcast");
