/* The op table and what is common to all rows. */
#include "tensor/ops/op.h"

#include <stdio.h>
#include <string.h>

static const struct op *const ops[] = {
#define OP(name) &op_##name##_row,
#include "tensor/ops/ops.def"
#undef OP
};

enum { N_OPS = sizeof ops / sizeof *ops };

const struct op *op_at(int i)
{
    return i >= 0 && i < N_OPS ? ops[i] : NULL;
}

int op_count(void)
{
    return N_OPS;
}

const struct op *op_find(const char *name)
{
    for (int i = 0; i < N_OPS; i++)
        if (!strcmp(ops[i]->name, name))
            return ops[i];
    return NULL;
}

int op_index(const struct op *op)
{
    for (int i = 0; i < N_OPS; i++)
        if (ops[i] == op)
            return i;
    BUG("op %s is not in ops.def", op->name);
}

void op_cost(const struct node *n, struct op_cost *c)
{
    *c = (struct op_cost){0};
    if (n->op->flags & OP_ALIAS)
        return;
    for (int i = 0; i < n->n_in; i++)
        c->bytes_read += 4 * shape_count(n->in[i]->shape);
    for (int i = 0; i < n->n_out; i++)
        c->bytes_written += 4 * shape_count(n->out[i]->shape);
    if (n->op->cost)
        n->op->cost(n, c);
}

const char *op_describe(const struct node *n, int input, char *text, size_t size)
{
    char shape[128];
    const struct tensor *t = n->in[input];
    shape_text(t->shape, shape, sizeof shape);
    if (t->kind == TENSOR_NODE)
        snprintf(text, size, "the result of %s%s%s %s", t->producer->scope,
                 t->producer->scope[0] ? "/" : "", t->name, shape);
    else
        snprintf(text, size, "%s %s", t->name, shape);
    return text;
}

int op_refuse(const struct node *n, struct error *err, const char *fmt, ...)
{
    char text[800];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    return error_set(err, "%s: %s", n->op->name, text);
}
