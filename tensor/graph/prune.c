/* Dropping nodes that nothing needs. */
#include "base/memory.h"
#include "tensor/graph/graph.h"
#include "tensor/ops/op.h"

#include <stdlib.h>

void graph_prune(struct graph *g, struct tensor *const *keep, int n_keep)
{
    char *needed = mem_zalloc((size_t)g->n_tensors, 1);
    for (int i = 0; i < g->n_outputs; i++)
        needed[g->outputs[i]->id] = 1;
    for (int i = 0; i < n_keep; i++)
        needed[keep[i]->id] = 1;
    char *live = mem_zalloc((size_t)g->n_nodes + 1, 1);
    for (int i = g->n_nodes - 1; i >= 0; i--) {
        const struct node *n = g->nodes[i];
        live[i] = (n->op->flags & OP_EFFECT) != 0;
        for (int k = 0; k < n->n_out; k++)
            live[i] |= needed[n->out[k]->id];
        for (int k = 0; live[i] && k < n->n_in; k++)
            needed[n->in[k]->id] = 1;
    }
    int kept = 0;
    for (int i = 0; i < g->n_nodes; i++) {
        if (!live[i])
            continue;
        g->nodes[i]->id = kept;
        g->nodes[kept++] = g->nodes[i];
    }
    g->n_nodes = kept;
    free(needed);
    free(live);
}
