/* Random cases of every op, plain loops for them, and what a result must be: shared by the test of
 * the CPU's kernels and by that of devices behind plugins. */
#ifndef TESTS_BACKEND_CASES_H
#define TESTS_BACKEND_CASES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "backend/precision.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"

#define REF_REAL  double
#define REF(name) name##_double
#include "tests/backend/reference.h"
#undef REF_REAL
#undef REF
#define REF_REAL  float
#define REF(name) name##_float
#include "tests/backend/reference.h"
#undef REF
#undef REF_ROUND

/* The nearest bfloat16, ties to even. */
static float bf16_of(float x)
{
    uint32_t bits;
    memcpy(&bits, &x, sizeof bits);
    bits = (bits + 0x7fff + (bits >> 16 & 1)) & 0xffff0000u;
    memcpy(&x, &bits, sizeof x);
    return x;
}

#define REF(name)    name##_bf16
#define REF_ROUND(x) bf16_of(x)
#include "tests/backend/reference.h"

/* ---- cases: a node on leaves of random shapes ------------------------------------------------ */

struct recipe {
    const char *op;
    void (*build)(struct graph *g, struct rng *r);
    double (*value)(struct rng *r, int input, int64_t i); /* NULL: standard normal */
};

static int64_t any(struct rng *r, int64_t from, int64_t to)
{
    return from + rng_below(r, to - from + 1);
}

/* Numbers of tokens: any, or the one that the test sets, where kernels that cut by powers of two
 * have their edges. */
static int64_t fixed_tokens;

static int64_t any_tokens(struct rng *r, int64_t from, int64_t to)
{
    int64_t drawn = any(r, from, to);
    return fixed_tokens ? fixed_tokens : drawn;
}

static int chance(struct rng *r)
{
    return (int)rng_below(r, 2);
}

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_input(g, name, s, TENSOR_VALUE);
}

/* Mostly small, sometimes longer than a block of element-wise work. */
static struct shape any_shape(struct rng *r)
{
    struct shape s = {.rank = (int)any(r, 1, 4)};
    int long_axis = (int)rng_below(r, 3 * s.rank);
    for (int i = 0; i < s.rank; i++)
        s.dim[i] = i == long_axis ? any(r, 900, 2500) : any(r, 1, 21);
    for (int i = 0; shape_count(s) > 50000; i = (i + 1) % s.rank)
        s.dim[i] = (s.dim[i] + 1) / 2;
    return s;
}

/* At least so many elements that the plain loop's largest error is not small by luck. */
static struct shape large_shape(struct rng *r)
{
    struct shape s = any_shape(r);
    s.dim[0] *= 1 + 999 / shape_count(s);
    return s;
}

static void build_slice(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int axis = (int)rng_below(r, s.rank);
    s.dim[axis] += 1;
    int64_t start = rng_below(r, s.dim[axis]);
    int64_t room = s.dim[axis] - start;
    op_slice(g, leaf(g, "x", s), axis, start, start ? any(r, 1, room) : s.dim[axis] - 1);
}

static void build_pad(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int64_t before = any(r, 0, 5);
    op_pad(g, leaf(g, "x", s), (int)rng_below(r, s.rank), before, any(r, before ? 0 : 1, 5));
}

static void build_concat(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int axis = (int)rng_below(r, s.rank), n = (int)any(r, 2, 4);
    struct tensor *x[4];
    char name[16];
    for (int i = 0; i < n; i++) {
        s.dim[axis] = any(r, 1, 30);
        snprintf(name, sizeof name, "x%d", i);
        x[i] = leaf(g, name, s);
    }
    op_concat(g, x, n, axis);
}

static void build_repeat(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    s.dim[0] = 1;
    op_repeat(g, leaf(g, "x", s), any(r, 2, 9));
}

static void build_swap(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    if (s.rank == 1)
        s = SHAPE(s.dim[0], 3);
    op_swap(g, leaf(g, "x", s), (int)rng_below(r, s.rank - 1));
}

static void build_patchify(struct graph *g, struct rng *r)
{
    int64_t p = any(r, 1, 5);
    op_patchify(
        g, leaf(g, "x", SHAPE(any(r, 1, 3), any(r, 1, 4), p * any(r, 1, 5), p * any(r, 1, 5))), p);
}

static void build_unpatchify(struct graph *g, struct rng *r)
{
    build_patchify(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *t = leaf(g, "t", n->out[0]->shape);
    graph_apply(g, &op_unpatchify_row, 1, &t, n->attr);
}

static void build_resample(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int axis = (int)rng_below(r, s.rank);
    int64_t from = s.dim[axis], to = any(r, 1, 40);
    op_resample(g, leaf(g, "x", s), axis,
                chance(r) ? mixing_pool(&g->arena, from, to)
                          : mixing_resize(&g->arena, MIXING_BICUBIC, from, to),
                0);
}

static void build_pool(struct graph *g, struct rng *r)
{
    int64_t rows = any(r, 1, 9), cols = any(r, 1, 9);
    op_pool_grid(g, leaf(g, "x", SHAPE(any(r, 1, 3), rows * cols, any(r, 1, 40))), rows, cols,
                 any(r, 1, 9), any(r, 1, 9));
}

static void build_unfold(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), channels = any(r, 1, 6), rows = any(r, 3, 9), cols = any(r, 3, 9);
    struct shape s =
        chance(r) ? SHAPE(batch, rows * cols, channels) : SHAPE(batch, channels, rows, cols);
    op_unfold(g, leaf(g, "x", s), rows, cols, any(r, 1, 3), any(r, 1, 2), any(r, 0, 1));
}

