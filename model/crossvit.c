/* CrossViT (Chen et al. 2021): two branches of different patch size and width, which exchange
 * through their class tokens at the end of every stage. The two directions are independent of each
 * other. */
#include "model/keys.h"
#include "model/model.h"
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

enum { BRANCHES = 2, STAGES_MAX = 16 };

static const struct config_key keys[] = {
    MODEL_NORM_EPS_KEY,
    {.name = "model.branch_image_size",
     .type = CONFIG_INTS,
     .fallback = "[240, 224]",
     .min = 1,
     .max = 4096,
     .doc = "side that each branch resizes the image to (bicubic), pixels"},
    {.name = "model.branch_patch",
     .type = CONFIG_INTS,
     .fallback = "[12, 16]",
     .min = 1,
     .max = 1024,
     .doc = "side of a patch of each branch, pixels"},
    {.name = "model.branch_dim",
     .type = CONFIG_INTS,
     .fallback = "[192, 384]",
     .min = 1,
     .max = 65536,
     .doc = "token width of each branch"},
    {.name = "model.branch_heads",
     .type = CONFIG_INTS,
     .fallback = "[6, 6]",
     .min = 1,
     .max = 1024,
     .doc = "attention heads of each branch"},
    {.name = "model.branch_mlp_ratio",
     .type = CONFIG_FLOATS,
     .fallback = "[4, 4]",
     .min = 0.01,
     .max = 64,
     .doc = "MLP ratio of each branch"},
    {.name = "model.branch_depth",
     .type = CONFIG_INTS,
     .fallback = "[1, 4, 0, 1, 4, 0, 1, 4, 0]",
     .min = 0,
     .max = 1000,
     .doc =
         "three numbers a stage: blocks of each branch, and 0 (one cross attention a direction)"},
    {.name = "model.multi_conv",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .doc = "embed patches by three convolutions (the dagger models)"},
    {0},
};

struct branch {
    int64_t image, patch, dim;
    struct block_options block;
};

struct setup {
    struct branch branch[BRANCHES];
    const int64_t *depth; /* 3 a stage */
    int stages;
    double eps, drop_path;
};

static int pair(struct builder *b, const char *key, const int64_t **values)
{
    if (config_ints(b->c, key, values) == BRANCHES)
        return 1;
    graph_refuse(b->g, "%s needs two numbers, one a branch", key);
    return 0;
}

static int read_setup(struct builder *b, struct setup *s)
{
    const int64_t *image, *patch, *dim, *heads;
    const double *ratio;
    int n = config_ints(b->c, "model.branch_depth", &s->depth);
    if (!pair(b, "model.branch_image_size", &image) || !pair(b, "model.branch_patch", &patch) ||
        !pair(b, "model.branch_dim", &dim) || !pair(b, "model.branch_heads", &heads))
        return -1;
    if (config_floats(b->c, "model.branch_mlp_ratio", &ratio) != BRANCHES || n % 3 || n < 3 ||
        n > 3 * STAGES_MAX) {
        graph_refuse(
            b->g, "model.branch_mlp_ratio needs two numbers and model.branch_depth three a stage");
        return -1;
    }
    s->stages = n / 3;
    s->eps = config_float(b->c, "model.norm_eps");
    s->drop_path = config_float(b->c, "model.drop_path");
    for (int i = 0; i < BRANCHES; i++) {
        s->branch[i] = (struct branch){
            image[i],
            patch[i],
            dim[i],
            {.heads = (int)heads[i], .mlp_ratio = ratio[i], .eps = s->eps, .explicit_products = 1}};
        if (!nn_check_heads(b, "model.branch_dim", dim[i], (int)heads[i]))
            return -1;
    }
    return 0;
}

/* ---- embedding ------------------------------------------------------------------------------- */

static struct tensor *resize_image(struct graph *g, struct tensor *image, int64_t side)
{
    int64_t from = image->shape.dim[2];
    if (from == side)
        return image;
    struct mixing *m = mixing_resize(&g->arena, MIXING_BICUBIC, from, side);
    return op_resample(g, op_resample(g, image, 2, m, 0), 3, m, 0);
}

struct convolution {
    int64_t kernel, stride, pad;
};

/* x: an image, or tokens of a side x side grid -> tokens of the convolved grid, whose side is
 * returned. */
