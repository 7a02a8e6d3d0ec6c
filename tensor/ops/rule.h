/* Shorthands for writing op rows; included by tensor/ops/ files only. */
#ifndef TENSOR_OPS_RULE_H
#define TENSOR_OPS_RULE_H

#include "tensor/ops/ops.h"

/* Applies op to up to three inputs and returns its first output. */
static inline struct tensor *apply1(struct graph *g, const struct op *op, struct tensor *a,
                                    const void *attr)
{
    return graph_apply(g, op, 1, &a, attr)->out[0];
}

static inline struct tensor *apply2(struct graph *g, const struct op *op, struct tensor *a,
                                    struct tensor *b, const void *attr)
{
    return graph_apply(g, op, 2, (struct tensor *[]){a, b}, attr)->out[0];
}

/* Shape rule: output 0 has the shape of input 0. */
int rule_same_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                    struct error *err);
/* Shape rule: all inputs have one shape, which is the result's. */
int rule_all_same(const struct node *n, struct shape *shape, enum tensor_type *type,
                  struct error *err);
/* Cost: one operation an output element. */
void rule_cost_elements(const struct node *n, struct op_cost *c);
/* An axis given from the front or, negative, from the end; -1 where it does not exist. */
int rule_axis(int rank, int axis);

#endif
