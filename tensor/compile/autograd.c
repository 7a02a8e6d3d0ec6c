/* Reverse-mode differentiation, graph to graph: one rule an op, applied to the nodes in reverse
 * order.
 *
 * A region with another policy than REGION_KEEP is computed again just before its gradients: the
 * rules of its nodes see the copy's tensors, so the forward pass keeps nothing of its inside alive.
 * A reversible one then rebuilds the x of its y = x + f, which earlier regions read in place of the
 * original. */
#include "base/memory.h"
#include "tensor/compile/pass.h"
#include "tensor/ops/ops.h"

#include <stdlib.h>
#include <string.h>

struct sweep {
    struct graph *g;
    struct tensor **grads; /* by tensor id */
    struct tensor **again; /* recomputed counterpart by tensor id, or NULL */
    int n;                 /* tensors and nodes of the forward pass */
    int n_nodes;
    int region;                /* the region that again belongs to */
    struct tensor **in, **din; /* of the node at work: as many as the widest node has inputs */
    int *wanted;
};

static void make_room(struct sweep *s)
{
    int widest = 1;
    for (int i = 0; i < s->n_nodes; i++)
        if (s->g->nodes[i]->n_in > widest)
            widest = s->g->nodes[i]->n_in;
    s->in = mem_alloc((size_t)widest * sizeof *s->in);
    s->din = mem_alloc((size_t)widest * sizeof *s->din);
    s->wanted = mem_alloc((size_t)widest * sizeof *s->wanted);
}

static struct tensor *recomputed(const struct sweep *s, struct tensor *t)
{
    return t->id < s->n && s->again[t->id] ? s->again[t->id] : t;
}

static void recompute_region(struct sweep *s, int region)
{
    struct graph *g = s->g;
    s->region = region;
    for (int i = 0; i < s->n_nodes; i++) {
        const struct node *n = g->nodes[i];
        if (n->region != region)
            continue;
        for (int k = 0; k < n->n_in; k++)
            s->in[k] = recomputed(s, n->in[k]);
        g->scope = n->scope;
        const struct node *copy = graph_apply(g, n->op, n->n_in, s->in, n->attr);
        for (int k = 0; k < n->n_out; k++)
            s->again[n->out[k]->id] = copy->out[k];
    }
    const struct region *r = &g->regions[region];
    if (r->policy == REGION_REVERSE && r->y)
        s->again[r->x->id] = op_sub(g, recomputed(s, r->y), recomputed(s, r->f));
}

/* The tensor whose memory t shows. */
static const struct tensor *memory_of(const struct tensor *t)
{
    while (t->producer && (t->producer->op->flags & OP_ALIAS))
        t = t->producer->in[0];
    return t;
}

/* The node that made d, if it is one of those since first and can add the sum to it: nobody has
 * read d so far, and the sum was there before. */
static struct node *takes_sum(const struct sweep *s, const struct tensor *d,
                              const struct tensor *sum, int first)
{
    const struct tensor *made = memory_of(d);
    struct node *n = made->producer;
    if (!n || n->id < first || !n->op->adds || made->output || !n->op->adds(n) ||
        (sum->producer && sum->producer->id >= n->id))
        return NULL;
    for (int i = n->id + 1; i < s->g->n_nodes; i++)
        for (int k = 0; k < s->g->nodes[i]->n_in; k++)
            if (!(s->g->nodes[i]->op->flags & OP_ALIAS) && memory_of(s->g->nodes[i]->in[k]) == made)
                return NULL;
    return n;
}

/* One more gradient of t. first: the nodes from there on are those of the rule that made it, for t
 * alone. */
static void accumulate(struct sweep *s, const struct tensor *t, struct tensor *d, int first)
{
    char want[128], have[128];
    if (!shape_equal(d->shape, t->shape) && !s->g->error.code)
        BUG("gradient of %s%s%s has shape %s instead of %s", t->producer ? t->producer->scope : "",
            t->producer ? "/" : "", t->name, shape_text(d->shape, have, sizeof have),
            shape_text(t->shape, want, sizeof want));
    struct tensor **sum = &s->grads[t->id];
    struct node *adds = *sum ? takes_sum(s, d, *sum, first) : NULL;
    if (adds)
        graph_add_input(s->g, adds, *sum);
    else if (*sum)
        d = op_add(s->g, *sum, d);
    *sum = d;
}

/* Whether gradient i is that of another input as well. */
static int is_shared(struct tensor *const *din, int n, int i)
{
    for (int k = 0; k < n; k++)
        if (k != i && din[k] == din[i])
            return 1;
    return 0;
}

static void differentiate(struct sweep *s, const struct node *n)
{
    struct tensor *dout[GRAPH_OUTPUTS_MAX] = {0};
    int any = 0;
    for (int i = 0; i < n->n_out; i++) {
        dout[i] = s->grads[n->out[i]->id];
        any |= dout[i] != NULL;
    }
    if (!any || !n->out[0]->requires_grad)
        return;
    if (!n->op->grad)
        BUG("op %s at %s has no gradient rule", n->op->name, n->scope);
    if (n->region && s->g->regions[n->region].policy != REGION_KEEP && n->region != s->region)
        recompute_region(s, n->region);

    struct tensor *out[GRAPH_OUTPUTS_MAX];
    struct node seen = *n; /* the node over recomputed tensors, where there are any */
    for (int i = 0; i < n->n_in; i++) {
        s->in[i] = n->region ? recomputed(s, n->in[i]) : n->in[i];
        s->din[i] = NULL;
        s->wanted[i] = n->in[i]->requires_grad;
    }
    for (int i = 0; i < n->n_out; i++)
        out[i] = n->region ? recomputed(s, n->out[i]) : n->out[i];
    seen.in = s->in;
    seen.out = out;
    s->g->scope = n->scope;
    int first = s->g->n_nodes;
    n->op->grad(&(struct grad){s->g, &seen, dout, s->din, s->wanted});
    for (int i = 0; i < n->n_in; i++)
        if (s->wanted[i] && s->din[i])
            accumulate(s, n->in[i], s->din[i],
                       is_shared(s->din, n->n_in, i) ? s->g->n_nodes : first);
}

int pass_autograd(struct graph *g, struct tensor *loss, struct tensor **grads, int n, double scale,
                  struct error *err)
{
    struct sweep s = {.g = g,
                      .grads = grads,
                      .again = mem_zalloc((size_t)n, sizeof *s.again),
                      .n = n,
                      .n_nodes = g->n_nodes};
    const char *scope = g->scope;
    make_room(&s);
    g->in_backward = 1;
    grads[loss->id] = graph_scalar(g, scale);
    for (int i = s.n_nodes - 1; i >= 0; i--)
        differentiate(&s, g->nodes[i]);
    g->in_backward = 0;
    g->scope = scope;
    free(s.again);
    free(s.in);
    free(s.din);
    free(s.wanted);
    return graph_failed(g, err);
}