static struct tensor *convolve(struct builder *b, const char *name, struct tensor *x, int64_t *side,
                               struct convolution c, int64_t out)
{
    int64_t channels = x->shape.rank == 4 ? x->shape.dim[1] : x->shape.dim[2];
    struct init init = {INIT_UNIFORM, 1 / sqrt((double)(channels * c.kernel * c.kernel))};
    const char *old = nn_enter(b, name);
    struct tensor *w = nn_param(b, "weight", SHAPE(out, channels, c.kernel, c.kernel), init);
    struct tensor *windows = op_unfold(b->g, x, *side, *side, c.kernel, c.stride, c.pad);
    struct tensor *y = op_linear(b->g, windows, w, nn_param(b, "bias", SHAPE(out), init));
    nn_pop(b, old);
    *side = (*side + 2 * c.pad - c.kernel) / c.stride + 1;
    return y;
}

static struct tensor *embed_by_convolutions(struct builder *b, const struct branch *p,
                                            struct tensor *image)
{
    static const struct convolution patch12[] = {{7, 4, 3}, {3, 3, 0}, {3, 1, 1}};
    static const struct convolution patch16[] = {{7, 4, 3}, {3, 2, 1}, {3, 2, 1}};
    const struct convolution *c = p->patch == 12 ? patch12 : patch16;
    int64_t side = p->image;
    if (p->patch != 12 && p->patch != 16) {
        graph_refuse(b->g, "model.multi_conv is defined for patches of 12 and 16 pixels, not %lld",
                     (long long)p->patch);
        return image;
    }
    struct tensor *x = convolve(b, "0", image, &side, c[0], p->dim / 4);
    x = convolve(b, "2", op_relu(b->g, x), &side, c[1], p->dim / 2);
    return convolve(b, "4", op_relu(b->g, x), &side, c[2], p->dim);
}

static struct tensor *embed(struct builder *b, const struct branch *p, int i, struct tensor *image)
{
    struct graph *g = b->g;
    char name[32];
    image = resize_image(g, image, p->image);
    snprintf(name, sizeof name, "patch_embed.%d", i);
    struct tensor *x;
    if (config_bool(b->c, "model.multi_conv")) {
        const char *old = nn_push(b, "%s.proj", name);
        x = embed_by_convolutions(b, p, image);
        nn_pop(b, old);
    } else {
        x = nn_patch_embed(b, name, image, p->patch, p->dim, PATCH_TORCH);
    }
    snprintf(name, sizeof name, "cls_token.%d", i);
    struct tensor *token = nn_param(b, name, SHAPE(1, 1, p->dim), nn_normal_002);
    struct tensor *all[] = {op_repeat(g, token, b->batch), x};
    if (graph_failed(g, NULL))
        return x;
    snprintf(name, sizeof name, "pos_embed.%d", i);
    return nn_pos_embed(b, name, op_concat(g, all, 2, 1)); /* (B,1+N,C) */
}

/* ---- exchange -------------------------------------------------------------------------------- */

static struct tensor *class_token(struct graph *g, struct tensor *x)
{
    return op_slice(g, x, 1, 0, 1);
}

static struct tensor *patch_tokens(struct graph *g, struct tensor *x)
{
    return op_slice(g, x, 1, 1, x->shape.dim[1] - 1);
}

/* Norm, GELU, linear: in this order (the code's; the paper draws a plain projection). */
static struct tensor *project(struct builder *b, const char *name, int i, struct tensor *x,
                              int64_t out, double eps)
{
    const char *old = nn_push(b, "%s.%d", name, i);
    struct tensor *y = op_gelu(b->g, nn_layer_norm(b, "0", x, eps));
    y = nn_linear(b, "2", y, out);
    nn_pop(b, old);
    return y;
}

/* The class token, in the other branch's width, attends to itself and the other branch's patches:
 * (B,1,C). */
