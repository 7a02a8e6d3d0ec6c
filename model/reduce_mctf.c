/* MCTF (Lee et al. 2024; the authors' code): chosen blocks fuse tokens that are alike, receive
 * little attention and are small. Matching and weights are constants for the gradient, as there.
 *
 * model.reduce.one_step_ahead says when, and with which attention:
 *   1  at the block's entrance, by the attention that its q and k give the tokens before fusion;
 *      that attention is fused with them and applied to the values of the fused tokens
 *   2  the same matching, then full attention among the fused tokens
 *   0  at the block's end, by the attention that it used */
#include "model/reduce_mctf.h"

#include "model/consistency.h"

#include <math.h>
#include <stdio.h>

enum pooling { POOL_ATTENTION_SIZE, POOL_SIZE, POOL_MEAN, POOL_MAX };

static const struct config_choice poolings[] = {
    {.name = "attention_times_size", .doc = "mean weighted by attention received and size"},
    {.name = "size", .doc = "mean weighted by size"},
    {.name = "mean", .doc = "plain mean"},
    {.name = "max",
     .doc = "largest value, channel by channel; the attention of what is fused as with mean"},
};

static const struct config_choice *pooling_choice(int i)
{
    return i >= 0 && i < (int)(sizeof poolings / sizeof *poolings) ? &poolings[i] : NULL;
}

static const struct config_key keys[] = {
    {.name = "model.reduce.r",
     .type = CONFIG_FLOATS,
     .fallback = "16",
     .min = 0,
     .max = 1e6,
     .doc = "tokens that a fusing block takes away, below 1 the part of them; one for all blocks, "
            "or a list, one for each of model.reduce.layers"},
    {.name = "model.reduce.layers",
     .type = CONFIG_INTS,
     .fallback = "",
     .min = 0,
     .max = 1000,
     .doc = "blocks that fuse, counted from 0; empty: all but the first"},
    {.name = "model.reduce.min_tokens",
     .type = CONFIG_INT,
     .fallback = "10",
     .min = 1,
     .max = 1e6,
     .doc = "never fuse below so many tokens"},
    {.name = "model.reduce.protected",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 0,
     .max = 1,
     .doc = "1: the first token, the class token, is never fused"},
    {.name = "model.reduce.temperatures.sim",
     .type = CONFIG_FLOAT,
     .fallback = "1",
     .min = 0,
     .max = 1e6,
     .doc = "similarity counts to the power 1/this; 0: not at all"},
    {.name = "model.reduce.temperatures.info",
     .type = CONFIG_FLOAT,
     .fallback = "20",
     .min = 0,
     .max = 1e6,
     .doc = "little attention received counts to the power 1/this; 0: not at all"},
    {.name = "model.reduce.temperatures.size",
     .type = CONFIG_FLOAT,
     .fallback = "40",
     .min = 0,
     .max = 1e6,
     .doc = "small size counts to the power 1/this; 0: not at all"},
    {.name = "model.reduce.bidirectional",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .doc = "half of the tokens go from even to odd positions, half from odd to even"},
    {.name = "model.reduce.one_step_ahead",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 0,
     .max = 2,
     .doc = "1: fuse before the block by its own attention; 2: and attend anew; 0: fuse after it"},
    {.name = "model.reduce.pooling",
     .type = CONFIG_CHOICE,
     .fallback = "attention_times_size",
     .choice = pooling_choice,
     .doc = "how fused tokens become one"},
    CONSISTENCY_KEYS,
    REDUCE_KEYS,
    {0},
};

/* ---- how many -------------------------------------------------------------------------------- */

/* r of a block; -1 where it does not fuse. */
static double rate(struct builder *b, const struct reduction *r, int64_t layer)
{
    const int64_t *layers;
    const double *rates;
    int n = config_ints(b->c, "model.reduce.layers", &layers);
    int n_rates = config_floats(b->c, "model.reduce.r", &rates);
    int at = n == 0 && layer > 0 ? (int)layer - 1 : -1;
    for (int i = 0; i < n; i++)
        if (layers[i] == layer)
            at = i;
    if (at < 0)
        return -1;
    if (r->teacher)
        return config_float(b->c, "model.reduce.teacher_r");
    return n_rates == 1 ? rates[0] : rates[at];
}

