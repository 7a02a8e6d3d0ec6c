/* Building graphs: leaves, nodes, scopes and regions. */
#include "tensor/graph/graph.h"
#include "tensor/graph/scope.h"
#include "base/hash.h"
#include "base/memory.h"
#include "tensor/ops/op.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct graph *graph_new(void)
{
    struct graph *g = mem_zalloc(1, sizeof *g);
    g->scope = "";
    g->regions = mem_grow(NULL, 0, &g->cap_regions, sizeof *g->regions);
    g->regions[0] = (struct region){.policy = REGION_KEEP};
    return g;
}

void graph_free(struct graph *g)
{
    if (!g)
        return;
    arena_release(&g->arena);
    free(g->tensors);
    free(g->leaves);
    free(g->nodes);
    free(g->outputs);
    free(g->output_names);
    free(g->regions);
    free(g);
}

int graph_failed(const struct graph *g, struct error *err)
{
    if (!g->error.code)
        return 0;
    if (err)
        *err = g->error;
    return -1;
}

void graph_refuse(struct graph *g, const char *fmt, ...)
{
    if (g->error.code)
        return;
    char text[sizeof g->error.msg];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    error_set(&g->error, "%s%s%s", g->scope, g->scope[0] ? ": " : "", text);
}

/* ---- leaves ---------------------------------------------------------------------------------- */

/* t: zeroed memory of the graph's arena. */
static void add_tensor(struct graph *g, struct tensor *t, const char *name, struct shape shape,
                       enum tensor_type type, enum tensor_kind kind)
{
    t->id = g->n_tensors;
    t->name = name;
    t->shape = shape;
    t->type = type;
    t->kind = kind;
    g->tensors = mem_grow(g->tensors, (size_t)g->n_tensors, &g->cap_tensors, sizeof *g->tensors);
    g->tensors[g->n_tensors++] = t;
}

static void check_shape(struct graph *g, const char *name, struct shape shape)
{
    char text[128];
    for (int i = 0; i < shape.rank; i++)
        if (shape.dim[i] < 1) {
            graph_refuse(g, "%s: impossible shape %s", name, shape_text(shape, text, sizeof text));
            return;
        }
}

/* Behind the table of leaves stand the hashes of their names, for a table that grows. */
static uint64_t *hashes_of(struct tensor **leaves, size_t cap)
{
    return (uint64_t *)(leaves + cap);
}

/* The row where a leaf of that name is, or would be. */
static size_t leaf_at(const struct graph *g, const char *name, uint64_t hash)
{
    const uint64_t *hashes = hashes_of(g->leaves, g->cap_leaves);
    size_t i = hash & (g->cap_leaves - 1);
    while (g->leaves[i] && (hashes[i] != hash || strcmp(g->leaves[i]->name, name)))
        i = (i + 1) & (g->cap_leaves - 1);
    return i;
}

static void put_leaf(struct graph *g, size_t i, struct tensor *t, uint64_t hash)
{
    g->leaves[i] = t;
    hashes_of(g->leaves, g->cap_leaves)[i] = hash;
    g->n_leaves++;
}

static void grow_leaves(struct graph *g)
{
    struct tensor **old = g->leaves;
    size_t cap = g->cap_leaves;
    g->cap_leaves = cap ? 2 * cap : 512;
    g->leaves = mem_zalloc(g->cap_leaves, sizeof *g->leaves + sizeof(uint64_t));
    g->n_leaves = 0;
    for (size_t i = 0; i < cap; i++)
        if (old[i]) {
            uint64_t hash = hashes_of(old, cap)[i];
            put_leaf(g, leaf_at(g, old[i]->name, hash), old[i], hash);
        }
    free(old);
}

/* The leaf of that name, which is in the graph's arena, and where it is or belongs. */
static struct tensor *look_up(struct graph *g, const char *name, uint64_t hash, size_t *at)
{
    if (2 * g->n_leaves >= g->cap_leaves)
        grow_leaves(g);
    *at = leaf_at(g, name, hash);
    return g->leaves[*at];
}

static struct tensor *new_leaf(struct graph *g, const char *name, struct shape shape,
                               enum tensor_type type, enum tensor_kind kind)
{
    check_shape(g, name, shape);
    struct tensor *t = ARENA_NEW(&g->arena, struct tensor);
    add_tensor(g, t, name, shape, type, kind);
    return t;
}

