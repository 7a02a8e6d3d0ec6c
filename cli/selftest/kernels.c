/* The kernels of a device against the processor's, on shapes that models have and shapes that fit
 * no tile (1, 17, 49, 64, 65, 197 tokens):
 *
 *   error      of every result and gradient at most twice that of the backend cpu, both against
 *              judge (flash attention's rule), over all sizes of a case: one alone may be exact by
 *              luck
 *   bits       the first run, the captured one and its replay give the same
 *
 * and every device's products in lower precision, the processor's too:
 *
 *   rounding   the error against judge is that of rounded operands, a few steps of the format
 *   bits       as above, and the same with two threads */
#include "base/memory.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"
#include "tensor/ops/ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_param(g, name, s, (struct init){INIT_NORMAL, 1});
}

/* ---- cases: n tokens ------------------------------------------------------------------------- */

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

static const struct size_case {
    const char *name;
    struct tensor *(*build)(struct graph *g, int64_t tokens);
} cases[] = {
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
};

enum { N_CASES = sizeof cases / sizeof *cases, RESULTS = 8 };

static const int64_t token_counts[] = {1, 17, 49, 64, 65, 197};

/* ---- the checks ------------------------------------------------------------------------------ */

/* The largest relative error of each result over the sizes so far. */
struct record {
    double cpu[RESULTS], device[RESULTS];
};

static int open_threads(struct probe *p, const struct backend *b, const struct size_case *c,
                        int64_t tokens, enum precision precision, int threads, struct error *err)
{
    struct graph *g = graph_new();
    struct probe_options o = {.precision = precision, .threads = threads};
    probe_loss(g, c->build(g, tokens));
    return probe_open(p, b, g, "loss", &o, 7, err);
}

static int open_case(struct probe *p, const struct backend *b, const struct size_case *c,
                     int64_t tokens, enum precision precision, struct error *err)
{
    return open_threads(p, b, c, tokens, precision, 1, err);
}

/* The largest difference, relative to the largest value of the truth. A result that is zero but for
 * rounding, as the gradient of a query that meets one key, must be small. */
static double relative_error(const double *x, const double *truth, int64_t n)
{
    const double nothing = 1e-12, of_rounding = 1e-5;
    double worst = 0, top = 0;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(x[i] - truth[i]);
        worst = error <= worst ? worst : error; /* not a number is the worst */
        top = fmax(top, fabs(truth[i]));
    }
    if (top < nothing)
        return worst < of_rounding ? 0 : worst / of_rounding;
    return worst / top;
}

static void note_errors(double *errors, const struct probe *p, const struct probe *judge)
{
    const struct graph *g = judge->plan->graph;
    for (int i = 0; i < g->n_outputs && i < RESULTS; i++) {
        int64_t n;
        if (!strcmp(g->output_names[i], "loss"))
            continue; /* a sum that may nearly vanish; y is what it sums */
        double *truth = probe_read(judge, g->output_names[i], &n);
        double *x = probe_read(p, g->output_names[i], NULL);
        double error = relative_error(x, truth, n);
        errors[i] = error <= errors[i] ? errors[i] : error;
        free(truth);
        free(x);
    }
}

/* Whether a program with two threads gives the bits of the one that has run. */
static int threads_give_bits(const struct probe *p, const struct size_case *c, int64_t tokens,
                             enum precision precision)
{
    char one[65], two[65];
    struct error err = {0};
    struct probe pair;
    if (open_threads(&pair, p->backend, c, tokens, precision, 2, &err))
        BUG("%s", err.msg);
    probe_run(&pair, 5, 3);
    probe_digest(p, one);
    probe_digest(&pair, two);
    probe_close(&pair);
    return !strcmp(one, two);
}

/* 0, or -1 where the case failed already. */
static int check_size(struct selftest *t, const struct backend *device, const struct size_case *c,
                      int64_t tokens, struct record *r)
{
    struct error err = {0};
    struct probe judge, cpu, tested;
    if (open_case(&tested, device, c, tokens, PRECISION_FP32, &err)) {
        selftest_fail(t, device->choice.name, "%s, %lld tokens: %s", c->name, (long long)tokens,
                      err.msg);
        return -1;
    }
    int same = probe_repeats(&tested, 5, 3);
    if (open_case(&judge, backend_find("judge"), c, tokens, PRECISION_FP32, &err) ||
        open_case(&cpu, backend_find("cpu"), c, tokens, PRECISION_FP32, &err))
        BUG("%s", err.msg);
    probe_run(&judge, 5, 3);
    probe_run(&cpu, 5, 3);
    note_errors(r->cpu, &cpu, &judge);
    note_errors(r->device, &tested, &judge);
    probe_close(&judge);
    probe_close(&cpu);
    probe_close(&tested);
    if (!same)
        selftest_fail(t, device->choice.name, "%s, %lld tokens: a second run has other bits",
                      c->name, (long long)tokens);
    return same ? 0 : -1;
}

