/* Operands that do not fit, which the ops' shape rules must refuse. */
#include "cli/selftest/op_instance.h"
#include "tensor/ops/ops.h"

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_param(g, name, s, (struct init){INIT_NORMAL, 1});
}

static struct tensor *r_linear(struct graph *g)
{
    return op_linear(g, leaf(g, "x", SHAPE(2, 6)), leaf(g, "w", SHAPE(4, 5)), NULL);
}
static struct tensor *r_add(struct graph *g)
{
    return op_add(g, leaf(g, "x", SHAPE(2, 3)), leaf(g, "y", SHAPE(2, 4)));
}
static struct tensor *r_linear_add(struct graph *g)
{
    return op_linear_add(g, leaf(g, "x", SHAPE(1, 4)), leaf(g, "h", SHAPE(2, 5)),
                         leaf(g, "w", SHAPE(4, 5)), NULL);
}
static struct tensor *r_add_layer_norm(struct graph *g)
{
    return op_add_layer_norm(g, leaf(g, "a", SHAPE(2, 4)), leaf(g, "b", SHAPE(1, 4)),
                             leaf(g, "gamma", SHAPE(4)), leaf(g, "beta", SHAPE(4)), 1e-6)
        ->out[1];
}
static struct tensor *r_patch(struct graph *g)
{
    return op_patchify(g, leaf(g, "x", SHAPE(1, 3, 10, 10)), 4);
}
static struct tensor *r_mix(struct graph *g)
{
    return op_mix(g, leaf(g, "x", SHAPE(2, 3, 4, 4)), leaf(g, "plan", SHAPE(3, MIXED_FIELDS)));
}
static struct tensor *r_heads(struct graph *g)
{
    return op_attention_packed(g, leaf(g, "qkv", SHAPE(1, 2, 20)), NULL, 3, 1);
}
static struct tensor *r_matmul(struct graph *g)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, 3, 4)), leaf(g, "b", SHAPE(3, 4, 4)),
                     (struct matmul_attr){1, 0, 0, 3, 1});
}
static struct tensor *r_slice(struct graph *g)
{
    return op_slice(g, leaf(g, "x", SHAPE(2, 3)), 1, 2, 2);
}
static struct tensor *r_twice(struct graph *g)
{
    leaf(g, "x", SHAPE(2, 3));
    return leaf(g, "x", SHAPE(3, 2));
}

static struct tensor *r_scatter(struct graph *g)
{
    struct tensor *assign = graph_input(g, "assign", SHAPE(2, 7), TENSOR_INT);
    return op_scatter_rows(g, leaf(g, "x", SHAPE(2, 6, 3)), assign, 1, 5);
}
static struct tensor *r_gather(struct graph *g)
{
    return op_gather_rows(g, leaf(g, "x", SHAPE(2, 6, 3)), leaf(g, "y", SHAPE(2, 6)), 1);
}
static struct tensor *r_tome(struct graph *g)
{
    return op_tome_match(g, leaf(g, "x", SHAPE(2, 9, 3)), 5, 1, 0).scores;
}
static struct tensor *r_mctf(struct graph *g)
{
    struct mctf_attr a = {.n = 3, .protect = 1, .tau_sim = 1};
    return op_mctf_match(g, leaf(g, "x", SHAPE(2, 9, 3)), leaf(g, "y", SHAPE(2, 8)), NULL, a)
        .scores;
}

const struct op_instance op_refused[] = {
    {"linear", r_linear},
    {"add", r_add},
    {"patchify", r_patch},
    {"mix", r_mix},
    {"attention", r_heads},
    {"matmul", r_matmul},
    {"slice", r_slice},
    {"parameter", r_twice},
    {"scatter_rows", r_scatter},
    {"gather_rows", r_gather},
    {"tome_match", r_tome},
    {"mctf_match", r_mctf},
    {"linear_add", r_linear_add},
    {"add_layer_norm", r_add_layer_norm},
    {0},
};
