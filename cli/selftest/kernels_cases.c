/* What the kernels of a device are tried on (kernels_check.c), for n tokens: widths that fit no
 * tile, and widths that models have. */
#include "cli/selftest/kernel_case.h"
#include "tensor/ops/ops.h"

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_param(g, name, s, (struct init){INIT_NORMAL, 1});
}

static struct tensor *c_linear(struct graph *g, int64_t n)
{
    return op_linear(g, leaf(g, "x", SHAPE(2, n, 19)), leaf(g, "w", SHAPE(33, 19)),
                     leaf(g, "b", SHAPE(33)));
}
static struct tensor *c_matmul(struct graph *g, int64_t n)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, n, 12)), leaf(g, "b", SHAPE(2, 7, 12)),
                     (struct matmul_attr){3, 0, 1, 4, 0.5});
}
static struct tensor *c_matmul_back(struct graph *g, int64_t n)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, 2, n, 5)), leaf(g, "b", SHAPE(2, 5, 8)),
                     (struct matmul_attr){2, 0, 0, 3, 1});
}
static struct tensor *c_layer_norm(struct graph *g, int64_t n)
{
    return op_layer_norm(g, leaf(g, "x", SHAPE(3, n, 33)), leaf(g, "gamma", SHAPE(33)),
                         leaf(g, "beta", SHAPE(33)), 1e-6);
}
static struct tensor *c_layer_norm_fours(struct graph *g, int64_t n)
{
    return op_layer_norm(g, leaf(g, "x", SHAPE(2, n, 96)), leaf(g, "gamma", SHAPE(96)),
                         leaf(g, "beta", SHAPE(96)), 1e-6);
}
static struct tensor *c_add_layer_norm(struct graph *g, int64_t n)
{
    struct node *both =
        op_add_layer_norm(g, leaf(g, "a", SHAPE(2, n, 33)), leaf(g, "b", SHAPE(2, n, 33)),
                          leaf(g, "gamma", SHAPE(33)), leaf(g, "beta", SHAPE(33)), 1e-6);
    return op_mul(g, both->out[0], both->out[1]);
}
static struct tensor *c_linear_add(struct graph *g, int64_t n)
{
    return op_linear_add(g, leaf(g, "x", SHAPE(2, n, 33)), leaf(g, "h", SHAPE(2, n, 19)),
                         leaf(g, "w", SHAPE(33, 19)), leaf(g, "b", SHAPE(33)));
}
static struct tensor *c_gelu(struct graph *g, int64_t n)
{
    return op_gelu(g, op_affine(g, leaf(g, "x", SHAPE(2, n, 7)), 2, 0.1));
}
static struct tensor *c_softmax(struct graph *g, int64_t n)
{
    return op_softmax(g, leaf(g, "x", SHAPE(3, 5, n)), -1);
}
static struct tensor *c_softmax_tokens(struct graph *g, int64_t n)
{
    return op_softmax(g, leaf(g, "x", SHAPE(2, n, 5)), 1);
}
static struct tensor *c_attention(struct graph *g, int64_t n)
{
    return op_attention(g, leaf(g, "q", SHAPE(2, n, 24)), leaf(g, "k", SHAPE(2, 19, 24)),
                        leaf(g, "v", SHAPE(2, 19, 10)), NULL, 2, 0.3);
}
static struct tensor *c_attention_across(struct graph *g, int64_t n)
{
    return op_attention(g, leaf(g, "q", SHAPE(1, 9, 80)), leaf(g, "k", SHAPE(1, n, 80)),
                        leaf(g, "v", SHAPE(1, n, 66)), leaf(g, "bias", SHAPE(1, n)), 1, 0.11);
}
static struct tensor *c_attention_packed(struct graph *g, int64_t n)
{
    return op_attention_packed(g, leaf(g, "qkv", SHAPE(1, n, 192)), NULL, 2, 0.177);
}
static struct tensor *c_attention_odd(struct graph *g, int64_t n)
{
    return op_attention_packed(g, leaf(g, "qkv", SHAPE(1, n, 39)), NULL, 1, 0.277);
}
static struct tensor *c_linear_attention(struct graph *g, int64_t n)
{
    return op_linear_attention(g, leaf(g, "q", SHAPE(2, n, 36)), leaf(g, "k", SHAPE(2, 21, 36)),
                               leaf(g, "v", SHAPE(2, 21, 22)), 2, 1e-6);
}
static struct tensor *c_linear_attention_keys(struct graph *g, int64_t n)
{
    return op_linear_attention(g, leaf(g, "q", SHAPE(1, 9, 70)), leaf(g, "k", SHAPE(1, n, 70)),
                               leaf(g, "v", SHAPE(1, n, 40)), 1, 1e-6);
}
static struct tensor *c_sum_tokens(struct graph *g, int64_t n)
{
    return op_mean_tokens(g, leaf(g, "x", SHAPE(2, n, 35)));
}
static struct tensor *c_sum_channels(struct graph *g, int64_t n)
{
    return op_sum(g, leaf(g, "x", SHAPE(2, 3, n * 3)), 2, 1, 0, 0.5);
}
static struct tensor *c_broadcast(struct graph *g, int64_t n)
{
    struct tensor *x = op_mul(g, leaf(g, "x", SHAPE(2, n, 5)), leaf(g, "y", SHAPE(n, 1)));
    return op_add(g, x, leaf(g, "z", SHAPE(2, 1, 5)));
}
static struct tensor *c_structure(struct graph *g, int64_t n)
{
    struct tensor *x = op_concat(
        g, (struct tensor *[]){leaf(g, "x", SHAPE(2, n, 6)), leaf(g, "y", SHAPE(2, 3, 6))}, 2, 1);
    return op_swap(g, op_pad(g, op_slice(g, x, 1, 1, n), 2, 1, 2), 1);
}
static struct tensor *c_depthwise(struct graph *g, int64_t n)
{
    return op_depthwise(g, leaf(g, "x", SHAPE(2, n, 11)), leaf(g, "w", SHAPE(11, 1, 7)),
                        leaf(g, "b", SHAPE(11)));
}
static struct tensor *c_merge(struct graph *g, int64_t n)
{
    struct tensor *x = leaf(g, "x", SHAPE(2, n + 2, 13));
    int64_t r = op_tome_amount(n + 2, (n + 5) / 6, 1, 0);
    if (r < 1)
        return op_affine(g, x, 2, 0);
    return op_scatter_rows(g, x, op_tome_match(g, op_stop_gradient(g, x), r, 1, 0).assign, 1,
                           n + 2 - r);
}
static struct tensor *c_drop_path(struct graph *g, int64_t n)
{
    return op_drop_path(g, leaf(g, "x", SHAPE(9, n, 3)), 0.4, "drop");
}
static struct tensor *c_norm(struct graph *g, int64_t n)
{
    return op_norm_square(g, leaf(g, "x", SHAPE(n, 45)));
}

