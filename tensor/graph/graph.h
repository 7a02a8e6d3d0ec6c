/* The static graph: nodes apply ops to tensors of fixed shape.
 *
 * A tensor is one output of a node, or a leaf: an input, a parameter, a state block or a constant.
 * Tensors are contiguous and row-major with rank 0 to 6. Values are never overwritten, except state
 * by ops flagged OP_EFFECT. Nodes stand in the order of their creation, which is a topological
 * order: a node reads only tensors that exist already.
 *
 * Everything lives in the graph's arena and is freed at once by graph_free. Building never fails
 * half way: the first refused node records its message in graph->error, and every later call
 * returns a harmless tensor, so that a model is written without a check per line; graph_failed() is
 * asked once at the end. */
#ifndef TENSOR_GRAPH_GRAPH_H
#define TENSOR_GRAPH_GRAPH_H

#include "base/arena.h"
#include "base/error.h"

#include <stddef.h>
#include <stdint.h>

#define GRAPH_RANK_MAX    6
#define GRAPH_OUTPUTS_MAX 8

struct op;
struct graph;
struct node;

struct shape {
    int rank;
    int64_t dim[GRAPH_RANK_MAX];
};

/* SHAPE(2, 3) */
#define SHAPE(...)                                                                                 \
    ((struct shape){sizeof((int64_t[]){__VA_ARGS__}) / sizeof(int64_t), {__VA_ARGS__}})
#define SHAPE_SCALAR ((struct shape){0, {0}})

/* Here, so that no copy of a shape is made: thousands are asked for a graph. */

/* Number of elements; 1 for a scalar. */
static inline int64_t shape_count(struct shape s)
{
    int64_t n = 1;
    for (int i = 0; i < s.rank; i++)
        n *= s.dim[i];
    return n;
}

static inline int shape_equal(struct shape a, struct shape b)
{
    if (a.rank != b.rank)
        return 0;
    for (int i = 0; i < a.rank; i++)
        if (a.dim[i] != b.dim[i])
            return 0;
    return 1;
}

/* Last dimension; 1 for a scalar. */
static inline int64_t shape_last(struct shape s)
{
    return s.rank ? s.dim[s.rank - 1] : 1;
}

/* Elements / last dimension. */
static inline int64_t shape_rows(struct shape s)
{
    int64_t n = 1;
    for (int i = 0; i + 1 < s.rank; i++)
        n *= s.dim[i];
    return n;
}

/* "(2, 3)"; returns text. */
char *shape_text(struct shape s, char *text, size_t size);

enum tensor_type {
    TENSOR_VALUE, /* the graph's value type: float, or double in the judge */
    TENSOR_INT,   /* int32: labels, assignments */
    TENSOR_BYTE   /* uint8: samples of images. Only inputs are of this type */
};

/* Bytes of an element, where a value has value_size. */
static inline size_t tensor_type_size(enum tensor_type type, size_t value_size)
{
    return type == TENSOR_VALUE ? value_size : type == TENSOR_INT ? sizeof(int32_t) : 1;
}

enum tensor_kind {
    TENSOR_NODE,     /* computed */
    TENSOR_INPUT,    /* written by the host before each run */
    TENSOR_PARAM,    /* learned; lives in the plan's flat parameter block */
    TENSOR_STATE,    /* kept from run to run, changed by OP_EFFECT nodes: moments, EMA */
    TENSOR_CONSTANT, /* filled once when the program is loaded */
    TENSOR_FLAT      /* all parameters or all their gradients as one row (tensor/compile/plan.h) */
};

enum flat_segment { FLAT_PARAMS, FLAT_GRADS };

/* How a parameter or state block gets its first value. Keyed by name, so it does not depend on what
 * else is in the graph (base/rng.h). */
enum init_kind {
    INIT_ZERO,
    INIT_ONE,
    INIT_NORMAL,  /* scale * N(0, 1) */
    INIT_UNIFORM, /* scale * U(-1, 1) */
    INIT_VALUE    /* the constant scale */
};
struct init {
    enum init_kind kind;
    double scale;
};

struct tensor {
    int id;           /* index into graph->tensors */
    const char *name; /* a leaf's full name; of a node's output, the op's */
    struct shape shape;
    enum tensor_type type;
    enum tensor_kind kind;
    struct node *producer; /* NULL for leaves */
    int output;            /* which output of the producer; TENSOR_FLAT: which segment */
    struct init init;      /* parameters and state */
    int unused; /* parameter the model registers but never reads, on purpose (authors' code) */
    const double *constant; /* TENSOR_CONSTANT: shape_count values */
    const char *alias_name; /* a second name of a shared parameter, or NULL */
    int requires_grad;      /* some parameter reaches it (set as the graph is built) */
};