static void check_case(struct selftest *t, const struct backend *device, const struct size_case *c)
{
    const double step = 1.2e-7; /* of a float at 1 */
    struct record r = {0};
    for (size_t i = 0; i < sizeof token_counts / sizeof *token_counts; i++)
        if (check_size(t, device, c, token_counts[i], &r))
            return;
    double worst = 0;
    for (int i = 0; i < RESULTS; i++) {
        worst = fmax(worst, r.device[i]);
        if (!(r.device[i] <= 2 * r.cpu[i] + step)) {
            selftest_fail(t, device->choice.name, "%s, result %d: error %.2g, of cpu %.2g", c->name,
                          i, r.device[i], r.cpu[i]);
            return;
        }
    }
    selftest_pass(t, device->choice.name, "%s: relative error %.1e", c->name, worst);
}

/* ---- precision ------------------------------------------------------------------------------- */

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

static const struct rounded_case {
    struct size_case c;
    int products; /* one after the other: each adds its roundings */
} rounded_cases[] = {
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
};

/* Of the largest value: several times the step of a rounded operand. */
static const struct {
    enum precision precision;
    double allowed;
} roundings[] = {{PRECISION_TF32, 3e-3}, {PRECISION_BF16, 2.5e-2}};

static void check_precision(struct selftest *t, const struct backend *device,
                            const struct size_case *c, enum precision precision, double allowed)
{
    enum { TOKENS = 65 };
    const char *name = precision_name(precision);
    double errors[RESULTS] = {0}, worst = 0;
    struct error err = {0};
    struct probe judge, tested;
    if (open_case(&tested, device, c, TOKENS, precision, &err)) {
        selftest_fail(t, device->choice.name, "%s in %s: %s", c->name, name, err.msg);
        return;
    }
    int same = probe_repeats(&tested, 5, 3) && threads_give_bits(&tested, c, TOKENS, precision);
    if (open_case(&judge, backend_find("judge"), c, TOKENS, PRECISION_FP32, &err))
        BUG("%s", err.msg);
    probe_run(&judge, 5, 3);
    note_errors(errors, &tested, &judge);
    for (int i = 0; i < RESULTS; i++)
        worst = errors[i] <= worst ? worst : errors[i];
    if (!same || !(worst <= allowed))
        selftest_fail(t, device->choice.name, "%s in %s: error %.2g, allowed %.2g%s", c->name, name,
                      worst, allowed, same ? "" : "; other bits");
    else
        selftest_pass(t, device->choice.name, "%s in %s: relative error %.1e", c->name, name,
                      worst);
    probe_close(&judge);
    probe_close(&tested);
}

static void check_rounding(struct selftest *t, const struct backend *device, size_t p)
{
    for (size_t i = 0; i < sizeof rounded_cases / sizeof *rounded_cases; i++)
        check_precision(t, device, &rounded_cases[i].c, roundings[p].precision,
                        roundings[p].allowed * rounded_cases[i].products);
}

static void check_device(struct selftest *t, const struct backend *device)
{
    for (int i = 0; i < N_CASES; i++)
        check_case(t, device, &cases[i]);
    for (size_t p = 0; p < sizeof roundings / sizeof *roundings; p++)
        check_rounding(t, device, p);
}

/* The processor in single precision is the measure. tf32 is a format of GPUs. */
static void check_processor(struct selftest *t, const struct backend *cpu)
{
    for (size_t p = 0; p < sizeof roundings / sizeof *roundings; p++) {
        struct backend_options o = {.threads = 1, .precision = roundings[p].precision};
        char device[128];
        struct error why = {0};
        if (o.precision == PRECISION_TF32)
            continue;
        if (cpu->probe(&o, device, sizeof device, &why))
            selftest_skip(t, precision_name(o.precision), "%s", why.msg);
        else
            check_rounding(t, cpu, p);
    }
}

void selftest_kernels(struct selftest *t)
{
    for (int b = 0; t->backends[b]; b++) {
        const char *name = t->backends[b]->choice.name;
        selftest_on(t, name);
        if (!strcmp(name, "cpu"))
            check_processor(t, t->backends[b]);
        else if (strcmp(name, "judge"))
            check_device(t, t->backends[b]);
        selftest_on(t, NULL);
    }
}