static void build_fold(struct graph *g, struct rng *r)
{
    build_unfold(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *t = leaf(g, "t", n->out[0]->shape);
    graph_apply(g, &op_fold_row, 1, &t, n->attr);
}

/* Assignments are drawn below PLACES. */
enum { PLACES = 5 };

static struct tensor *assignment(struct graph *g, int64_t batch, int64_t tokens)
{
    return graph_input(g, "assign", SHAPE(batch, tokens), TENSOR_INT);
}

static void build_scatter(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), tokens = any(r, 1, 40), heads = any(r, 1, 3),
            width = chance(r) ? 1 : any(r, 1, 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, heads, tokens, width));
    op_scatter_rows(g, x, assignment(g, batch, tokens), 2, any(r, PLACES, 9));
}

static void build_scatter_max(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), tokens = any(r, 1, 40), heads = any(r, 1, 3),
            width = chance(r) ? 1 : any(r, 1, 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, heads, tokens, width));
    op_scatter_max(g, x, assignment(g, batch, tokens), 2, any(r, PLACES, 9));
}

static void build_gather(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), width = chance(r) ? 1 : any(r, 1, 600);
    struct tensor *x = leaf(g, "x", SHAPE(batch, any(r, PLACES, 9), width));
    op_gather_rows(g, x, assignment(g, batch, any(r, 1, 40)), 1);
}

/* Two shapes that broadcast: dimensions become 1, leading ones vanish. */
static void broadcast_pair(struct graph *g, struct rng *r, struct tensor *x[2])
{
    struct shape s = any_shape(r), t = s;
    for (int i = 0; i < s.rank; i++) {
        int which = (int)rng_below(r, 5);
        if (which == 0)
            s.dim[i] = 1;
        if (which == 1)
            t.dim[i] = 1;
    }
    int drop = (int)rng_below(r, 3) == 0 ? (int)rng_below(r, t.rank) : 0;
    for (int i = 0; i + drop < t.rank; i++)
        t.dim[i] = t.dim[i + drop];
    t.rank -= drop;
    int swap = chance(r);
    x[0] = leaf(g, "a", swap ? t : s);
    x[1] = leaf(g, "b", swap ? s : t);
}

#define BUILD_BINARY(NAME)                                                                         \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        struct tensor *x[2];                                                                       \
        broadcast_pair(g, r, x);                                                                   \
        op_##NAME(g, x[0], x[1]);                                                                  \
    }
BUILD_BINARY(add)
BUILD_BINARY(sub)
BUILD_BINARY(mul)
BUILD_BINARY(div)

#define BUILD_UNARY(NAME)                                                                          \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        op_##NAME(g, leaf(g, "x", large_shape(r)));                                                \
    }
BUILD_UNARY(exp)
BUILD_UNARY(log)
BUILD_UNARY(sqrt)
BUILD_UNARY(erf)
BUILD_UNARY(sigmoid)
BUILD_UNARY(phi)
BUILD_UNARY(relu)
BUILD_UNARY(gelu)
BUILD_UNARY(norm_square)

#define BUILD_UNARY_GRAD(NAME)                                                                     \
    static void build_##NAME(struct graph *g, struct rng *r)                                       \
    {                                                                                              \
        struct shape s = large_shape(r);                                                           \
        struct tensor *in[2] = {leaf(g, "x", s), leaf(g, "dy", s)};                                \
        graph_apply(g, &op_##NAME##_row, 2, in, NULL);                                             \
    }
BUILD_UNARY_GRAD(phi_grad)
BUILD_UNARY_GRAD(relu_grad)
BUILD_UNARY_GRAD(gelu_grad)

static void build_above(struct graph *g, struct rng *r)
{
    op_above(g, leaf(g, "x", any_shape(r)), 0.5);
}

static void build_affine(struct graph *g, struct rng *r)
{
    op_affine(g, leaf(g, "x", any_shape(r)), -1.7, 0.3);
}

/* Few groups of many rows are summed in pieces. */
static void build_sum(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    int first = (int)rng_below(r, s.rank);
    if (chance(r))
        s.dim[first] = any(r, 2000, 6000), s.dim[0] = first ? 1 : s.dim[0];
    op_sum(g, leaf(g, "x", s), first, (int)any(r, 1, s.rank - first), chance(r), 0.37);
}

static void build_max(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    op_max(g, leaf(g, "x", s), (int)rng_below(r, s.rank));
}

static void build_spread(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r), to = s;
    for (int i = 0; i < s.rank; i++)
        if (chance(r))
            s.dim[i] = 1;
    op_spread(g, leaf(g, "x", s), to, 0.37);
}

static void build_linear(struct graph *g, struct rng *r)
{
    int64_t in = any(r, 1, 150), out = any(r, 1, 150), rows = any_tokens(r, 1, 300);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 3), rows, in));
    struct tensor *w = leaf(g, "w", SHAPE(out, in));
    op_linear(g, x, w, chance(r) ? leaf(g, "b", SHAPE(out)) : NULL);
}

