/* ViT and DeiT (Dosovitskiy et al. 2021; Touvron et al. 2021, 2022): one stream of tokens. */
#include "model/consistency.h"
#include "model/features.h"
#include "model/keys.h"
#include "model/model.h"
#include "model/reducer.h"
#include "nn/nn.h"

#include <stdio.h>

enum pool { POOL_TOKEN, POOL_AVG };

static const struct config_choice pools[] = {
    {.name = "token", .doc = "the class token after the final norm"},
    {.name = "avg", .doc = "the mean of the patch tokens, then a norm"},
};

static const struct config_choice *pool_choice(int i)
{
    return i >= 0 && i < 2 ? &pools[i] : NULL;
}

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    MODEL_TABLE_SIZE_KEY,
    MODEL_POS_RESIZE_KEY,
    MODEL_PATCH_KEY,
    MODEL_NORM_EPS_KEY,
    {.name = "model.class_token",
     .type = CONFIG_BOOL,
     .fallback = "true",
     .doc = "prepend a learned class token"},
    {.name = "model.pool",
     .type = CONFIG_CHOICE,
     .fallback = "token",
     .choice = pool_choice,
     .doc = "what the classifier sees"},
    {.name = "model.no_embed_class",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .doc = "the class token has no position embedding (DeiT III)"},
    MODEL_LAYER_SCALE_KEY,
    MODEL_REDUCE_KEY,
    {0},
};

static struct tensor *embed(struct builder *b, struct tensor *image, int class_token)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.dim"), patch = config_int(b->c, "model.patch");
    int bare_class = config_bool(b->c, "model.no_embed_class");
    int64_t table = config_int(b->c, "model.table_image_size") / patch;
    struct pos_grid grid = {
        .prefix = class_token && !bare_class,
        .stored = {table, table},
        .kind = pos_resize_kind(b->c),
    };
    if (!nn_patch_grid(b, "model.patch", patch, image, &grid.now))
        return image;
    struct tensor *x =
        nn_patch_embed(b, "patch_embed", image, patch, dim, PATCH_TORCH); /* (B,n,C) */
    if (!class_token)
        return nn_pos_embed_grid(b, "pos_embed", x, grid);
    struct tensor *token =
        nn_param(b, "cls_token", SHAPE(1, 1, dim), (struct init){INIT_NORMAL, 1e-6});
    token = op_repeat(g, token, b->batch); /* (B,1,C) */
    if (bare_class)
        x = nn_pos_embed_grid(b, "pos_embed", x, grid);
    x = op_concat(g, (struct tensor *[]){token, x}, 2, 1); /* (B,n+1,C) */
    return bare_class ? x : nn_pos_embed_grid(b, "pos_embed", x, grid);
}

static struct block_options block_options(const struct builder *b)
{
    const struct config *c = b->c;
    return (struct block_options){
        .heads = (int)config_int(c, "model.heads"),
        .mlp_ratio = config_float(c, "model.mlp_ratio"),
        .eps = config_float(c, "model.norm_eps"),
        .layer_scale = config_bool(c, "model.layer_scale") ? MODEL_LAYER_SCALE_INIT : 0};
}

/* The blocks, from embedded tokens x (B,N,C) to those behind the last one. behind, if not NULL,
 * gets the tokens behind each block. */
static struct tensor *encode(struct builder *b, struct tensor *x, int class_token, int teacher,
                             struct tensor **behind)
{
    const struct config *c = b->c;
    int64_t depth = config_int(c, "model.depth");
    struct block_options o = block_options(b);
    struct reduction r;
    reduction_init(&r, b, x, depth, class_token);
    r.teacher = teacher;
    for (int64_t i = 0; i < depth; i++) {
        const char *name = nn_numbered(b, "blocks", i);
        o.drop_path = nn_drop_rate(config_float(c, "model.drop_path"), i, depth);
        x = reduction_block(b, &r, i, name, x, &o);
        if (behind)
            behind[i] = x;
    }
    x = reduction_finish(b, &r, x);
    if (behind)
        behind[depth - 1] = x;
    return x;
}

static struct tensor *without_class(struct builder *b, struct tensor *x, int class_token)
{
    return class_token ? op_slice(b->g, x, 1, 1, x->shape.dim[1] - 1) : x;
}

