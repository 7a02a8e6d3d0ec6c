/* Lowering: fused ops that a backend lacks become what their rows say they are. */
#include "tensor/compile/pass.h"
#include "tensor/compile/rewrite.h"

static int lacks(const struct capability *b, const struct op *op)
{
    if (op->flags & OP_ALIAS)
        return 0;
    return !b->has(b->ctx, op) || (op->gradient && !b->has(b->ctx, op->gradient));
}

struct lowering {
    struct graph *g;
    const struct capability *backend;
};

static int lower(void *ctx, struct rewrite *r, struct node *n, struct error *err)
{
    const struct lowering *l = ctx;
    struct tensor *out[GRAPH_OUTPUTS_MAX] = {0};
    if (!lacks(l->backend, n->op))
        return 0;
    if (!n->op->expand)
        return error_env(err, "%s: the device has no kernel for op %s", n->scope, n->op->name);
    n->op->expand(l->g, n, n->in, out);
    for (int i = 0; i < n->n_out; i++) {
        ASSERT(out[i] && (l->g->error.code || shape_equal(out[i]->shape, n->out[i]->shape)));
        rewrite_to(r, n->out[i], out[i]);
    }
    return 1;
}

static int lacks_any(const struct graph *g, const struct capability *b)
{
    for (int i = 0; i < g->n_nodes; i++)
        if (lacks(b, g->nodes[i]->op))
            return 1;
    return 0;
}

int pass_lower(struct graph *g, const struct capability *backend, struct tensor **keep, int n_keep,
               struct error *err)
{
    struct lowering l = {g, backend};
    while (lacks_any(g, backend)) /* an expansion may use fused ops itself */
        if (graph_rewrite(g, keep, n_keep, lower, &l, err) < 0)
            return -1;
    return graph_failed(g, err);
}