int64_t mctf_amount(struct builder *b, int64_t tokens, double r)
{
    return op_mctf_amount(tokens, r, (int)config_int(b->c, "model.reduce.protected"),
                          config_int(b->c, "model.reduce.min_tokens"));
}

static int check_layers(struct builder *b, int64_t depth)
{
    const int64_t *layers;
    const double *rates;
    int n = config_ints(b->c, "model.reduce.layers", &layers);
    int n_rates = config_floats(b->c, "model.reduce.r", &rates);
    int64_t fusing = n ? n : depth - 1;
    for (int i = 0; i < n; i++) {
        if (layers[i] >= depth) {
            graph_refuse(b->g, "model.reduce.layers names block %lld, but the last of %lld is %lld",
                         (long long)layers[i], (long long)depth, (long long)(depth - 1));
            return -1;
        }
        for (int k = 0; k < i; k++)
            if (layers[k] == layers[i]) {
                graph_refuse(b->g, "model.reduce.layers names block %lld twice",
                             (long long)layers[i]);
                return -1;
            }
    }
    if (n_rates < 1 || (n_rates > 1 && n_rates != fusing)) {
        graph_refuse(b->g,
                     "model.reduce.r has %d numbers for %lld fusing blocks (give one for all, "
                     "or one for each)",
                     n_rates, (long long)fusing);
        return -1;
    }
    return 0;
}

static void check_rate(struct builder *b, const struct reduction *r, const char *key, double rr)
{
    int protect = (int)config_int(b->c, "model.reduce.protected");
    int64_t most = (r->first_tokens - protect) / 2;
    if (rr >= 1 && rr != floor(rr))
        graph_refuse(b->g, "%s %g is neither a number of tokens nor a part below 1", key, rr);
    else if (rr > (double)most || (rr < 1 && rr > 0.5))
        graph_refuse(b->g,
                     "%s %g is more than half of the %lld tokens: at most %lld of those that are "
                     "not protected, or the part 0.5, can be fused",
                     key, rr, (long long)r->first_tokens, (long long)most);
}

static void begin(struct builder *b, struct reduction *r)
{
    const double *rates;
    int n = config_floats(b->c, "model.reduce.r", &rates);
    if (check_layers(b, r->depth))
        return;
    for (int i = 0; i < n; i++)
        check_rate(b, r, "model.reduce.r", rates[i]);
    if (r->teacher)
        check_rate(b, r, "model.reduce.teacher_r", config_float(b->c, "model.reduce.teacher_r"));
    if (r->class_token && config_int(b->c, "model.reduce.protected") == 0)
        graph_refuse(b->g, "model.reduce.protected 0 would fuse the class token away (set 1, or "
                           "model.class_token false)");
}

/* ---- attention in the open ------------------------------------------------------------------- */

/* x (B,N,C) times rows start .. start+rows-1 of the packed qkv projection. */
static struct tensor *project(struct builder *b, struct tensor *x, int64_t start, int64_t rows,
                              const struct block_options *o)
{
    int64_t dim = shape_last(x->shape);
    const char *old = nn_enter(b, "qkv");
    struct tensor *w = nn_param(b, "weight", SHAPE(3 * dim, dim), nn_normal_002);
    struct tensor *bias = NULL;
    if (!o->no_qkv_bias)
        bias = op_slice(b->g, nn_param(b, "bias", SHAPE(3 * dim), nn_zero), 0, start, rows);
    nn_pop(b, old);
    return op_linear(b->g, x, op_slice(b->g, w, 0, start, rows), bias);
}

/* Attention (B,H,N,N) of normalised tokens y (B,N,C), with proportional attention. */
static struct tensor *attention(struct builder *b, const struct reduction *r, struct tensor *y,
                                const struct block_options *o)
{
    struct graph *g = b->g;
    int64_t tokens = y->shape.dim[1], dim = shape_last(y->shape);
    struct tensor *qk = project(b, y, 0, 2 * dim, o); /* (B,N,2C) */
    struct tensor *q = op_slice(g, qk, 2, 0, dim), *k = op_slice(g, qk, 2, dim, dim);
    struct tensor *scores =
        op_matmul(g, q, k, (struct matmul_attr){o->heads, 0, 1, 4, nn_qk_scale(dim, o)});
    struct tensor *bias = reduction_bias(b, r);
    if (bias)
        scores = op_add(g, scores, op_reshape(g, bias, SHAPE(b->batch, 1, 1, tokens)));
    return op_softmax(g, scores, 3);
}