static struct tensor *leaf(struct graph *g, const char *name, struct shape shape,
                           enum tensor_type type, enum tensor_kind kind)
{
    size_t at;
    uint64_t hash = hash_text(name);
    struct tensor *t = new_leaf(g, arena_strdup(&g->arena, name), shape, type, kind);
    if (!look_up(g, t->name, hash, &at)) /* the first of a name is found by it */
        put_leaf(g, at, t, hash);
    return t;
}

struct tensor *graph_input(struct graph *g, const char *name, struct shape shape,
                           enum tensor_type type)
{
    return leaf(g, name, shape, type, TENSOR_INPUT);
}

/* name: in the graph's arena. */
static struct tensor *initialised(struct graph *g, const char *name, struct shape shape,
                                  struct init init, enum tensor_kind kind)
{
    size_t at;
    uint64_t hash = hash_text(name);
    struct tensor *t = look_up(g, name, hash, &at);
    if (t) {
        char want[128], have[128];
        if (t->kind != kind || !shape_equal(t->shape, shape))
            graph_refuse(g, "%s is declared twice, with shapes %s and %s", name,
                         shape_text(t->shape, have, sizeof have),
                         shape_text(shape, want, sizeof want));
        return t;
    }
    t = new_leaf(g, name, shape, TENSOR_VALUE, kind);
    put_leaf(g, at, t, hash);
    t->init = init;
    t->requires_grad = kind == TENSOR_PARAM;
    return t;
}

struct tensor *graph_param(struct graph *g, const char *name, struct shape shape, struct init init)
{
    return initialised(g, arena_strdup(&g->arena, name), shape, init, TENSOR_PARAM);
}

struct tensor *graph_scope_param(struct graph *g, const char *name, struct shape shape,
                                 struct init init)
{
    const char *path = arena_join(&g->arena, g->scope, g->scope[0] ? "." : "", name);
    return initialised(g, path, shape, init, TENSOR_PARAM);
}

struct tensor *graph_state(struct graph *g, const char *name, struct shape shape, struct init init)
{
    return initialised(g, arena_strdup(&g->arena, name), shape, init, TENSOR_STATE);
}

struct tensor *graph_constant(struct graph *g, const char *name, struct shape shape,
                              const double *values)
{
    struct tensor *t = leaf(g, name, shape, TENSOR_VALUE, TENSOR_CONSTANT);
    if (g->error.code)
        return t;
    size_t n = (size_t)shape_count(shape);
    double *copy = ARENA_ARRAY(&g->arena, double, n);
    memcpy(copy, values, n * sizeof *copy);
    t->constant = copy;
    return t;
}

struct tensor *graph_scalar(struct graph *g, double value)
{
    char name[40];
    snprintf(name, sizeof name, "%.17g", value);
    return graph_constant(g, name, SHAPE_SCALAR, &value);
}

struct tensor *graph_flat(struct graph *g, enum flat_segment segment, int64_t count)
{
    const char *name = segment == FLAT_PARAMS ? "train/params" : "train/grads";
    struct tensor *t = leaf(g, name, SHAPE(count), TENSOR_VALUE, TENSOR_FLAT);
    t->output = (int)segment;
    return t;
}

struct tensor *graph_find(const struct graph *g, const char *name)
{
    return g->cap_leaves ? g->leaves[leaf_at(g, name, hash_text(name))] : NULL;
}

struct tensor *graph_output_find(const struct graph *g, const char *name)
{
    for (int i = 0; i < g->n_outputs; i++)
        if (!strcmp(g->output_names[i], name))
            return g->outputs[i];
    return NULL;
}

void graph_output(struct graph *g, const char *name, struct tensor *t)
{
    size_t cap = g->cap_outputs;
    g->outputs = mem_grow(g->outputs, (size_t)g->n_outputs, &cap, sizeof *g->outputs);
    g->output_names =
        mem_grow(g->output_names, (size_t)g->n_outputs, &g->cap_outputs, sizeof *g->output_names);
    g->outputs[g->n_outputs] = t;
    g->output_names[g->n_outputs++] = arena_strdup(&g->arena, name);
}

/* ---- nodes ----------------------------------------------------------------------------------- */

static int input_requires_grad(const struct node *n)
{
    for (int i = 0; i < n->n_in; i++)
        if (n->in[i]->requires_grad)
            return 1;
    return 0;
}

