/* Rev-ViT (Mangalam et al. 2022): two streams with reversible residuals, Y1 = X1 + F(X2), Y2 = X2 +
 * G(Y1), F attention and G an MLP, each with its norm and no residual inside. The backward pass
 * rebuilds the inputs of a block from its outputs, so memory does not grow with depth. */
#include "model/keys.h"
#include "model/model.h"
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

/* What the two public codes do differently. */
struct variant {
    struct config_choice choice;
    const char *layers, *patch_embed, *pos_embed, *head; /* parameter names */
    int packed_qkv;
    double mlp_eps, final_eps;
    int norm_before_pool;
    int bias_002; /* biases of linear layers and norms start at 0.02 */
};

enum { N_VARIANTS = 2 };

static const struct variant variants[N_VARIANTS] = {
    {.choice = {.name = "slowfast", .doc = "the official code (SlowFast)"},
     .layers = "rev_backbone.layers",
     .patch_embed = "patch_embed.proj",
     .pos_embed = "pos_embed",
     .head = "head.projection",
     .mlp_eps = 1e-6,
     .final_eps = 1e-6,
     .norm_before_pool = 1,
     .bias_002 = 1},
    {.choice = {.name = "minrev", .doc = "the authors' minimal code (minREV)"},
     .layers = "layers",
     .patch_embed = "patch_embed",
     .pos_embed = "pos_embeddings",
     .head = "head",
     .packed_qkv = 1,
     .mlp_eps = 1e-5,
     .final_eps = 1e-5},
};

static const struct config_choice *variant_choice(int i)
{
    return i >= 0 && i < N_VARIANTS ? &variants[i].choice : NULL;
}

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    MODEL_PATCH_KEY,
    {.name = "model.variant",
     .type = CONFIG_CHOICE,
     .fallback = "slowfast",
     .choice = variant_choice,
     .doc = "which public code: names, norms and initialisation"},
    {.name = "model.reversible",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .doc = "rebuild activations in the backward pass; false keeps them, for comparison"},
    {0},
};

struct context {
    struct builder *b;
    const struct variant *v;
    int heads;
    double mlp_ratio, drop_path;
    int reversible;
    struct init weight, bias;
};

static struct tensor *linear(const struct context *c, const char *weight, const char *bias,
                             struct tensor *x, int64_t out)
{
    int64_t in = shape_last(x->shape);
    struct init w = c->weight, d = c->bias;
    if (!c->v->bias_002) /* torch's default */
        w = d = (struct init){INIT_UNIFORM, 1 / sqrt((double)in)};
    return op_linear(c->b->g, x, nn_param(c->b, weight, SHAPE(out, in), w),
                     nn_param(c->b, bias, SHAPE(out), d));
}

static struct tensor *norm(const struct context *c, const char *name, struct tensor *x, double eps)
{
    struct shape width = SHAPE(shape_last(x->shape));
    const char *old = nn_enter(c->b, name);
    struct tensor *y =
        op_layer_norm(c->b->g, x, nn_param(c->b, "weight", width, nn_one),
                      nn_param(c->b, "bias", width, c->v->bias_002 ? c->bias : nn_zero), eps);
    nn_pop(c->b, old);
    return y;
}

/* F: norm and attention. */
static struct tensor *attend(const struct context *c, struct tensor *x)
{
    struct builder *b = c->b;
    int64_t dim = shape_last(x->shape);
    double scale = 1 / sqrt((double)dim / c->heads);
    struct tensor *y = norm(c, "norm", x, NN_EPS_TIMM);
    const char *old = nn_enter(b, "attn");
    if (c->v->packed_qkv) {
        struct tensor *qkv = linear(c, "in_proj_weight", "in_proj_bias", y, 3 * dim);
        struct attention_attr a = {
            .heads = c->heads, .packed = 1, .explicit_products = 1, .scale = scale};
        y = graph_apply(b->g, &op_attention_row, 1, &qkv, &a)->out[0];
        y = linear(c, "out_proj.weight", "out_proj.bias", y, dim);
    } else {
        struct tensor *q = linear(c, "q.weight", "q.bias", y, dim);
        struct tensor *k = linear(c, "k.weight", "k.bias", y, dim);
        struct tensor *v = linear(c, "v.weight", "v.bias", y, dim);
        struct attention_attr a = {.heads = c->heads, .explicit_products = 1, .scale = scale};
        y = graph_apply(b->g, &op_attention_row, 3, (struct tensor *[]){q, k, v}, &a)->out[0];
        y = linear(c, "proj.weight", "proj.bias", y, dim);
    }
    nn_pop(b, old);
    return y;
}

