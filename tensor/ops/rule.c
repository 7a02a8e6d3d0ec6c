/* Rules that several rows share. */
#include "tensor/ops/rule.h"

int rule_same_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                    struct error *err)
{
    (void)type;
    (void)err;
    shape[0] = n->in[0]->shape;
    return 0;
}

int rule_all_same(const struct node *n, struct shape *shape, enum tensor_type *type,
                  struct error *err)
{
    (void)type;
    char a[200], b[200];
    for (int i = 1; i < n->n_in; i++)
        if (!shape_equal(n->in[i]->shape, n->in[0]->shape))
            return op_refuse(n, err, "%s and %s differ in shape", op_describe(n, 0, a, sizeof a),
                             op_describe(n, i, b, sizeof b));
    shape[0] = n->in[0]->shape;
    return 0;
}

void rule_cost_elements(const struct node *n, struct op_cost *c)
{
    c->other_flops = shape_count(n->out[0]->shape);
}

int rule_axis(int rank, int axis)
{
    int a = axis < 0 ? axis + rank : axis;
    return a >= 0 && a < rank ? a : -1;
}