/* One large product: sometimes deep enough to be cut along its depth. */
static void build_matmul_flat(struct graph *g, struct rng *r)
{
    int ta = chance(r), tb = chance(r);
    int64_t m = any(r, 1, 70), n = any(r, 1, 70),
            k = chance(r) ? any(r, 1, 200) : any(r, 1000, 5000);
    struct tensor *a = leaf(g, "a", ta ? SHAPE(k, m) : SHAPE(m, k));
    struct tensor *b = leaf(g, "b", tb ? SHAPE(n, k) : SHAPE(k, n));
    op_matmul(g, a, b, (struct matmul_attr){1, ta, tb, 2, 0.7});
}

static struct tensor *stack(struct graph *g, struct rng *r, const char *name, int64_t batch,
                            int64_t heads, int64_t rows, int64_t cols)
{
    return leaf(g, name,
                chance(r) ? SHAPE(batch, rows, heads * cols) : SHAPE(batch, heads, rows, cols));
}

static void build_matmul_stack(struct graph *g, struct rng *r)
{
    int ta = chance(r), tb = chance(r);
    int64_t batch = any(r, 1, 4), heads = any(r, 1, 4);
    int64_t m = any(r, 1, 70), n = any(r, 1, 70), k = any(r, 1, 70);
    struct tensor *a = stack(g, r, "a", batch, heads, ta ? k : m, ta ? m : k);
    struct tensor *b = stack(g, r, "b", batch, heads, tb ? n : k, tb ? k : n);
    op_matmul(g, a, b, (struct matmul_attr){(int)heads, ta, tb, (int)any(r, 3, 4), 0.7});
}

static void build_scale_shift(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r), channels = SHAPE(s.dim[s.rank - 1]);
    op_scale_shift(g, leaf(g, "x", s), leaf(g, "gain", channels), leaf(g, "offset", channels));
}

static void build_depthwise(struct graph *g, struct rng *r)
{
    int64_t channels = any(r, 1, 100);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 5), any(r, 1, 40), channels));
    struct tensor *w = leaf(g, "w", SHAPE(channels, 1, 2 * any(r, 0, 3) + 1));
    op_depthwise(g, x, w, leaf(g, "b", SHAPE(channels)));
}

static void build_depthwise_grad(struct graph *g, struct rng *r)
{
    build_depthwise(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dy", n->out[0]->shape)};
    graph_apply(g, &op_depthwise_grad_row, 3, in, NULL);
}

static void build_softmax(struct graph *g, struct rng *r)
{
    struct shape s = any_shape(r);
    op_softmax(g, leaf(g, "x", s), (int)rng_below(r, s.rank));
}

static void build_softmax_grad(struct graph *g, struct rng *r)
{
    struct shape s = large_shape(r);
    op_softmax(g, leaf(g, "x", s), (int)rng_below(r, s.rank));
    const struct node *n = g->nodes[0];
    struct tensor *in[2] = {n->out[0], leaf(g, "dy", n->out[0]->shape)};
    graph_apply(g, &op_softmax_grad_row, 2, in, n->attr);
}

static void build_layer_norm(struct graph *g, struct rng *r)
{
    int64_t width = any(r, 2, 300);
    struct tensor *x = leaf(g, "x", SHAPE(any(r, 1, 3), any_tokens(r, 1, 200), width));
    struct tensor *gamma = leaf(g, "gamma", SHAPE(width)), *beta = leaf(g, "beta", SHAPE(width));
    op_layer_norm(g, x, gamma, beta, 1e-6);
}

static void build_layer_norm_grad(struct graph *g, struct rng *r)
{
    build_layer_norm(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[5] = {leaf(g, "dy", n->out[0]->shape), n->in[0], n->in[1], n->out[1],
                            n->out[2]};
    graph_apply(g, &op_layer_norm_grad_row, 5, in, NULL);
}

static void build_attention(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), m = any_tokens(r, 1, 150), n = any_tokens(r, 1, 90);
    int64_t heads = any(r, 1, 3);
    int64_t d = any(r, 1, 40), e = any(r, 1, 40);
    int packed = chance(r), biased = chance(r);
    double scale = 1 / sqrt((double)d);
    if (packed) {
        struct tensor *qkv = leaf(g, "qkv", SHAPE(batch, n, 3 * heads * d));
        op_attention_packed(g, qkv, biased ? leaf(g, "bias", SHAPE(batch, n)) : NULL, (int)heads,
                            scale);
        return;
    }
    struct tensor *q = leaf(g, "q", SHAPE(batch, m, heads * d));
    struct tensor *k = leaf(g, "k", SHAPE(batch, n, heads * d));
    struct tensor *v = leaf(g, "v", SHAPE(batch, n, heads * e));
    op_attention(g, q, k, v, biased ? leaf(g, "bias", SHAPE(batch, n)) : NULL, (int)heads, scale);
}

static void build_attention_grad(struct graph *g, struct rng *r)
{
    build_attention(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[7];
    int n_in = 0;
    for (int i = 0; i < n->n_in; i++)
        in[n_in++] = n->in[i];
    in[n_in++] = n->out[0];
    in[n_in++] = n->out[1];
    in[n_in++] = leaf(g, "dout", n->out[0]->shape);
    graph_apply(g, &op_attention_grad_row, n_in, in, n->attr);
}

static void build_linear_attention(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 3), m = any_tokens(r, 1, 90), n = any_tokens(r, 1, 90);
    int64_t heads = any(r, 1, 3);
    int64_t f = any(r, 1, 40), e = any(r, 1, 40);
    struct tensor *q = leaf(g, "q", SHAPE(batch, m, heads * f));
    struct tensor *k = leaf(g, "k", SHAPE(batch, n, heads * f));
    struct tensor *v = leaf(g, "v", SHAPE(batch, n, heads * e));
    op_linear_attention(g, q, k, v, (int)heads, 1e-6);
}

static void build_linear_attention_grad(struct graph *g, struct rng *r)
{
    build_linear_attention(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[7] = {n->in[0],
                            n->in[1],
                            n->in[2],
                            n->out[1],
                            n->out[2],
                            n->out[0],
                            leaf(g, "dout", n->out[0]->shape)};
    graph_apply(g, &op_linear_attention_grad_row, 7, in, n->attr);
}

static void build_cross_entropy(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 40), classes = any(r, 2, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, classes));
    int soft = chance(r);
    struct tensor *target = graph_input(g, "target", soft ? SHAPE(batch, classes) : SHAPE(batch),
                                        soft ? TENSOR_VALUE : TENSOR_INT);
    op_cross_entropy(g, logits, target, chance(r) ? 0.1 : 0);
}

