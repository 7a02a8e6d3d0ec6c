/* reshape, slice, pad, concat, repeat, swap: ops that move elements. */
#include "tensor/ops/rule.h"

/* ---- reshape --------------------------------------------------------------------------------- */

struct tensor *op_reshape(struct graph *g, struct tensor *x, struct shape shape)
{
    if (shape_equal(x->shape, shape))
        return x;
    return apply1(g, &op_reshape_row, x, &(struct reshape_attr){shape});
}

static int reshape_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                         struct error *err)
{
    const struct reshape_attr *a = n->attr;
    char from[200], to[128];
    if (shape_count(a->shape) != shape_count(n->in[0]->shape))
        return op_refuse(n, err, "%s has another number of elements than %s",
                         op_describe(n, 0, from, sizeof from), shape_text(a->shape, to, sizeof to));
    shape[0] = a->shape;
    type[0] = n->in[0]->type;
    return 0;
}

static void reshape_grad(struct grad *gr)
{
    gr->din[0] = op_reshape(gr->g, gr->dout[0], gr->node->in[0]->shape);
}

const struct op op_reshape_row = {
    .name = "reshape",
    .doc = "the same elements under another shape",
    .flags = OP_ALIAS,
    .attr_size = sizeof(struct reshape_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = reshape_shape,
    .grad = reshape_grad,
};

/* ---- slice and pad --------------------------------------------------------------------------- */

struct tensor *op_slice(struct graph *g, struct tensor *x, int axis, int64_t start, int64_t length)
{
    int a = rule_axis(x->shape.rank, axis);
    if (a >= 0 && start == 0 && length == x->shape.dim[a])
        return x;
    return apply1(g, &op_slice_row, x, &(struct range_attr){a, start, length});
}

static int slice_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                       struct error *err)
{
    (void)type;
    const struct range_attr *r = n->attr;
    char text[200];
    if (r->axis < 0 || r->a < 0 || r->b < 1 || r->a + r->b > n->in[0]->shape.dim[r->axis])
        return op_refuse(n, err, "%s has no elements %lld to %lld along axis %d",
                         op_describe(n, 0, text, sizeof text), (long long)r->a,
                         (long long)(r->a + r->b - 1), r->axis);
    shape[0] = n->in[0]->shape;
    shape[0].dim[r->axis] = r->b;
    return 0;
}

static void slice_grad(struct grad *gr)
{
    const struct range_attr *r = gr->node->attr;
    int64_t size = gr->node->in[0]->shape.dim[r->axis];
    gr->din[0] = op_pad(gr->g, gr->dout[0], r->axis, r->a, size - r->a - r->b);
}

const struct op op_slice_row = {
    .name = "slice",
    .doc = "a range along one axis",
    .attr_size = sizeof(struct range_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = slice_shape,
    .grad = slice_grad,
};

struct tensor *op_pad(struct graph *g, struct tensor *x, int axis, int64_t before, int64_t after)
{
    if (before == 0 && after == 0)
        return x;
    return apply1(g, &op_pad_row, x,
                  &(struct range_attr){rule_axis(x->shape.rank, axis), before, after});
}

static int pad_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                     struct error *err)
{
    (void)type;
    const struct range_attr *r = n->attr;
    char text[200];
    if (r->axis < 0 || r->a < 0 || r->b < 0)
        return op_refuse(n, err, "%s cannot be padded by %lld and %lld",
                         op_describe(n, 0, text, sizeof text), (long long)r->a, (long long)r->b);
    shape[0] = n->in[0]->shape;
    shape[0].dim[r->axis] += r->a + r->b;
    return 0;
}

static void pad_grad(struct grad *gr)
{
    const struct range_attr *r = gr->node->attr;
    gr->din[0] = op_slice(gr->g, gr->dout[0], r->axis, r->a, gr->node->in[0]->shape.dim[r->axis]);
}

