/* Fusion: an addition becomes part of the product before it or of the norm behind it, GELU of the
 * product before it, its gradient of the product that makes what it reads, and patches are cut out
 * of an image in bytes or of a batch that is being mixed, where the backend has a kernel for both
 * at once. Models ask for none of these: x + f(x) and the norm that follows are made by different
 * layers, a residual knows nothing of the product that made its branch, a patch embedding nothing
 * of how its image comes. So this is the one place that looks for neighbours in a graph; everything
 * else is lowered (lower.c).
 *
 * Both operands of an addition have the result's shape, both nodes are of one region, and a node
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
    unsigned phase;                /* OP_BACKWARD: behind autograd; 0: before it */
    int *readers;                  /* by tensor id */
    const struct pattern **claims; /* by id of a node: what it becomes */
    struct node **partners;        /* by id of that node: the one it is joined with */
    char *gone;                    /* by id: a partner that goes */
};

struct pattern {
    const struct op *makes;
    const struct op *of; /* the op of the nodes that find is asked about */
    /* Where the joined node shall stand, in place of a node that it replaces, and what that is
     * joined with; NULL: nothing to join. */
    struct node *(*find)(const struct fusing *f, struct node *n, struct node **partner);
    void (*join)(struct rewrite *r, struct graph *g, const struct node *at,
                 const struct node *partner);
    int keeps_partner; /* others may read it: pruned where nobody does */
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

/* ---- y = x + linear(h): the sum begins with x ------------------------------------------------ */

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

/* ---- y = x + r, norm(y) ---------------------------------------------------------------------- */

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

/* ---- y = gelu(linear(x)) --------------------------------------------------------------------- */

static struct node *find_linear_gelu(const struct fusing *f, struct node *n, struct node **partner)
{
    struct node *p = n->in[0]->producer;
    if (!p || p->op != &op_linear_row || !are_together(n, p) || f->readers[n->in[0]->id] != 1)
        return NULL;
    *partner = p;
    return n;
}

static void join_linear_gelu(struct rewrite *r, struct graph *g, const struct node *gelu,
                             const struct node *linear)
{
    struct node *both =
        op_linear_gelu(g, linear->in[0], linear->in[1], linear->n_in == 3 ? linear->in[2] : NULL);
    rewrite_to(r, gelu->out[0], both->out[0]);
}

/* ---- gelu_grad(pre, dy w) -------------------------------------------------------------------- */

static int multiplies_rows(const struct node *n)
{
    const struct matmul_attr *a = n->attr;
    return n->op == &op_matmul_row && n->n_in == 2 && a->out_rank == 2 && !a->trans_a &&
           !a->trans_b && a->scale >= 1 && a->scale <= 1;
}

/* The product is shown as pre is shaped, and nobody else sees it. */
static struct node *find_matmul_gelu_grad(const struct fusing *f, struct node *n,
                                          struct node **partner)
{
    const struct tensor *dh = n->in[1];
    while (f->readers[dh->id] == 1 && dh->producer && dh->producer->op == &op_reshape_row)
        dh = dh->producer->in[0];
    if (f->readers[dh->id] != 1 || !dh->producer || !multiplies_rows(dh->producer))
        return NULL;
    *partner = dh->producer;
    return n;
}

static void join_matmul_gelu_grad(struct rewrite *r, struct graph *g, const struct node *grad,
                                  const struct node *product)
{
    rewrite_to(r, grad->out[0],
               op_matmul_gelu_grad(g, product->in[0], product->in[1], grad->in[0]));
}

/* ---- patches of an image in bytes ------------------------------------------------------------ */

static struct node *find_patch_levels(const struct fusing *f, struct node *n, struct node **partner)
{
    struct node *levels = n->in[0]->producer;
    (void)f;
    if (!levels || levels->op != &op_levels_row || !are_together(n, levels))
        return NULL;
    *partner = levels;
    return n;
}

static void join_patch_levels(struct rewrite *r, struct graph *g, const struct node *patchify,
                              const struct node *levels)
{
    struct node *both = graph_apply(g, &op_patch_levels_row, 2, levels->in, patchify->attr);
    rewrite_to(r, patchify->out[0], both->out[0]);
}

/* ---- patches of a batch that is mixed, in bytes or not --------------------------------------- */

static struct node *find_patch_mix(const struct fusing *f, struct node *n, struct node **partner)
{
    struct node *mix = n->in[0]->producer;
    (void)f;
    if (!mix || mix->op != &op_mix_row || !are_together(n, mix))
        return NULL;
    *partner = mix;
    return n;
}

static void join_patch_mix(struct rewrite *r, struct graph *g, const struct node *patchify,
                           const struct node *mix)
{
    struct tensor *in[] = {mix->in[0], mix->in[1], NULL};
    const struct node *levels = mix->in[0]->producer;
    int is_bytes = levels && levels->op == &op_levels_row && are_together(mix, levels);
    if (is_bytes) {
        in[0] = levels->in[0];
        in[2] = levels->in[1];
    }
    struct node *both = graph_apply(g, &op_patch_mix_row, is_bytes ? 3 : 2, in, patchify->attr);
    rewrite_to(r, patchify->out[0], both->out[0]);
}

/* An addition that could be in several is in the first: a product that begins with x needs no pass
 * of its own over either operand. */
static const struct pattern patterns[] = {
    {&op_linear_add_row, &op_add_row, find_linear_add, join_linear_add, 0},
    {&op_add_layer_norm_row, &op_layer_norm_row, find_add_norm, join_add_norm, 0},
    {&op_linear_gelu_row, &op_gelu_row, find_linear_gelu, join_linear_gelu, 0},
    {&op_matmul_gelu_grad_row, &op_gelu_grad_row, find_matmul_gelu_grad, join_matmul_gelu_grad, 1},
    {&op_patch_levels_row, &op_patchify_row, find_patch_levels, join_patch_levels, 1},
    {&op_patch_mix_row, &op_patchify_row, find_patch_mix, join_patch_mix, 1},
};

enum { N_PATTERNS = sizeof patterns / sizeof *patterns };

/* ---- the pass -------------------------------------------------------------------------------- */

static void count_readers(struct fusing *f, struct tensor *const *keep, int n_keep)
{
    const struct graph *g = f->g;
    for (int i = 0; i < n_keep; i++)
        f->readers[keep[i]->id]++;
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

/* Patterns of gradients are looked for behind autograd, the others before it. */
static int is_wanted(const struct fusing *f, const struct pattern *p)
{
    return (p->makes->flags & OP_BACKWARD) == f->phase && has(f->backend, p->makes);
}

static int wants_any(const struct fusing *f)
{
    for (int p = 0; p < N_PATTERNS; p++)
        if (is_wanted(f, &patterns[p]))
            return 1;
    return 0;
}

static int claim_for(struct fusing *f, const struct pattern *p)
{
    int claimed = 0;
    for (int i = 0; i < f->g->n_nodes; i++) {
        struct node *n = f->g->nodes[i], *partner, *at = NULL;
        if (n->op == p->of)
            at = p->find(f, n, &partner);
        if (!at)
            continue;
        f->claims[at->id] = p;
        f->partners[at->id] = partner;
        f->gone[partner->id] = (char)!p->keeps_partner;
        claimed++;
    }
    return claimed;
}

static int claim(struct fusing *f)
{
    int claimed = 0;
    for (int p = 0; p < N_PATTERNS; p++)
        if (is_wanted(f, &patterns[p]))
            claimed += claim_for(f, &patterns[p]);
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

static int fuse_phase(struct graph *g, const struct capability *backend, unsigned phase,
                      struct tensor **keep, int n_keep, struct error *err)
{
    struct fusing f = {.g = g, .backend = backend, .phase = phase};
    if (!wants_any(&f))
        return 0;
    f.readers = mem_zalloc((size_t)g->n_tensors, sizeof *f.readers);
    f.claims = mem_zalloc((size_t)g->n_nodes, sizeof *f.claims);
    f.partners = mem_zalloc((size_t)g->n_nodes, sizeof *f.partners);
    f.gone = mem_zalloc((size_t)g->n_nodes, sizeof *f.gone);
    count_readers(&f, keep, n_keep);
    int rc = claim(&f) ? graph_rewrite(g, keep, n_keep, fuse, &f, err) : 0;
    free(f.readers);
    free(f.claims);
    free(f.partners);
    free(f.gone);
    return rc < 0 ? -1 : 0;
}

int pass_fuse(struct graph *g, const struct capability *backend, struct error *err)
{
    return fuse_phase(g, backend, 0, NULL, 0, err);
}

int pass_fuse_gradients(struct graph *g, const struct capability *backend, struct tensor **keep,
                        int n_keep, struct error *err)
{
    return fuse_phase(g, backend, OP_BACKWARD, keep, n_keep, err);
}
