/* Refusing what nothing reads. */
#include "base/memory.h"
#include "tensor/compile/pass.h"

#include <stdlib.h>

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