/* The node, its attributes, its arrays and its outputs, one piece of the arena: there are
 * thousands. The outputs are left to fill. */
static struct node *node_new(struct graph *g, const struct op *op, int n_in,
                             struct tensor *const *in, const void *attr)
{
    size_t fixed = (sizeof(struct node) + op->attr_size + 15) & ~(size_t)15;
    size_t pointers = (size_t)(n_in + op->n_out) * sizeof(struct tensor *);
    size_t outputs = (size_t)op->n_out * sizeof(struct tensor);
    struct node *n = arena_alloc(&g->arena, fixed + pointers + outputs);
    struct tensor **arrays = (struct tensor **)((char *)n + fixed);
    n->op = op;
    n->scope = g->scope;
    n->n_in = n_in;
    n->in = arrays;
    n->n_out = op->n_out;
    n->out = arrays + n_in;
    n->region = g->region;
    n->backward = g->in_backward;
    for (int i = 0; i < n_in; i++)
        arrays[i] = in[i];
    for (int i = 0; i < op->n_out; i++)
        arrays[n_in + i] = (struct tensor *)(arrays + n_in + op->n_out) + i;
    if (op->attr_size)
        n->attr = memcpy(n + 1, attr, op->attr_size);
    return n;
}

static void add_node(struct graph *g, struct node *n)
{
    n->id = g->n_nodes;
    g->nodes = mem_grow(g->nodes, (size_t)g->n_nodes, &g->cap_nodes, sizeof *g->nodes);
    g->nodes[g->n_nodes++] = n;
}

struct node *graph_apply(struct graph *g, const struct op *op, int n_in, struct tensor *const *in,
                         const void *attr)
{
    if (n_in < op->min_in || n_in > op->max_in)
        BUG("%s takes %d to %d inputs, not %d", op->name, op->min_in, op->max_in, n_in);
    struct node *n = node_new(g, op, n_in, in, attr);
    struct shape shape[GRAPH_OUTPUTS_MAX];
    enum tensor_type type[GRAPH_OUTPUTS_MAX];
    for (int i = 0; i < op->n_out; i++) {
        shape[i] = SHAPE_SCALAR;
        type[i] = TENSOR_VALUE;
    }
    struct error err; /* a kilobyte, filled by a refusal alone */
    if (!g->error.code && op->shape(n, shape, type, &err))
        graph_refuse(g, "%s", err.msg);

    int requires_grad =
        !(op->flags & (OP_CONSTANT_GRAD | OP_EFFECT)) && op->grad && input_requires_grad(n);
    for (int i = 0; i < op->n_out; i++) {
        struct tensor *out = n->out[i];
        add_tensor(g, out, op->name, shape[i], type[i], TENSOR_NODE);
        out->producer = n;
        out->output = i;
        out->requires_grad = requires_grad;
    }
    add_node(g, n);
    return n;
}

void graph_add_input(struct graph *g, struct node *n, struct tensor *t)
{
    ASSERT(n->n_in < n->op->max_in && (!t->producer || t->producer->id < n->id));
    struct tensor **in = ARENA_ARRAY(&g->arena, struct tensor *, n->n_in + 1);
    for (int i = 0; i < n->n_in; i++)
        in[i] = n->in[i];
    in[n->n_in++] = t;
    n->in = in;
}

/* ---- scopes and regions ---------------------------------------------------------------------- */

const char *graph_scope_push(struct graph *g, const char *name)
{
    const char *old = g->scope;
    g->scope = arena_join(&g->arena, old, old[0] ? "." : "", name);
    return old;
}

void graph_scope_pop(struct graph *g, const char *old)
{
    g->scope = old;
}

void graph_region_begin(struct graph *g, enum region_policy policy)
{
    ASSERT(g->region == 0);
    g->region = ++g->n_regions;
    g->regions = mem_grow(g->regions, (size_t)g->n_regions, &g->cap_regions, sizeof *g->regions);
    g->regions[g->n_regions] = (struct region){.policy = policy};
}

void graph_region_end(struct graph *g)
{
    g->region = 0;
}

void graph_region_reverses(struct graph *g, struct tensor *x, struct tensor *f, struct tensor *y)
{
    struct region *r = &g->regions[g->n_regions];
    ASSERT(g->region == 0 && r->policy == REGION_REVERSE);
    r->x = x;
    r->f = f;
    r->y = y;
}
