/* Lowering: fused ops that a backend lacks become what their rows say they are. */
#include "base/memory.h"
#include "tensor/compile/pass.h"

#include <stdlib.h>

static int lacks(const struct capability *b, const struct op *op)
{
    if (op->flags & OP_ALIAS)
        return 0;
    return !b->has(b->ctx, op) || (op->gradient && !b->has(b->ctx, op->gradient));
}

struct replacement {
    struct tensor **to; /* by id of the replaced tensor; NULL: itself */
    int n;
};

static struct tensor *current(const struct replacement *r, struct tensor *t)
{
    while (t->id < r->n && r->to[t->id])
        t = r->to[t->id];
    return t;
}

static void redirect_inputs(const struct replacement *r, struct node *n)
{
    struct tensor **in = (struct tensor **)n->in;
    for (int i = 0; i < n->n_in; i++)
        in[i] = current(r, in[i]);
}

static void expand(struct graph *g, struct node *n, struct replacement *r)
{
    struct tensor *out[GRAPH_OUTPUTS_MAX] = {0};
    g->scope = n->scope;
    g->region = n->region;
    g->in_backward = n->backward;
    n->op->expand(g, n, n->in, out);
    for (int i = 0; i < n->n_out; i++) {
        ASSERT(out[i] && (g->error.code || shape_equal(out[i]->shape, n->out[i]->shape)));
        r->to[n->out[i]->id] = out[i];
    }
}

/* One sweep; returns how many nodes were expanded, or -1. */
static int sweep(struct graph *g, const struct capability *backend, struct error *err)
{
    struct node **old = g->nodes;
    int n_old = g->n_nodes, expanded = 0, rc = 0;
    struct replacement r = {mem_zalloc((size_t)g->n_tensors, sizeof *r.to), g->n_tensors};
    const char *scope = g->scope;
    g->nodes = NULL;
    g->n_nodes = 0;
    g->cap_nodes = 0;
    for (int i = 0; i < n_old && !rc; i++) {
        struct node *n = old[i];
        redirect_inputs(&r, n);
        if (lacks(backend, n->op) && n->op->expand) {
            expand(g, n, &r);
            expanded++;
        } else if (lacks(backend, n->op)) {
            rc = error_env(err, "%s: the device has no kernel for op %s", n->scope, n->op->name);
        } else {
            n->id = g->n_nodes;
            g->nodes = mem_grow(g->nodes, (size_t)g->n_nodes, &g->cap_nodes, sizeof *g->nodes);
            g->nodes[g->n_nodes++] = n;
        }
    }
    for (int i = 0; i < g->n_outputs; i++)
        g->outputs[i] = current(&r, g->outputs[i]);
    for (int i = 1; i <= g->n_regions; i++)
        if (g->regions[i].policy == REGION_REVERSE) {
            g->regions[i].x = current(&r, g->regions[i].x);
            g->regions[i].f = current(&r, g->regions[i].f);
            g->regions[i].y = current(&r, g->regions[i].y);
        }
    g->scope = scope;
    g->region = 0;
    g->in_backward = 0;
    free(old);
    free(r.to);
    if (!rc)
        rc = graph_failed(g, err);
    return rc ? -1 : expanded;
}

int pass_lower(struct graph *g, const struct capability *backend, struct error *err)
{
    int expanded;
    do /* an expansion may use fused ops itself */
        expanded = sweep(g, backend, err);
    while (expanded > 0);
    return expanded;
}
