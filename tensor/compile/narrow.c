/* Narrowing: results that nobody reads. */
#include "base/memory.h"
#include "tensor/compile/pass.h"

#include <stdlib.h>

static int may_narrow(const struct graph *g)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (g->nodes[i]->op->min_out)
            return 1;
    return 0;
}

void pass_narrow(struct graph *g, struct tensor *const *keep, int n_keep)
{
    if (!may_narrow(g))
        return;
    char *read = mem_zalloc((size_t)g->n_tensors + 1, 1);
    for (int i = 0; i < g->n_outputs; i++)
        read[g->outputs[i]->id] = 1;
    for (int i = 0; i < n_keep; i++)
        read[keep[i]->id] = 1;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            read[g->nodes[i]->in[k]->id] = 1;
    for (int i = 0; i < g->n_nodes; i++) {
        struct node *n = g->nodes[i];
        while (n->op->min_out && n->n_out > n->op->min_out && !read[n->out[n->n_out - 1]->id])
            n->n_out--;
    }
    free(read);
}