/* G: norm and MLP. */
static struct tensor *transform(const struct context *c, struct tensor *x)
{
    int64_t dim = shape_last(x->shape), hidden = nn_hidden(dim, c->mlp_ratio);
    int minrev = c->v->packed_qkv;
    struct tensor *y = norm(c, "norm", x, c->v->mlp_eps);
    const char *old = nn_enter(c->b, "mlp");
    y = linear(c, minrev ? "0.weight" : "fc1.weight", minrev ? "0.bias" : "fc1.bias", y, hidden);
    y = op_gelu(c->b->g, y);
    y = linear(c, minrev ? "2.weight" : "fc2.weight", minrev ? "2.bias" : "fc2.bias", y, dim);
    nn_pop(c->b, old);
    return y;
}

/* x + drop(part(read)), as a region whose x is rebuilt from the result. Both parts of a block drop
 * with one mask. */
static struct tensor *reversible(const struct context *c, const char *name, int64_t layer,
                                 struct tensor *(*part)(const struct context *c, struct tensor *x),
                                 struct tensor *x, struct tensor *read)
{
    struct graph *g = c->b->g;
    const char *old = nn_push(c->b, "%s.%lld", c->v->layers, (long long)layer);
    const char *block = g->scope, *inner = nn_enter(c->b, name);
    graph_region_begin(g, c->reversible ? REGION_REVERSE : REGION_KEEP);
    struct tensor *f = part(c, read);
    if (c->b->training && c->drop_path > 0)
        f = op_drop_path(g, f, c->drop_path, arena_printf(&g->arena, "%s.drop_path", block));
    graph_region_end(g);
    nn_pop(c->b, inner);
    struct tensor *y = op_add(g, x, f);
    if (c->reversible)
        graph_region_reverses(g, x, f, y);
    nn_pop(c->b, old);
    return y;
}

static struct tensor *embed(const struct context *c, struct tensor *image, int64_t dim)
{
    struct builder *b = c->b;
    int64_t patch = config_int(b->c, "model.patch"), channels = image->shape.dim[1];
    struct init torch = {INIT_UNIFORM, 1 / sqrt((double)(channels * patch * patch))};
    const char *old = nn_enter(b, c->v->patch_embed);
    struct tensor *w = nn_param(b, "weight", SHAPE(dim, channels, patch, patch),
                                c->v->bias_002 ? c->weight : torch);
    struct tensor *x =
        op_linear(b->g, op_patchify(b->g, image, patch), w, nn_param(b, "bias", SHAPE(dim), torch));
    nn_pop(b, old);
    struct shape s = SHAPE(1, x->shape.dim[1], dim);
    struct init pos = c->v->bias_002 ? nn_normal_002 : nn_zero;
    return op_add(b->g, x, nn_param(b, c->v->pos_embed, s, pos));
}

static void name_streams(struct builder *b, int64_t layer, struct tensor *x1, struct tensor *x2)
{
    struct arena *a = &b->g->arena;
    if (!b->token_outputs)
        return;
    graph_output(b->g, arena_printf(a, "output/x1_block%lld", (long long)layer), x1);
    graph_output(b->g, arena_printf(a, "output/x2_block%lld", (long long)layer), x2);
}

static void build(struct builder *b, struct model_io *io)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.dim"), depth = config_int(b->c, "model.depth");
    struct context c = {.b = b,
                        .v = (const struct variant *)config_choice(b->c, "model.variant"),
                        .heads = (int)config_int(b->c, "model.heads"),
                        .mlp_ratio = config_float(b->c, "model.mlp_ratio"),
                        .reversible = config_bool(b->c, "model.reversible"),
                        .weight = nn_normal_002,
                        .bias = {INIT_VALUE, 0.02}};
    if (!nn_check_heads(b, "model.dim", dim, c.heads))
        return;
    struct tensor *x1 = embed(&c, io->image, dim), *x2 = x1; /* (B,N,C) */
    for (int64_t i = 0; i < depth; i++) {
        c.drop_path = nn_drop_rate(config_float(b->c, "model.drop_path"), i, depth);
        x1 = reversible(&c, "F", i, attend, x1, x2);
        x2 = reversible(&c, "G", i, transform, x2, x1);
        name_streams(b, i, x1, x2);
    }
    struct tensor *z = op_concat(g, (struct tensor *[]){x1, x2}, 2, 2); /* (B,N,2C) */
    if (c.v->norm_before_pool)
        z = op_mean_tokens(g, norm(&c, "norm", z, c.v->final_eps));
    else
        z = norm(&c, "norm", op_mean_tokens(g, z), c.v->final_eps);
    const char *old = nn_enter(b, c.v->head);
    io->logits[0] = linear(&c, "weight", "bias", z, config_int(b->c, "model.classes"));
    nn_pop(b, old);
    io->logits_names[0] = "logits";
    io->n_logits = 1;
}

const struct model model_revvit = {
    .choice = {.name = "revvit", .doc = "reversible Vision Transformer", .keys = keys},
    .paper = "Mangalam et al. 2022, Reversible Vision Transformers",
    .build = build,
};