struct node {
    int id; /* index into graph->nodes */
    const struct op *op;
    const void *attr;  /* op->attr_size bytes, or NULL */
    const char *scope; /* path of the layer that made it: "blocks.0.attn" */
    struct tensor *const *in;
    struct tensor *const *out;
    int n_in, n_out;
    int region;   /* 0, or the region whose policy applies (graph_region_begin) */
    int backward; /* made by autograd */
};

/* What autograd may do with the values inside a region once the forward pass has left it. */
enum region_policy {
    REGION_KEEP,      /* keep what the gradients read */
    REGION_RECOMPUTE, /* keep the region's inputs only and compute the inside again */
    REGION_REVERSE    /* y = x + f(...), f the region: keep y only; compute f again and x = y - f */
};

/* Nodes between graph_region_begin and graph_region_end. x, f and y only with REGION_REVERSE. */
struct region {
    enum region_policy policy;
    struct tensor *x, *f, *y;
};

struct graph {
    struct arena arena;
    struct tensor **tensors;
    int n_tensors;
    size_t cap_tensors;
    struct tensor **leaves; /* hash table by name; the first of a name */
    size_t n_leaves, cap_leaves;
    struct node **nodes;
    int n_nodes;
    size_t cap_nodes;
    const char *scope;      /* current layer path; "" at the top */
    int region, n_regions;  /* current region, regions made so far */
    struct region *regions; /* [n_regions + 1]; regions[0] is outside */
    size_t cap_regions;
    int in_backward;    /* nodes made now belong to the backward pass */
    struct error error; /* first refusal; code 0 while all is well */

    /* Named results: what the host reads back and what keeps nodes alive. */
    struct tensor **outputs;
    const char **output_names;
    int n_outputs;
    size_t cap_outputs;
};

struct graph *graph_new(void);
void graph_free(struct graph *g);
int graph_failed(const struct graph *g,
                 struct error *err); /* copies the message; returns -1 or 0 */
/* Records the first refusal: "scope: message". */
void graph_refuse(struct graph *g, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

struct tensor *graph_input(struct graph *g, const char *name, struct shape shape,
                           enum tensor_type type);
/* A name that exists already with the same shape returns the same tensor (shared parameters). */
struct tensor *graph_param(struct graph *g, const char *name, struct shape shape, struct init init);
struct tensor *graph_state(struct graph *g, const char *name, struct shape shape, struct init init);
struct tensor *graph_constant(struct graph *g, const char *name, struct shape shape,
                              const double *values); /* values are copied */
struct tensor *graph_scalar(struct graph *g, double value);
struct tensor *graph_flat(struct graph *g, enum flat_segment segment, int64_t count);
struct tensor *graph_find(const struct graph *g, const char *name); /* leaf by name, or NULL */
/* The named result, or NULL. */
struct tensor *graph_output_find(const struct graph *g, const char *name);
void graph_output(struct graph *g, const char *name, struct tensor *t);

/* Applies an op. attr is copied (op->attr_size bytes). Shapes come from the op's shape rule, whose
 * refusal is recorded with the scope. Returns the node; its outputs are node->out[0..]. */
struct node *graph_apply(struct graph *g, const struct op *op, int n_in, struct tensor *const *in,
                         const void *attr);

/* One input more for a node that nobody has read: what it is must be there already. */
void graph_add_input(struct graph *g, struct node *n, struct tensor *t);

/* Layer paths. graph_scope_push("attn") inside "blocks.0" makes "blocks.0.attn"; pop restores. */
const char *graph_scope_push(struct graph *g,
                             const char *name); /* returns the old scope, for pop */
void graph_scope_pop(struct graph *g, const char *old);

/* Nodes made until graph_region_end belong to a region with the given policy. Regions do not nest.
 */
void graph_region_begin(struct graph *g, enum region_policy policy);
void graph_region_end(struct graph *g);
/* The last region was f of y = x + f with REGION_REVERSE: its gradients may rebuild x from y (Gomez
 * et al. 2017), so that nothing of a stack of such residuals is kept but its end. What f reads must
 * be rebuilt too, by a later region, or be kept by other means. */
void graph_region_reverses(struct graph *g, struct tensor *x, struct tensor *f, struct tensor *y);

/* Drops nodes that no output, effect or kept tensor needs. keep: n_keep further roots. */
void graph_prune(struct graph *g, struct tensor *const *keep, int n_keep);

#endif