const struct size_case kernel_cases[] = {
    {"linear", c_linear},
    {"matmul of heads", c_matmul},
    {"matmul to tokens", c_matmul_back},
    {"layer_norm, 33 wide", c_layer_norm},
    {"layer_norm, 96 wide", c_layer_norm_fours},
    {"add_layer_norm", c_add_layer_norm},
    {"linear_add", c_linear_add},
    {"gelu", c_gelu},
    {"softmax", c_softmax},
    {"softmax over tokens", c_softmax_tokens},
    {"attention, many queries", c_attention},
    {"attention, many keys", c_attention_across},
    {"attention, packed", c_attention_packed},
    {"attention, 13 wide", c_attention_odd},
    {"linear_attention, many queries", c_linear_attention},
    {"linear_attention, many keys", c_linear_attention_keys},
    {"sum of tokens", c_sum_tokens},
    {"sum of channels", c_sum_channels},
    {"broadcasting", c_broadcast},
    {"structure", c_structure},
    {"depthwise", c_depthwise},
    {"tome_match and scatter_rows", c_merge},
    {"drop_path", c_drop_path},
    {"norm_square", c_norm},
    {0},
};

/* ---- lower precision ------------------------------------------------------------------------- */

static struct tensor *c_attention_wide(struct graph *g, int64_t n)
{
    return op_attention(g, leaf(g, "q", SHAPE(2, n, 48)), leaf(g, "k", SHAPE(2, 21, 48)),
                        leaf(g, "v", SHAPE(2, 21, 32)), NULL, 2, 0.2);
}