static struct tensor *cross_attend(struct builder *b, int i, struct tensor *token,
                                   struct tensor *patches, const struct block_options *o,
                                   double drop_path)
{
    struct graph *g = b->g;
    int64_t dim = shape_last(token->shape);
    const char *old = nn_push(b, "fusion.%d", i), *fusion = g->scope;
    struct tensor *n =
        nn_layer_norm(b, "norm1", op_concat(g, (struct tensor *[]){token, patches}, 2, 1), o->eps);
    const char *attn = nn_enter(b, "attn");
    struct tensor *q = nn_linear(b, "wq", class_token(g, n), dim);
    struct tensor *in[] = {q, nn_linear(b, "wk", n, dim), nn_linear(b, "wv", n, dim)};
    struct attention_attr a = {
        .heads = o->heads, .explicit_products = 1, .scale = 1 / sqrt((double)dim / o->heads)};
    struct tensor *y = graph_apply(g, &op_attention_row, 3, in, &a)->out[0];
    y = nn_linear(b, "proj", y, dim);
    nn_pop(b, attn);
    if (b->training && drop_path > 0)
        y = op_drop_path(g, y, drop_path, arena_printf(&g->arena, "%s.drop_path", fusion));
    nn_pop(b, old);
    return op_add(g, token, y);
}

static void stage(struct builder *b, const struct setup *s, int index, int64_t first_rate,
                  int64_t n_rates, struct tensor *x[BRANCHES])
{
    struct graph *g = b->g;
    const int64_t *depth = s->depth + 3 * index;
    int64_t last = first_rate + depth[1] - 1;
    double fusion_rate = nn_drop_rate(s->drop_path, last < 0 ? 0 : last, n_rates);
    struct tensor *done[BRANCHES];
    for (int i = 0; i < BRANCHES; i++) {
        struct block_options o = s->branch[i].block;
        for (int64_t k = 0; k < depth[i]; k++) {
            char name[32];
            snprintf(name, sizeof name, "blocks.%d.%lld", i, (long long)k);
            o.drop_path = nn_drop_rate(s->drop_path, first_rate + k, n_rates);
            x[i] = nn_block(b, name, x[i], &o);
        }
    }
    for (int i = 0; i < BRANCHES; i++) {
        const struct branch *own = &s->branch[i], *other = &s->branch[1 - i];
        struct tensor *token = project(b, "projs", i, class_token(g, x[i]), other->dim, s->eps);
        token = cross_attend(b, i, token, patch_tokens(g, x[1 - i]), &other->block, fusion_rate);
        token = project(b, "revert_projs", i, token, own->dim, s->eps);
        done[i] = op_concat(g, (struct tensor *[]){token, patch_tokens(g, x[i])}, 2, 1);
    }
    for (int i = 0; i < BRANCHES; i++)
        x[i] = done[i];
}

/* Parameters of a stage live below blocks.S: its blocks are blocks.S.blocks.BRANCH.K. */
static void stages(struct builder *b, const struct setup *s, struct tensor *x[BRANCHES])
{
    int64_t rates = 0, rate = 0;
    for (int i = 0; i < s->stages; i++)
        rates += s->depth[3 * i + 1];
    for (int i = 0; i < s->stages && !graph_failed(b->g, NULL); i++) {
        const char *old = nn_push(b, "blocks.%d", i);
        stage(b, s, i, rate, rates, x);
        nn_pop(b, old);
        rate += s->depth[3 * i + 1];
        for (int k = 0; b->token_outputs && k < BRANCHES; k++)
            graph_output(b->g, arena_printf(&b->g->arena, "output/tokens_stage%d_branch%d", i, k),
                         x[k]);
    }
}

static void build(struct builder *b, struct model_io *io)
{
    struct graph *g = b->g;
    struct setup s;
    struct tensor *x[BRANCHES], *logits[BRANCHES];
    if (read_setup(b, &s))
        return;
    for (int i = 0; i < BRANCHES; i++)
        x[i] = embed(b, &s.branch[i], i, io->image);
    if (graph_failed(g, NULL))
        return;
    stages(b, &s, x);
    for (int i = 0; i < BRANCHES; i++) {
        char norm[32], head[32];
        snprintf(norm, sizeof norm, "norm.%d", i);
        snprintf(head, sizeof head, "head.%d", i);
        struct tensor *y = class_token(g, nn_layer_norm(b, norm, x[i], s.eps));
        y = op_reshape(g, y, SHAPE(b->batch, s.branch[i].dim));
        logits[i] = nn_linear(b, head, y, config_int(b->c, "model.classes"));
    }
    io->logits[0] = op_affine(g, op_add(g, logits[0], logits[1]), 0.5, 0);
    io->logits_names[0] = "logits";
    io->n_logits = 1;
}

const struct model model_crossvit = {
    .choice = {.name = "crossvit", .doc = "two branches that exchange class tokens", .keys = keys},
    .paper = "Chen et al. 2021, CrossViT; IBM's code",
    .build = build,
};