/* What the classifier sees (B,C). */
static struct tensor *pool(struct builder *b, struct tensor *x, int class_token)
{
    double eps = config_float(b->c, "model.norm_eps");
    struct tensor *pooled;
    if (config_choice(b->c, "model.pool") == &pools[POOL_TOKEN]) {
        x = nn_layer_norm(b, "norm", x, eps);
        pooled =
            op_reshape(b->g, op_slice(b->g, x, 1, 0, 1), SHAPE(b->batch, shape_last(x->shape)));
    } else {
        pooled = op_mean_tokens(b->g, without_class(b, x, class_token));
        pooled = nn_layer_norm(b, "fc_norm", pooled, eps);
    }
    if (b->token_outputs)
        graph_output(b->g, "output/tokens", x);
    return pooled;
}

/* A second pass through the same weights, which fuses fewer tokens and teaches the first. */
static const struct consistency *teach(struct builder *b, struct tensor *x, int class_token,
                                       struct tensor *student)
{
    struct consistency *t = ARENA_NEW(&b->g->arena, struct consistency);
    struct builder second = *b;
    second.pass = "#teacher";
    second.token_outputs = 0;
    t->student = student;
    t->teacher = pool(&second, encode(&second, x, class_token, 1, NULL), class_token);
    t->teacher_logits = nn_linear(b, "head", t->teacher, config_int(b->c, "model.classes"));
    return t;
}

static void build(struct builder *b, struct model_io *io)
{
    const struct config *c = b->c;
    int class_token = config_bool(c, "model.class_token");
    if (config_choice(c, "model.pool") == &pools[POOL_TOKEN] && !class_token) {
        graph_refuse(b->g, "model.pool token needs model.class_token true (or choose pool avg)");
        return;
    }
    struct tensor *x = embed(b, io->image, class_token);
    if (graph_failed(b->g, NULL))
        return;
    struct tensor *feature = pool(b, encode(b, x, class_token, 0, NULL), class_token);
    io->logits[0] = nn_linear(b, "head", feature, config_int(c, "model.classes"));
    io->logits_names[0] = "logits";
    io->n_logits = 1;
    if (consistency_wanted(b))
        io->consistency = teach(b, x, class_token, feature);
}

/* Patch tokens behind the final norm, which with several blocks is the same for all of them. */
static void features(struct builder *b, struct tensor *image, struct features *out)
{
    const struct config *c = b->c;
    int class_token = config_bool(c, "model.class_token");
    int64_t depth = config_int(c, "model.depth"), patch = config_int(c, "model.patch");
    int64_t *taps = ARENA_ARRAY(&b->g->arena, int64_t, depth);
    struct tensor **behind = ARENA_ARRAY(&b->g->arena, struct tensor *, depth);
    int n = features_taps(b, depth, taps);
    if (consistency_asked(b))
        graph_refuse(b->g, "model.reduce.consistency trains classifiers only");
    if (graph_failed(b->g, NULL) || features_check_merges(b, n) || features_one_stream(b))
        return;
    image = nn_pad_image(b, image, patch);
    encode(b, embed(b, image, class_token), class_token, 0, behind);
    if (graph_failed(b->g, NULL))
        return;
    for (int i = 0; i < n; i++) {
        struct tensor *x = behind[taps[i]];
        x = nn_layer_norm(b, "norm", x, config_float(c, "model.norm_eps"));
        behind[i] = without_class(b, x, class_token);
    }
    if (config_int(c, "model.backbone_classes"))
        nn_unused_linear(b, "head", config_int(c, "model.dim"),
                         config_int(c, "model.backbone_classes"));
    *out = (struct features){
        .tokens = n > 1 ? op_concat(b->g, behind, n, 2) : behind[0],
        .grid = {image->shape.dim[2] / patch, image->shape.dim[3] / patch},
        .height = image->shape.dim[2],
        .width = image->shape.dim[3],
    };
}

const struct model model_vit = {
    .choice = {.name = "vit", .doc = "Vision Transformer and DeiT", .keys = keys},
    .paper = "Dosovitskiy et al. 2021; Touvron et al. 2021 and 2022",
    .build = build,
    .features = features,
    .features_scope = "encoder",
};