/* attention (B,H,N,N) times the values of normalised y (B,N,C), projected. */
static struct tensor *attend(struct builder *b, struct tensor *attn, struct tensor *y,
                             const struct block_options *o)
{
    int64_t dim = shape_last(y->shape);
    int heads = (int)attn->shape.dim[1];
    struct tensor *v = project(b, y, 2 * dim, dim, o); /* (B,N,C) */
    y = op_matmul(b->g, attn, v, (struct matmul_attr){heads, 0, 0, 3, 1});
    return nn_linear(b, "proj", y, dim);
}

/* ---- fusion ---------------------------------------------------------------------------------- */

struct tensor *mctf_received(struct builder *b, struct tensor *attn)
{
    double scale = 1.0 / (double)(attn->shape.dim[1] * attn->shape.dim[2]);
    return op_stop_gradient(b->g, op_sum(b->g, attn, 1, 2, 0, scale));
}

/* Weights (B,N) within a group. */
static struct tensor *group_weights(struct builder *b, const struct reduction *r,
                                    struct tensor *received, int64_t tokens)
{
    const struct config_choice *pooling = config_choice(b->c, "model.reduce.pooling");
    if (pooling == &poolings[POOL_SIZE] ||
        (pooling == &poolings[POOL_ATTENTION_SIZE] && r->sizes)) {
        struct tensor *s = reduction_sizes(b, r, tokens);
        if (pooling == &poolings[POOL_SIZE])
            return s;
        return op_mul(b->g, received, op_div(b->g, s, op_max(b->g, s, 1)));
    }
    return pooling == &poolings[POOL_ATTENTION_SIZE] ? received : reduction_ones(b, tokens);
}

struct fusion_plan {
    struct tensor *assign, *weights, *total; /* (B,N), (B,N), (B,M): sum of weights in a group */
    int64_t left;
};

struct mctf_attr mctf_attr(struct builder *b, int64_t n)
{
    return (struct mctf_attr){
        .n = n,
        .protect = (int)config_int(b->c, "model.reduce.protected"),
        .bidirectional = config_bool(b->c, "model.reduce.bidirectional"),
        .tau_sim = config_float(b->c, "model.reduce.temperatures.sim"),
        .tau_info = config_float(b->c, "model.reduce.temperatures.info"),
        .tau_size = config_float(b->c, "model.reduce.temperatures.size"),
    };
}

static struct fusion_plan plan_fusion(struct builder *b, const struct reduction *r,
                                      struct tensor *x, struct tensor *attn, int64_t n)
{
    int64_t tokens = x->shape.dim[1];
    struct tensor *received = mctf_received(b, attn);
    struct fusion_plan p = {.left = tokens - n};
    p.assign = op_mctf_match(b->g, x, received, r->sizes, mctf_attr(b, n)).assign;
    p.weights = group_weights(b, r, received, tokens);
    p.total = op_scatter_rows(b->g, p.weights, p.assign, 1, p.left);
    return p;
}

/* Weighted mean of each group along an axis of x. */
static struct tensor *group_mean(struct builder *b, const struct fusion_plan *p, struct tensor *x,
                                 int axis)
{
    struct graph *g = b->g;
    int rank = x->shape.rank;
    x = op_mul(g, x, reduction_along(b, p->weights, rank, axis));
    x = op_scatter_rows(g, x, p->assign, axis, p->left);
    return op_div(g, x, reduction_along(b, p->total, rank, axis));
}

/* Largest value of each group along the tokens of x (B,N,C), with the gradient to where it is:
 * scatter_max itself is a constant. Equal ones share. */
static struct tensor *group_max(struct builder *b, const struct fusion_plan *p, struct tensor *x)
{
    struct graph *g = b->g;
    const double below_zero = -1e-30;
    struct tensor *top = op_scatter_max(g, x, p->assign, 1, p->left); /* (B,M,C) */
    top = op_gather_rows(g, top, p->assign, 1);                       /* (B,N,C) */
    struct tensor *is_top = op_above(g, op_sub(g, x, top), below_zero);
    struct tensor *sum = op_scatter_rows(g, op_mul(g, x, is_top), p->assign, 1, p->left);
    return op_div(g, sum, op_scatter_rows(g, is_top, p->assign, 1, p->left));
}

