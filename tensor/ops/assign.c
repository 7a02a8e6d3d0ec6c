/* scatter_rows and gather_rows: moving tokens by an assignment vector. Each is the other's adjoint.
 */
#include "tensor/ops/rule.h"

struct tensor *op_scatter_rows(struct graph *g, struct tensor *x, struct tensor *assign, int axis,
                               int64_t count)
{
    struct assign_attr a = {rule_axis(x->shape.rank, axis), count};
    return apply2(g, &op_scatter_rows_row, x, assign, &a);
}

struct tensor *op_scatter_max(struct graph *g, struct tensor *x, struct tensor *assign, int axis,
                              int64_t count)
{
    struct assign_attr a = {rule_axis(x->shape.rank, axis), count};
    return apply2(g, &op_scatter_max_row, x, assign, &a);
}

struct tensor *op_gather_rows(struct graph *g, struct tensor *x, struct tensor *assign, int axis)
{
    struct assign_attr a = {rule_axis(x->shape.rank, axis), 0};
    return apply2(g, &op_gather_rows_row, x, assign, &a);
}

/* x has a batch axis, then somewhere the axis that is moved; assign is (B, length). */
static int check_assign(const struct node *n, int64_t length, struct error *err)
{
    const struct assign_attr *a = n->attr;
    struct shape x = n->in[0]->shape, assign = n->in[1]->shape;
    char text[200], other[200];
    if (a->axis < 1)
        return op_refuse(n, err, "%s has no such axis behind the batch",
                         op_describe(n, 0, text, sizeof text));
    if (n->in[1]->type != TENSOR_INT || assign.rank != 2 || assign.dim[0] != x.dim[0] ||
        (length >= 0 && assign.dim[1] != length))
        return op_refuse(n, err, "%s is no assignment of the rows of %s along axis %d",
                         op_describe(n, 1, text, sizeof text),
                         op_describe(n, 0, other, sizeof other), a->axis);
    return 0;
}

static int scatter_rows_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                              struct error *err)
{
    (void)type;
    const struct assign_attr *a = n->attr;
    int64_t length = a->axis < 0 ? 0 : n->in[0]->shape.dim[a->axis];
    if (check_assign(n, length, err))
        return -1;
    shape[0] = n->in[0]->shape;
    shape[0].dim[a->axis] = a->count;
    return 0;
}

static void scatter_rows_grad(struct grad *gr)
{
    const struct assign_attr *a = gr->node->attr;
    gr->din[0] = op_gather_rows(gr->g, gr->dout[0], gr->node->in[1], a->axis);
}

/* One addition an element. */
static void scatter_rows_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = shape_count(n->in[0]->shape);
}

const struct op op_scatter_rows_row = {
    .name = "scatter_rows",
    .doc = "sums rows that are assigned to the same place: merging tokens",
    .attr_size = sizeof(struct assign_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = scatter_rows_shape,
    .grad = scatter_rows_grad,
    .cost = scatter_rows_cost,
};

const struct op op_scatter_max_row = {
    .name = "scatter_max",
    .doc = "largest of the rows that are assigned to the same place, a constant to autograd",
    .flags = OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct assign_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = scatter_rows_shape,
    .cost = scatter_rows_cost,
};

static int gather_rows_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                             struct error *err)
{
    (void)type;
    const struct assign_attr *a = n->attr;
    if (check_assign(n, -1, err))
        return -1;
    shape[0] = n->in[0]->shape;
    shape[0].dim[a->axis] = n->in[1]->shape.dim[1];
    return 0;
}

static void gather_rows_grad(struct grad *gr)
{
    const struct assign_attr *a = gr->node->attr;
    gr->din[0] = op_scatter_rows(gr->g, gr->dout[0], gr->node->in[1], a->axis,
                                 gr->node->in[0]->shape.dim[a->axis]);
}

const struct op op_gather_rows_row = {
    .name = "gather_rows",
    .doc = "the row that each place is assigned to: undoing a merge",
    .attr_size = sizeof(struct assign_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = gather_rows_shape,
    .grad = gather_rows_grad,
};
