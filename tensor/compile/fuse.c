/* Fusion: an addition becomes part of the product before it or of the norm behind it, where the
 * backend has a kernel for both at once. Models ask for neither: x + f(x) and the norm that follows
 * are made by different layers, and a residual knows nothing of the product that made its branch.
 * So this is the one place that looks for neighbours in a graph; everything else is lowered
 * (lower.c).
 *
 * Both operands of the addition have the result's shape, all nodes are of one region, and the node
 * that goes takes nothing with it that others read. */
#include "base/memory.h"
#include "tensor/compile/pass.h"
#include "tensor/compile/rewrite.h"
#include "tensor/ops/ops.h"

#include <stdlib.h>

struct pattern;

struct fusing {
    struct graph *g;
    const struct capability *backend;
    int *readers;                  /* by tensor id */
    const struct pattern **claims; /* by id of an addition: what it becomes */
    struct node **partners;        /* by id of an addition: the node it is joined with */
    char *gone;                    /* by id: that node, which goes */
};

struct pattern {
    const struct op *makes;
    const struct op *at; /* the op of the nodes that find is asked about */
    /* The addition that this node can be joined with, and its partner. */
    struct node *(*find)(const struct fusing *f, struct node *n, struct node **partner);
    void (*join)(struct rewrite *r, struct graph *g, const struct node *add,
                 const struct node *partner);
};

static int adds_equals(const struct node *n)
{
    return n && n->op == &op_add_row && shape_equal(n->in[0]->shape, n->out[0]->shape) &&
           shape_equal(n->in[1]->shape, n->out[0]->shape);
}

static int are_together(const struct node *a, const struct node *b)
{
    return a->region == b->region && a->backward == b->backward;
}

/* ---- y = x + linear(h): the sum begins with x -------------------------------------------------
 */

/* The branch is usually the second operand. */
static struct node *find_linear_add(const struct fusing *f, struct node *n, struct node **partner)
{
    for (int i = 1; i >= 0 && adds_equals(n); i--) {
        struct node *p = n->in[i]->producer;
        if (!p || p->op != &op_linear_row || !are_together(n, p) || f->readers[n->in[i]->id] != 1)
            continue;
        *partner = p;
        return n;
    }
    return NULL;
}

static void join_linear_add(struct rewrite *r, struct graph *g, const struct node *add,
                            const struct node *linear)
{
    struct tensor *rest = add->in[add->in[0] == linear->out[0]];
    struct tensor *y = op_linear_add(g, rest, linear->in[0], linear->in[1],
                                     linear->n_in == 3 ? linear->in[2] : NULL);
    rewrite_to(r, add->out[0], y);
}

/* ---- y = x + r, norm(y) -----------------------------------------------------------------------
 */

static int exists_before(const struct tensor *t, const struct node *n)
{
    return !t->producer || t->producer->id < n->id;
}

static struct node *find_add_norm(const struct fusing *f, struct node *n, struct node **partner)
{
    struct node *add = n->in[0]->producer;
    if (!adds_equals(add) || f->claims[add->id] || !are_together(n, add) ||
        !exists_before(n->in[1], add) || !exists_before(n->in[2], add))
        return NULL;
    *partner = n;
    return add;
}

static void join_add_norm(struct rewrite *r, struct graph *g, const struct node *add,
                          const struct node *norm)
{
    struct node *both = graph_apply(
        g, &op_add_layer_norm_row, 4,
        (struct tensor *[]){add->in[0], add->in[1], norm->in[1], norm->in[2]}, norm->attr);
    rewrite_to(r, add->out[0], both->out[0]);
    for (int i = 0; i < 3; i++)
        rewrite_to(r, norm->out[i], both->out[1 + i]);
}

/* An addition that could be in several is in the first: a product that begins with x needs no pass
 * of its own over either operand. */
static const struct pattern patterns[] = {
    {&op_linear_add_row, &op_add_row, find_linear_add, join_linear_add},
    {&op_add_layer_norm_row, &op_layer_norm_row, find_add_norm, join_add_norm},
};

enum { N_PATTERNS = sizeof patterns / sizeof *patterns };

/* ---- the pass ---------------------------------------------------------------------------------
 */

static void count_readers(struct fusing *f)
{
    const struct graph *g = f->g;
    for (int i = 0; i < g->n_nodes; i++)
        for (int k = 0; k < g->nodes[i]->n_in; k++)
            f->readers[g->nodes[i]->in[k]->id]++;
    for (int i = 0; i < g->n_outputs; i++)
        f->readers[g->outputs[i]->id]++;
    for (int i = 1; i <= g->n_regions; i++)
        if (g->regions[i].f)
            f->readers[g->regions[i].f->id]++;
}

static int has(const struct capability *b, const struct op *op)
{
    return b->has(b->ctx, op) && (!op->gradient || b->has(b->ctx, op->gradient));
}

static int claim(struct fusing *f)
{
    int claimed = 0;
    for (int p = 0; p < N_PATTERNS; p++)
        for (int i = 0; i < f->g->n_nodes && has(f->backend, patterns[p].makes); i++) {
            struct node *n = f->g->nodes[i], *partner, *add = NULL;
            if (n->op == patterns[p].at)
                add = patterns[p].find(f, n, &partner);
            if (!add)
                continue;
            f->claims[add->id] = &patterns[p];
            f->partners[add->id] = partner;
            f->gone[partner->id] = 1;
            claimed++;
        }
    return claimed;
}

static int fuse(void *ctx, struct rewrite *r, struct node *n, struct error *err)
{
    const struct fusing *f = ctx;
    const struct pattern *p = f->claims[n->id];
    (void)err;
    if (p) {
        f->g->scope = f->partners[n->id]->scope;
        p->join(r, f->g, n, f->partners[n->id]);
    }
    return p || f->gone[n->id];
}

int pass_fuse(struct graph *g, const struct capability *backend, struct error *err)
{
    struct fusing f = {g,
                       backend,
                       mem_zalloc((size_t)g->n_tensors, sizeof *f.readers),
                       mem_zalloc((size_t)g->n_nodes, sizeof *f.claims),
                       mem_zalloc((size_t)g->n_nodes, sizeof *f.partners),
                       mem_zalloc((size_t)g->n_nodes, sizeof *f.gone)};
    count_readers(&f);
    int rc = claim(&f) ? graph_rewrite(g, fuse, &f, err) : 0;
    free(f.readers);
    free(f.claims);
    free(f.partners);
    free(f.gone);
    return rc < 0 ? -1 : 0;
}