void mctf_fuse(struct builder *b, struct reduction *r, int64_t n, struct tensor **x,
               struct tensor **attn)
{
    struct fusion_plan p = plan_fusion(b, r, *x, *attn, n);
    int takes_max = config_choice(b->c, "model.reduce.pooling") == &poolings[POOL_MAX];
    *x = takes_max ? group_max(b, &p, *x) : group_mean(b, &p, *x, 1);
    *attn = op_scatter_rows(b->g, *attn, p.assign, 3, p.left); /* (B,H,N,M): rows still sum to 1 */
    *attn = group_mean(b, &p, *attn, 2);                       /* (B,H,M,M) */
    reduction_note(b, r, p.assign, p.left);
}

/* ---- blocks ---------------------------------------------------------------------------------- */

static double eps_of(const struct block_options *o)
{
    return o->eps > 0 ? o->eps : NN_EPS_TIMM;
}

/* The attention half of a block that fuses n tokens before it attends. */
static struct tensor *fuse_ahead(struct builder *b, struct reduction *r, struct tensor *x,
                                 const struct block_options *o, int64_t n)
{
    int anew = config_int(b->c, "model.reduce.one_step_ahead") == 2;
    struct tensor *y = nn_layer_norm(b, "norm1", x, eps_of(o));
    const char *old = nn_enter(b, "attn");
    struct tensor *attn = attention(b, r, y, o);
    nn_pop(b, old);
    mctf_fuse(b, r, n, &x, &attn);
    y = nn_layer_norm(b, "norm1", x, eps_of(o));
    if (anew) {
        y = reduction_attention(b, r, y, o, NULL);
    } else {
        old = nn_enter(b, "attn");
        y = attend(b, attn, y, o);
        nn_pop(b, old);
    }
    return nn_residual(b, "ls1", "drop_path1", x, y, o);
}

/* A whole block that fuses n tokens at its end. */
static struct tensor *fuse_behind(struct builder *b, struct reduction *r, struct tensor *x,
                                  const struct block_options *o, int64_t n)
{
    struct tensor *y = nn_layer_norm(b, "norm1", x, eps_of(o));
    const char *old = nn_enter(b, "attn");
    struct tensor *attn = attention(b, r, y, o);
    y = attend(b, attn, y, o);
    nn_pop(b, old);
    x = nn_residual(b, "ls1", "drop_path1", x, y, o);
    x = reduction_mlp(b, x, o);
    mctf_fuse(b, r, n, &x, &attn);
    return x;
}

static struct tensor *plain_half(struct builder *b, const struct reduction *r, struct tensor *x,
                                 const struct block_options *o)
{
    struct tensor *y = nn_layer_norm(b, "norm1", x, eps_of(o));
    y = reduction_attention(b, r, y, o, NULL);
    return nn_residual(b, "ls1", "drop_path1", x, y, o);
}

static void name_tokens(struct builder *b, const struct reduction *r, int64_t layer,
                        struct tensor *x)
{
    struct graph *g = b->g;
    graph_output(g, arena_printf(&g->arena, "output/tokens_block%lld", (long long)layer), x);
    graph_output(g, arena_printf(&g->arena, "output/size_block%lld", (long long)layer),
                 reduction_sizes(b, r, x->shape.dim[1]));
}

static struct tensor *block(struct builder *b, struct reduction *r, int64_t layer, const char *name,
                            struct tensor *x, const struct block_options *o)
{
    double rr = rate(b, r, layer);
    int64_t n = rr < 0 ? 0 : mctf_amount(b, x->shape.dim[1], rr);
    int behind = config_int(b->c, "model.reduce.one_step_ahead") == 0;
    const char *old = nn_enter(b, name);
    if (!nn_check_heads(b, "model.dim", shape_last(x->shape), o->heads)) {
        nn_pop(b, old);
        return x;
    }
    if (n > 0 && behind) {
        x = fuse_behind(b, r, x, o, n);
    } else {
        x = n > 0 ? fuse_ahead(b, r, x, o, n) : plain_half(b, r, x, o);
        x = reduction_mlp(b, x, o);
    }
    nn_pop(b, old);
    if (b->token_outputs)
        name_tokens(b, r, layer, x);
    return x;
}

const struct reducer reducer_mctf = {
    .choice = {.name = "mctf",
               .doc = "fuses tokens that are alike, little attended to and small",
               .keys = keys},
    .paper = "Lee et al. 2024",
    .frozen = 1,
    .begin = begin,
    .block = block,
};
