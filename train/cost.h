/* What a model's forward pass costs for one image: in all, by op and by layer. Exact, from the op
 * table. */
#ifndef TRAIN_COST_H
#define TRAIN_COST_H

#include "tensor/ops/op.h"

#include <stddef.h>

struct config;
struct error;

struct cost_row {
    const char *by; /* "total", "op", "layer" */
    /* "all"; an op; the layer, which is the first part of a scope, or two ("blocks.0") */
    const char *name;
    int64_t calls, params; /* params -1 by op: an op owns none */
    struct op_cost cost;
};

/* The total first, then ops, then layers, each in the order of the forward pass; rows live in the
 * arena. Parameters that the model registers and never reads count too. */
struct cost_table {
    struct arena arena;
    struct cost_row *rows;
    int n;
};
int cost_table_init(struct cost_table *t, const struct config *c, struct error *err);
void cost_table_release(struct cost_table *t);

#endif
