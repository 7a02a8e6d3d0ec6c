/* Pruning what nothing needs, and refusing what nothing reads. */
#include "base/memory.h"
#include "tensor/compile/pass.h"

#include <stdlib.h>

void pass_prune(struct graph *g, struct tensor *const *keep, int n_keep)
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

int pass_check(const struct graph *g, struct error *err)
{
    int rc = 0;
    char *read = mem_zalloc((size_t)g->n_tensors, 1);
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            read[g->nodes[i]->in[k]->id] = 1;
    for (int i = 0; i < g->n_outputs; i++)
        read[g->outputs[i]->id] = 1;
    for (int i = 0; i < g->n_tensors && !rc; i++) {
        const struct tensor *t = g->tensors[i];
        if (read[i] || t->unused)
            continue;
        if (t->kind == TENSOR_PARAM)
            rc = error_set(err, "parameter %s has no path to the result", t->name);
        else if (t->kind == TENSOR_INPUT)
            rc = error_set(err, "input %s is read by nothing", t->name);
    }
    free(read);
    return rc;
}
