/* Freezing: what only frozen parameters reach needs no gradient. */
#include "tensor/compile/pass.h"

static int reached(const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]->requires_grad)
            return 1;
    return 0;
}

void pass_freeze(struct graph *g, int (*frozen)(const struct tensor *param))
{
    for (int i = 0; i < g->n_tensors; i++)
        if (g->tensors[i]->kind == TENSOR_PARAM && frozen(g->tensors[i]))
            g->tensors[i]->requires_grad = 0;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; !reached(g->nodes[i]) && k < g->nodes[i]->n_out; k++)
            g->nodes[i]->out[k]->requires_grad = 0;
}