static struct tensor *c_linear_attention_heads(struct graph *g, int64_t n)
{
    return op_linear_attention(g, leaf(g, "q", SHAPE(2, 49, 32)), leaf(g, "k", SHAPE(2, n, 32)),
                               leaf(g, "v", SHAPE(2, n, 128)), 2, 1e-6);
}

/* Results that only products read may be stored in bf16. */
static struct tensor *c_block(struct graph *g, int64_t n)
{
    struct tensor *x = leaf(g, "x", SHAPE(2, n, 16));
    struct tensor *y =
        op_layer_norm(g, x, leaf(g, "gamma", SHAPE(16)), leaf(g, "beta", SHAPE(16)), 1e-6);
    struct tensor *qkv = op_linear(g, y, leaf(g, "qkv", SHAPE(48, 16)), leaf(g, "b", SHAPE(48)));
    qkv = op_affine(g, qkv, 0.25, 0);
    y = op_linear(g, op_attention_packed(g, qkv, NULL, 2, 0.35), leaf(g, "proj", SHAPE(8, 16)),
                  NULL);
    return op_linear(g, op_gelu(g, y), leaf(g, "fc2", SHAPE(6, 8)), NULL);
}

/* Deeper than any slice that a kernel works on at once. */
static struct tensor *c_deep(struct graph *g, int64_t n)
{
    return op_linear(g, leaf(g, "x", SHAPE(n, 1100)), leaf(g, "w", SHAPE(37, 1100)),
                     leaf(g, "b", SHAPE(37)));
}

/* A norm that products and a sum read, and a gradient of a stream that products read: both are
 * stored in full beside a copy in bf16. */
static struct tensor *c_streams(struct graph *g, int64_t n)
{
    struct tensor *y = op_layer_norm(g, leaf(g, "x", SHAPE(2, n, 16)), leaf(g, "gamma", SHAPE(16)),
                                     leaf(g, "beta", SHAPE(16)), 1e-6);
    y = op_add(g, y, op_linear(g, y, leaf(g, "w", SHAPE(16, 16)), NULL));
    struct tensor *z =
        op_layer_norm(g, y, leaf(g, "gamma2", SHAPE(16)), leaf(g, "beta2", SHAPE(16)), 1e-6);
    return op_add(g, y, op_linear(g, z, leaf(g, "w2", SHAPE(16, 16)), NULL));
}

const struct rounded_case kernel_rounded_cases[] = {
    {{"linear", c_linear}, 1},
    {{"linear, 1100 deep", c_deep}, 1},
    {{"matmul of heads", c_matmul}, 1},
    {{"matmul to tokens", c_matmul_back}, 1},
    {{"attention, packed", c_attention_packed}, 1},
    {{"attention, many queries", c_attention_wide}, 1},
    {{"linear_attention, many queries", c_linear_attention}, 1},
    {{"linear_attention, many keys", c_linear_attention_keys}, 1},
    {{"linear_attention, 16 and 64 wide", c_linear_attention_heads}, 1},
    {{"a block", c_block}, 3},
    {{"streams and norms", c_streams}, 2},
    {{0}, 0},
};