static void build_cross_entropy_grad(struct graph *g, struct rng *r)
{
    build_cross_entropy(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dloss", SHAPE_SCALAR)};
    graph_apply(g, &op_cross_entropy_grad_row, 3, in, n->attr);
}

/* Labels are 0 .. PLACES-1, one of which is ignored. */
static void build_label_cross_entropy(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 4), places = any(r, 1, 900), classes = any(r, PLACES, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, places, classes));
    struct tensor *target = graph_input(g, "assign", SHAPE(batch, places), TENSOR_INT);
    op_label_cross_entropy(g, logits, target,
                           (struct label_loss_attr){.smoothing = chance(r) ? 0.1 : 0,
                                                    .ignore = 1,
                                                    .over_all = chance(r)});
}

static void build_label_cross_entropy_grad(struct graph *g, struct rng *r)
{
    build_label_cross_entropy(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dloss", SHAPE_SCALAR)};
    graph_apply(g, &op_label_cross_entropy_grad_row, 3, in, n->attr);
}

static void build_bce(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 40), classes = any(r, 2, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, classes));
    int soft = chance(r);
    struct tensor *target = graph_input(g, "target", soft ? SHAPE(batch, classes) : SHAPE(batch),
                                        soft ? TENSOR_VALUE : TENSOR_INT);
    op_bce(g, logits, target, chance(r) ? 0.1 : 0, chance(r) ? 1 : 1 / (double)classes);
}

