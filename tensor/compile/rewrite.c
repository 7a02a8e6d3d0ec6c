#include "tensor/compile/rewrite.h"

#include "base/memory.h"

#include <stdlib.h>

struct rewrite {
    struct tensor **to; /* by id of the replaced tensor; NULL: itself */
    int n;
};

void rewrite_to(struct rewrite *r, const struct tensor *from, struct tensor *to)
{
    ASSERT(from->id < r->n && from != to);
    r->to[from->id] = to;
}

static struct tensor *current(const struct rewrite *r, struct tensor *t)
{
    while (t && t->id < r->n && r->to[t->id])
        t = r->to[t->id];
    return t;
}

static void redirect_inputs(const struct rewrite *r, struct node *n)
{
    struct tensor **in = (struct tensor **)n->in;
    for (int i = 0; i < n->n_in; i++)
        in[i] = current(r, in[i]);
}

static void redirect_results(const struct rewrite *r, struct graph *g)
{
    for (int i = 0; i < g->n_outputs; i++)
        g->outputs[i] = current(r, g->outputs[i]);
    for (int i = 1; i <= g->n_regions; i++) {
        struct region *region = &g->regions[i];
        region->x = current(r, region->x);
        region->f = current(r, region->f);
        region->y = current(r, region->y);
    }
}

static void keep_node(struct graph *g, struct node *n)
{
    n->id = g->n_nodes;
    g->nodes = mem_grow(g->nodes, (size_t)g->n_nodes, &g->cap_nodes, sizeof *g->nodes);
    g->nodes[g->n_nodes++] = n;
}

int graph_rewrite(struct graph *g, struct tensor **keep, int n_keep, rewrite_rule *rule, void *ctx,
                  struct error *err)
{
    struct node **old = g->nodes;
    int n_old = g->n_nodes, gone = 0, rc = 0;
    struct rewrite r = {mem_zalloc((size_t)g->n_tensors, sizeof *r.to), g->n_tensors};
    const char *scope = g->scope;
    g->nodes = NULL;
    g->n_nodes = 0;
    g->cap_nodes = 0;
    for (int i = 0; i < n_old && rc >= 0; i++) {
        struct node *n = old[i];
        redirect_inputs(&r, n);
        g->scope = n->scope;
        g->region = n->region;
        g->in_backward = n->backward;
        rc = rule(ctx, &r, n, err);
        gone += rc > 0;
        if (rc == 0)
            keep_node(g, n);
    }
    redirect_results(&r, g);
    for (int i = 0; i < n_keep; i++)
        keep[i] = current(&r, keep[i]);
    g->scope = scope;
    g->region = 0;
    g->in_backward = 0;
    free(old);
    free(r.to);
    return rc < 0 || graph_failed(g, err) ? -1 : gone;
}