const struct op op_pad_row = {
    .name = "pad",
    .doc = "zeros before and after along one axis",
    .attr_size = sizeof(struct range_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = pad_shape,
    .grad = pad_grad,
};

/* ---- concat ---------------------------------------------------------------------------------- */

enum { CONCAT_MAX = 16 };

struct tensor *op_concat(struct graph *g, struct tensor *const *x, int n, int axis)
{
    if (n == 1)
        return x[0];
    struct axis_attr a = {rule_axis(x[0]->shape.rank, axis)};
    return graph_apply(g, &op_concat_row, n, x, &a)->out[0];
}

static int concat_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct axis_attr *a = n->attr;
    char first[200], other[200];
    if (a->axis < 0)
        return op_refuse(n, err, "%s has no such axis", op_describe(n, 0, first, sizeof first));
    shape[0] = n->in[0]->shape;
    for (int i = 1; i < n->n_in; i++) {
        struct shape s = n->in[i]->shape;
        int64_t size = s.rank == shape[0].rank ? s.dim[a->axis] : 0;
        s.dim[a->axis] = shape[0].dim[a->axis];
        if (!shape_equal(s, shape[0]))
            return op_refuse(n, err, "%s and %s differ elsewhere than in axis %d",
                             op_describe(n, 0, first, sizeof first),
                             op_describe(n, i, other, sizeof other), a->axis);
        shape[0].dim[a->axis] += size;
    }
    return 0;
}

static void concat_grad(struct grad *gr)
{
    const struct axis_attr *a = gr->node->attr;
    int64_t start = 0;
    for (int i = 0; i < gr->node->n_in; i++) {
        int64_t size = gr->node->in[i]->shape.dim[a->axis];
        if (gr->wanted[i])
            gr->din[i] = op_slice(gr->g, gr->dout[0], a->axis, start, size);
        start += size;
    }
}

const struct op op_concat_row = {
    .name = "concat",
    .doc = "joins tensors along one axis",
    .attr_size = sizeof(struct axis_attr),
    .min_in = 2,
    .max_in = CONCAT_MAX,
    .n_out = 1,
    .shape = concat_shape,
    .grad = concat_grad,
};

/* ---- repeat ---------------------------------------------------------------------------------- */

struct tensor *op_repeat(struct graph *g, struct tensor *x, int64_t count)
{
    if (count == 1)
        return x;
    return apply1(g, &op_repeat_row, x, &(struct count_attr){count});
}

static int repeat_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct count_attr *a = n->attr;
    char text[200];
    if (n->in[0]->shape.rank < 1 || n->in[0]->shape.dim[0] != 1)
        return op_refuse(n, err, "%s does not begin with a dimension of 1",
                         op_describe(n, 0, text, sizeof text));
    shape[0] = n->in[0]->shape;
    shape[0].dim[0] = a->count;
    return 0;
}

static void repeat_grad(struct grad *gr)
{
    gr->din[0] = op_sum(gr->g, gr->dout[0], 0, 1, 1, 1.0);
}

const struct op op_repeat_row = {
    .name = "repeat",
    .doc = "one copy for each batch element",
    .attr_size = sizeof(struct count_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = repeat_shape,
    .grad = repeat_grad,
};

/* ---- swap ------------------------------------------------------------------------------------ */

struct tensor *op_swap(struct graph *g, struct tensor *x, int axis)
{
    return apply1(g, &op_swap_row, x, &(struct axis_attr){axis});
}

static int swap_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    const struct axis_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    char text[200];
    if (a->axis < 0 || a->axis + 1 >= s.rank)
        return op_refuse(n, err, "%s has no axes %d and %d", op_describe(n, 0, text, sizeof text),
                         a->axis, a->axis + 1);
    shape[0] = s;
    shape[0].dim[a->axis] = s.dim[a->axis + 1];
    shape[0].dim[a->axis + 1] = s.dim[a->axis];
    return 0;
}

static void swap_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_swap_row, gr->dout[0], gr->node->attr);
}

const struct op op_swap_row = {
    .name = "swap",
    .doc = "two neighbouring axes change places",
    .attr_size = sizeof(struct axis_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = swap_shape,
    .grad = swap_grad,
};

/* ---- stop_gradient --------------------------------------------------------------------------- */

struct tensor *op_stop_gradient(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_stop_gradient_row, x, NULL);
}

const struct op op_stop_gradient_row = {
    .name = "stop_gradient",
    .doc = "the same values, a constant for autograd",
    .flags = OP_ALIAS | OP_CONSTANT_GRAD,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = rule_same_shape,
};