static void build_bce_grad(struct graph *g, struct rng *r)
{
    build_bce(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dloss", SHAPE_SCALAR)};
    graph_apply(g, &op_bce_grad_row, 3, in, n->attr);
}

static void build_drop_path(struct graph *g, struct rng *r)
{
    op_drop_path(g, leaf(g, "x", any_shape(r)), 0.4, "blocks.0");
}

static struct tensor *hyper_leaf(struct graph *g)
{
    return leaf(g, "hyper", SHAPE(HYPER_COUNT));
}

static void build_update(struct graph *g, struct rng *r, const struct op *update)
{
    struct shape s = SHAPE(any(r, 1, 40000));
    struct tensor *p = leaf(g, "p", s);
    struct tensor *states[] = {leaf(g, "m", s), leaf(g, "v", s)};
    struct tensor *grads = leaf(g, "grads", s), *norm = leaf(g, "norm", SHAPE_SCALAR);
    op_apply_update(g, update, p, states, grads, norm, hyper_leaf(g), any(r, 0, s.dim[0]));
}

static void build_adamw(struct graph *g, struct rng *r)
{
    build_update(g, r, &op_adamw_row);
}

static void build_sgd(struct graph *g, struct rng *r)
{
    build_update(g, r, &op_sgd_row);
}

static void build_accumulate(struct graph *g, struct rng *r)
{
    struct shape s = SHAPE(any(r, 1, 40000));
    struct tensor *sum = leaf(g, "sum", s), *grads = leaf(g, "grads", s);
    op_apply_accumulate(g, sum, grads, hyper_leaf(g));
}

static void build_running_mean(struct graph *g, struct rng *r)
{
    struct shape s = SHAPE(any(r, 1, 40000));
    struct tensor *mean = leaf(g, "mean", s), *p = leaf(g, "p", s);
    op_apply_running_mean(g, mean, p, hyper_leaf(g));
}

static double positive(struct rng *r, int input, int64_t i)
{
    (void)input;
    (void)i;
    return 0.05 + 3 * fabs(rng_normal(r));
}

static double wide(struct rng *r, int input, int64_t i)
{
    (void)i;
    return (input == 0 ? 4 : 1) * rng_normal(r);
}

/* Probabilities, and a slope: of anything else softmax_grad is all cancellation. */
static double shares(struct rng *r, int input, int64_t i)
{
    (void)i;
    return input == 0 ? 0.01 * rng_uniform(r) : rng_normal(r);
}

static void build_tome_match(struct graph *g, struct rng *r)
{
    int64_t tokens = any_tokens(r, 4, 100);
    int class_token = chance(r), distill = class_token && chance(r);
    int64_t most = op_tome_amount(tokens, tokens, class_token, distill);
    op_tome_match(g, leaf(g, "metric", SHAPE(any(r, 1, 5), tokens, any(r, 3, 70))),
                  chance(r) ? most : any(r, 1, most), class_token, distill);
}

static void build_mctf_match(struct graph *g, struct rng *r)
{
    int64_t tokens = any_tokens(r, 4, 100), batch = any(r, 1, 5);
    int protect = chance(r);
    struct mctf_attr a = {.protect = protect,
                          .bidirectional = chance(r),
                          .tau_sim = (double)any(r, 0, 2),
                          .tau_info = (double)any(r, 1, 20),
                          .tau_size = (double)any(r, 0, 40)};
    a.n = any(r, 1, (tokens - protect) / 2);
    struct shape s = SHAPE(batch, tokens);
    op_mctf_match(g, leaf(g, "x", SHAPE(batch, tokens, any(r, 3, 70))), leaf(g, "received", s),
                  chance(r) ? leaf(g, "sizes", s) : NULL, a);
}

static double for_mctf(struct rng *r, int input, int64_t i)
{
    (void)i;
    return input ? 0.1 + rng_uniform(r) : rng_normal(r);
}

/* All tokens alike: every decision is a tie, and the lowest index must win. */
static double alike(struct rng *r, int input, int64_t i)
{
    (void)r;
    (void)input;
    (void)i;
    return 1;
}

static double divisor(struct rng *r, int input, int64_t i)
{
    (void)i;
    double x = rng_normal(r);
    return input == 0 ? x : x < 0 ? x - 0.3 : x + 0.3;
}

/* Hyper-parameters of the third update. */
static double some_hyper(int64_t i, double flag)
{
    const double hyper[HYPER_COUNT] = {
        [HYPER_LR] = 1e-3,     [HYPER_DECAY] = 0.05,   [HYPER_NEW1] = 0.1,     [HYPER_NEW2] = 0.001,
        [HYPER_EPS] = 1e-8,    [HYPER_CLIP] = 1,       [HYPER_T] = 3,          [HYPER_ADD] = flag,
        [HYPER_SHARE] = 0.125, [HYPER_MOMENTUM] = 0.9, [HYPER_NESTEROV] = flag};
    return hyper[i];
}

static double for_adamw(struct rng *r, int input, int64_t i)
{
    double x = rng_normal(r);
    return input == 5 ? some_hyper(i, 0) : input == 4 ? 2.5 : input == 2 ? x * x : x;
}

static double for_sgd(struct rng *r, int input, int64_t i)
{
    return input == 4 ? some_hyper(i, 0) : input == 3 ? 2.5 : rng_normal(r);
}

static double for_nesterov(struct rng *r, int input, int64_t i)
{
    return input == 4 ? some_hyper(i, 1) : input == 3 ? 2.5 : rng_normal(r);
}

static double for_flat(struct rng *r, int input, int64_t i)
{
    return input == 2 ? some_hyper(i, 1) : rng_normal(r);
}

static double for_flat_anew(struct rng *r, int input, int64_t i)
{
    return input == 2 ? some_hyper(i, 0) : rng_normal(r);
}

/* One line an op at least; test_complete checks it. */
static const struct recipe recipes[] = {
    {"slice", build_slice, NULL},
    {"pad", build_pad, NULL},
    {"concat", build_concat, NULL},
    {"repeat", build_repeat, NULL},
    {"swap", build_swap, NULL},
    {"patchify", build_patchify, NULL},
    {"unpatchify", build_unpatchify, NULL},
    {"resample", build_resample, NULL},
    {"resample", build_pool, NULL},
    {"unfold", build_unfold, NULL},
    {"fold", build_fold, NULL},
    {"scatter_rows", build_scatter, NULL},
    {"scatter_max", build_scatter_max, NULL},
    {"gather_rows", build_gather, NULL},
    {"above", build_above, NULL},
    {"add", build_add, NULL},
    {"sub", build_sub, NULL},
    {"mul", build_mul, NULL},
    {"div", build_div, divisor},
    {"affine", build_affine, NULL},
    {"exp", build_exp, wide},
    {"log", build_log, positive},
    {"sqrt", build_sqrt, positive},
    {"erf", build_erf, wide},
    {"sigmoid", build_sigmoid, wide},
    {"phi", build_phi, wide},
    {"phi_grad", build_phi_grad, wide},
    {"relu", build_relu, wide},
    {"relu_grad", build_relu_grad, wide},
    {"gelu", build_gelu, wide},
    {"gelu_grad", build_gelu_grad, wide},
    {"sum", build_sum, NULL},
    {"max", build_max, NULL},
    {"spread", build_spread, NULL},
    {"linear", build_linear, NULL},
    {"matmul", build_matmul_flat, NULL},
    {"matmul", build_matmul_stack, NULL},
    {"depthwise", build_depthwise, NULL},
    {"scale_shift", build_scale_shift, NULL},
    {"depthwise_grad", build_depthwise_grad, NULL},
    {"softmax", build_softmax, wide},
    {"softmax_grad", build_softmax_grad, shares},
    {"layer_norm", build_layer_norm, NULL},
    {"layer_norm_grad", build_layer_norm_grad, NULL},
    {"attention", build_attention, NULL},
    {"attention_grad", build_attention_grad, NULL},
    {"linear_attention", build_linear_attention, NULL},
    {"linear_attention_grad", build_linear_attention_grad, NULL},
    {"cross_entropy", build_cross_entropy, wide},
    {"cross_entropy_grad", build_cross_entropy_grad, wide},
    {"label_cross_entropy", build_label_cross_entropy, wide},
    {"label_cross_entropy_grad", build_label_cross_entropy_grad, wide},
    {"bce", build_bce, wide},
    {"bce_grad", build_bce_grad, wide},
    {"tome_match", build_tome_match, NULL},
    {"tome_match", build_tome_match, alike},
    {"mctf_match", build_mctf_match, for_mctf},
    {"mctf_match", build_mctf_match, alike},
    {"drop_path", build_drop_path, NULL},
    {"norm_square", build_norm_square, NULL},
    {"adamw", build_adamw, for_adamw},
    {"sgd", build_sgd, for_sgd},
    {"sgd", build_sgd, for_nesterov},
    {"accumulate", build_accumulate, for_flat},
    {"accumulate", build_accumulate, for_flat_anew},
    {"running_mean", build_running_mean, for_flat},
};

enum { N_RECIPES = sizeof recipes / sizeof *recipes };

/* ---- values ---------------------------------------------------------------------------------- */

/* Values of the tensors of a case, exact in float: what all types start from. Labels are int32. */
struct values {
    double *of[64];
};

static double *exact(double *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = (double)(float)x[i];
    return x;
}

static double *room(const struct tensor *t)
{
    return mem_zalloc((size_t)shape_count(t->shape) + 1, sizeof(double));
}

static double *any_values(const struct tensor *t, const struct recipe *recipe, int input,
                          struct rng *r)
{
    int64_t n = shape_count(t->shape);
    double *x = room(t);
    for (int64_t i = 0; i < n; i++)
        if (t->type == TENSOR_INT)
            ((int32_t *)(void *)x)[i] =
                (int32_t)rng_below(r, strcmp(t->name, "assign") ? 2 : PLACES);
        else
            x[i] = recipe->value ? recipe->value(r, input, i) : rng_normal(r);
    return t->type == TENSOR_INT ? x : exact(x, n);
}

static struct node *last_node(const struct graph *g)
{
    return g->nodes[g->n_nodes - 1];
}

/* Leaves are drawn; what earlier nodes make (an output of the forward op that its gradient reads)
 * is computed by reference and rounded. */
static void fill(struct values *v, const struct graph *g, const struct recipe *recipe,
                 struct rng *r)
{
    memset(v, 0, sizeof *v);
    for (int k = 0; k < g->n_nodes; k++) {
        const struct node *n = g->nodes[k];
        double *in[16], *out[8];
        for (int i = 0; i < n->n_in; i++) {
            if (!v->of[n->in[i]->id])
                v->of[n->in[i]->id] = any_values(n->in[i], recipe, i, r);
            in[i] = v->of[n->in[i]->id];
        }
        if (n == last_node(g))
            return;
        for (int i = 0; i < n->n_out; i++)
            out[i] = v->of[n->out[i]->id] = room(n->out[i]);
        reference_double(n, in, out);
        for (int i = 0; i < n->n_out; i++)
            exact(out[i], shape_count(n->out[i]->shape));
    }
}

static void release(struct values *v)
{
    for (int i = 0; i < 64; i++)
        free(v->of[i]);
}

/* ---- runs ------------------------------------------------------------------------------------ */

enum { GUARD = 64 }; /* bytes behind every buffer */

/* Buffers of one run: inputs and outputs in the type of the run. An effect's outputs are its
 * inputs. */
struct run {
    const struct node *node;
    size_t size; /* of a value */
    void *in[16], *out[8];
    size_t in_bytes[16], out_bytes[8];
};

static void *buffer(size_t bytes)
{
    size_t all = (bytes + GUARD + 63) / 64 * 64;
    char *p = aligned_alloc(64, all);
    assert_non_null(p);
    memset(p, 0x5a, all);
    return p;
}

static int intact(const void *p, size_t bytes)
{
    for (int i = 0; i < GUARD; i++)
        if (((const char *)p)[bytes + (size_t)i] != 0x5a)
            return 0;
    return 1;
}

static void store(void *to, const double *from, int64_t n, size_t size)
{
    for (int64_t i = 0; i < n; i++)
        if (size == sizeof(double))
            ((double *)to)[i] = from[i];
        else
            ((float *)to)[i] = (float)from[i];
}

static size_t value_bytes(const struct tensor *t, size_t size)
{
    return t->type == TENSOR_INT ? sizeof(int32_t) : size;
}

static struct run run_new(const struct node *n, const struct values *v, size_t size)
{
    struct run u = {.node = n, .size = size};
    for (int i = 0; i < n->n_in; i++) {
        const struct tensor *t = n->in[i];
        int64_t count = shape_count(t->shape);
        u.in_bytes[i] = value_bytes(t, size) * (size_t)count;
        u.in[i] = buffer(u.in_bytes[i]);
        if (t->type == TENSOR_INT)
            memcpy(u.in[i], v->of[t->id], u.in_bytes[i]);
        else
            store(u.in[i], v->of[t->id], count, size);
    }
    for (int i = 0; i < n->n_out; i++) {
        u.out_bytes[i] = value_bytes(n->out[i], size) * (size_t)shape_count(n->out[i]->shape);
        u.out[i] = buffer(u.out_bytes[i]);
    }
    return u;
}

static void run_free(struct run *u)
{
    for (int i = 0; i < u->node->n_in; i++)
        free(u->in[i]);
    for (int i = 0; i < u->node->n_out; i++)
        free(u->out[i]);
}

/* Result i: an output, or what an effect changed. */
static void *result(const struct run *u, int i)
{
    return u->node->n_out ? u->out[i] : u->in[i];
}

static int n_results(const struct node *n)
{
    return n->n_out ? n->n_out : 3;
}

static const struct tensor *result_tensor(const struct node *n, int i)
{
    return n->n_out ? n->out[i] : n->in[i];
}

static void check_guards(const struct run *u)
{
    for (int i = 0; i < u->node->n_in; i++)
        if (!intact(u->in[i], u->in_bytes[i]))
            fail_msg("%s wrote behind input %d", u->node->op->name, i);
    for (int i = 0; i < u->node->n_out; i++)
        if (!intact(u->out[i], u->out_bytes[i]))
            fail_msg("%s wrote behind output %d", u->node->op->name, i);
}

/* ---- what is under test ---------------------------------------------------------------------- */

/* Something that computes one node: a table of kernels, or a device. */
struct subject {
    const char *variant;
    size_t value_size;
    enum precision precision;
    /* Fills u's outputs from its inputs, or changes the inputs of an effect. */
    void (*call)(const struct subject *s, struct run *u, int threads);
    int threads;   /* 1 to this many give the same bits */
    int addressed; /* inputs and outputs are where the run says, so they may lie on each other */
    const void *ctx;
};

/* ---- comparisons ----------------------------------------------------------------------------- */

static double value_at(const void *p, int64_t i, size_t size)
{
    return size == sizeof(double) ? ((const double *)p)[i] : (double)((const float *)p)[i];
}

/* Largest error and largest magnitude of a result. NaN anywhere makes the error infinite. */
static double worst(const void *got, const double *truth, int64_t n, size_t size, double *top)
{
    double error = 0;
    *top = 0;
    for (int64_t i = 0; i < n; i++) {
        double e = fabs(value_at(got, i, size) - truth[i]);
        if (!(e <= error))
            error = e >= 0 ? e : INFINITY;
        if (fabs(truth[i]) > *top)
            *top = fabs(truth[i]);
    }
    return error;
}

static void describe(const struct node *n, char *text, size_t size)
{
    int len = snprintf(text, size, "%s", n->op->name);
    for (int i = 0; i < n->n_in; i++) {
        char shape[128];
        shape_text(n->in[i]->shape, shape, sizeof shape);
        len += snprintf(text + len, size - (size_t)len, " %s", shape);
    }
}

/* Whole numbers are right or wrong, unless a plain loop at the same precision errs too: the case is
 * closer than that precision can tell. */
static void check_whole(const struct subject *t, const struct run *u, const void *got,
                        const void *truth, const void *plain, int64_t n)
{
    char text[1000];
    if (memcmp(plain, truth, sizeof(int32_t) * (size_t)n))
        return;
    for (int64_t i = 0; i < n; i++)
        if (((const int32_t *)got)[i] != ((const int32_t *)truth)[i]) {
            describe(u->node, text, sizeof text);
            fail_msg("%s, %s: entry %lld is %d instead of %d", t->variant, text, (long long)i,
                     ((const int32_t *)got)[i], ((const int32_t *)truth)[i]);
        }
}

enum { PRECISIONS = PRECISION_BF16 + 1 };

/* The true results of a case, and those of plain loops by precision (none in tf32). */
struct expected {
    struct run truth, plain[PRECISIONS];
};

typedef void plain_loop(const struct node *n, float *const *in, float *const *out);

static plain_loop *const plain_loops[PRECISIONS] = {
    [PRECISION_FP32] = reference_float, [PRECISION_BF16] = reference_bf16};

static struct run plain_run(const struct node *n, const struct values *v, plain_loop *loop)
{
    struct run u = run_new(n, v, sizeof(float));
    float *in[16], *out[8];
    for (int i = 0; i < n->n_in; i++)
        in[i] = u.in[i];
    for (int i = 0; i < n->n_out; i++)
        out[i] = u.out[i];
    loop(n, in, out);
    return u;
}

static struct expected expect(const struct node *n, const struct values *v)
{
    struct expected e = {.truth = run_new(n, v, sizeof(double))};
    double *in[16], *out[8];
    for (int i = 0; i < n->n_in; i++)
        in[i] = e.truth.in[i];
    for (int i = 0; i < n->n_out; i++)
        out[i] = e.truth.out[i];
    reference_double(n, in, out);
    for (int p = 0; p < PRECISIONS; p++)
        if (plain_loops[p])
            e.plain[p] = plain_run(n, v, plain_loops[p]);
    return e;
}

static void release_expected(struct expected *e)
{
    run_free(&e->truth);
    for (int p = 0; p < PRECISIONS; p++)
        if (plain_loops[p])
            run_free(&e->plain[p]);
}

static int is_packed_filler(const struct node *n, int i)
{
    return i > 0 && !strcmp(n->op->name, "attention_grad") &&
           ((const struct attention_attr *)n->attr)->packed;
}

enum { RESULTS = 8, TABLES = 8 };

/* The largest relative errors over all cases of a recipe: one case alone may be exact by luck. */
struct record {
    double plain[TABLES][RESULTS], kernel[TABLES][RESULTS];
};

static void note(double *worst_so_far, double error)
{
    *worst_so_far = error > *worst_so_far ? error : *worst_so_far;
}

/* Anything beyond rounding fails at once, with the case; the rest is judged at the end of the
 * recipe. */
static void check_values(const struct subject *t, const struct run *u, const struct expected *e,
                         double *errors, double *plain)
{
    char text[1000];
    double gross = t->value_size == sizeof(double)  ? 1e-11
                   : t->precision == PRECISION_BF16 ? 1e-2
                                                    : 2e-5;
    for (int i = 0; i < n_results(u->node); i++) {
        int64_t count = shape_count(result_tensor(u->node, i)->shape);
        double top, error, of_loop;
        if (result_tensor(u->node, i)->type == TENSOR_INT) {
            check_whole(
                t, u, result(u, i), result(&e->truth, i),
                result(&e->plain[t->value_size == sizeof(float) ? t->precision : PRECISION_FP32],
                       i),
                count);
            continue;
        }
        if (is_packed_filler(u->node, i))
            continue;
        of_loop = worst(result(&e->plain[t->precision], i), result(&e->truth, i), count,
                        sizeof(float), &top);
        error = worst(result(u, i), result(&e->truth, i), count, t->value_size, &top);
        note(&errors[i], error / (top + 1e-30));
        note(&plain[i], of_loop / (top + 1e-30));
        if (error > gross * (top + 1e-3) && error > 2 * of_loop) {
            describe(u->node, text, sizeof text);
            fail_msg("%s, %s, result %d: error %.3g, a plain loop %.3g (largest value %.3g)",
                     t->variant, text, i, error, of_loop, top);
        }
    }
}

static void check_same(const struct subject *t, const struct run *a, const struct run *b,
                       const char *what)
{
    char text[1000];
    for (int i = 0; i < n_results(a->node); i++) {
        const struct tensor *tensor = result_tensor(a->node, i);
        size_t bytes = value_bytes(tensor, a->size) * (size_t)shape_count(tensor->shape);
        if (is_packed_filler(a->node, i) || !memcmp(result(a, i), result(b, i), bytes))
            continue;
        describe(a->node, text, sizeof text);
        fail_msg("%s, %s, result %d: other bits %s", t->variant, text, i, what);
    }
}

static void check_inputs(const struct run *u, const struct values *v)
{
    struct run fresh = run_new(u->node, v, u->size);
    for (int i = 0; i < u->node->n_in && u->node->n_out; i++)
        if (memcmp(u->in[i], fresh.in[i], u->in_bytes[i]))
            fail_msg("%s changed input %d", u->node->op->name, i);
    run_free(&fresh);
}

/* The output on top of each input of its size. */
static void check_in_place(const struct subject *t, const struct run *first, const struct values *v)
{
    const struct node *n = first->node;
    for (int i = 0; i < n->n_in && (n->op->flags & OP_INPLACE) && t->addressed; i++) {
        if (!shape_equal(n->in[i]->shape, n->out[0]->shape))
            continue;
        struct run u = run_new(n, v, t->value_size);
        free(u.out[0]);
        u.out[0] = u.in[i];
        t->call(t, &u, 2);
        check_same(t, first, &u, "in place");
        u.out[0] = NULL;
        run_free(&u);
    }
}

static void check_subject(const struct subject *t, const struct node *n, const struct values *v,
                          const struct expected *e, double *errors, double *plain)
{
    struct run first = run_new(n, v, t->value_size);
    t->call(t, &first, 1);
    check_values(t, &first, e, errors, plain);
    check_inputs(&first, v);
    for (int threads = 2; threads <= t->threads; threads++) {
        struct run u = run_new(n, v, t->value_size);
        t->call(t, &u, threads);
        check_same(t, &first, &u, "with more threads");
        run_free(&u);
    }
    check_in_place(t, &first, v);
    run_free(&first);
}

/* One node of a recipe on every subject; errors go into the record. */
static void check_case(const struct recipe *recipe, uint64_t number, const struct subject *subjects,
                       struct record *record)
{
    struct graph *g = graph_new();
    struct error err = {0};
    struct values v;
    struct rng r;
    rng_init(&r, number, recipe->op, (uint64_t)(recipe - recipes), 0);
    recipe->build(g, &r);
    if (graph_failed(g, &err))
        fail_msg("%s: %s", recipe->op, err.msg);
    fill(&v, g, recipe, &r);
    const struct node *n = last_node(g);
    assert_string_equal(n->op->name, recipe->op);
    struct expected e = expect(n, &v);
    for (int i = 0; subjects[i].variant; i++)
        check_subject(&subjects[i], n, &v, &e, record->kernel[i], record->plain[i]);
    release_expected(&e);
    release(&v);
    graph_free(g);
}

/* cases cases of a recipe, with the given numbers of tokens in turn where there are any. The flash
 * attention's rule: over all cases at most twice the error of a plain loop at the same
 * precision. */
static void check_recipe(const struct recipe *recipe, const struct subject *subjects,
                         uint64_t cases, const int64_t *tokens, int n_tokens)
{
    struct record record = {0};
    for (uint64_t k = 0; k < cases; k++) {
        fixed_tokens = n_tokens ? tokens[k % (uint64_t)n_tokens] : 0;
        check_case(recipe, k, subjects, &record);
    }
    for (int i = 0; subjects[i].variant; i++)
        for (int k = 0; k < RESULTS && subjects[i].value_size == sizeof(float); k++)
            if (record.kernel[i][k] > 2 * record.plain[i][k] + 6e-8)
                fail_msg("%s, %s, result %d: relative error %.3g, a plain loop %.3g",
                         subjects[i].variant, recipe->op, k, record.kernel[i][k],
                         record.plain[i][k]);
}

#endif
