/* LookupViT as the ViTTM authors re-implemented it (models/lookup): few compressed tokens go
 * through the encoder blocks and exchange with all lookup tokens through one bidirectional cross
 * attention that every layer shares. The attention map of the way in, transposed, is the map of the
 * way out.
 *
 * Against LookupViT's own paper (Koner et al. 2024): sharing across layers, no output projections,
 * and an MLP without a norm are simplifications of this re-implementation; its 89.7 M parameters
 * follow from the sharing. */
#include "model/keys.h"
#include "model/model.h"
#include "nn/nn.h"

#include <math.h>
#include <stdio.h>

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    MODEL_PATCH_KEY,
    {.name = "model.compressed_tokens",
     .type = CONFIG_INT,
     .fallback = "5",
     .min = 1,
     .max = 1024,
     .doc = "side of the compressed grid; there are compressed_tokens^2 of them"},
    MODEL_EVAL_HEAD_KEY,
    {0},
};

struct streams {
    struct tensor *lookup, *compressed; /* (B,N,C), (B,K,C) */
    struct tensor *map; /* (B,H,K,N) attention of the compressed tokens over the lookup tokens */
};

/* Compressed tokens gather from the lookup stream. */
static void gather(struct builder *b, struct streams *s, int heads)
{
    int64_t dim = shape_last(s->lookup->shape);
    const char *old = nn_enter(b, "mhbc");
    struct tensor *q =
        nn_layer_norm(b, "q_norm", nn_linear_torch(b, "q", s->compressed, dim), NN_EPS_TORCH);
    struct tensor *k =
        nn_layer_norm(b, "k_norm", nn_linear_torch(b, "k", s->lookup, dim), NN_EPS_TORCH);
    struct tensor *v = nn_linear_torch(b, "v", s->lookup, dim); /* not normalised on the way in */
    struct matmul_attr score = {heads, 0, 1, 4, 1 / sqrt((double)dim / heads)};
    struct matmul_attr read = {heads, 0, 0, 3, 1};
    s->map = op_softmax(b->g, op_matmul(b->g, q, k, score), -1);
    s->compressed = op_add(b->g, s->compressed, op_matmul(b->g, s->map, v, read));
    nn_pop(b, old);
}

/* Lookup tokens take back through the same map, transposed; its rows do not sum to one. */
static void scatter(struct builder *b, struct streams *s, int heads)
{
    int64_t dim = shape_last(s->lookup->shape);
    const char *old = nn_enter(b, "mhbc");
    struct tensor *v =
        nn_layer_norm(b, "v_norm", nn_linear_torch(b, "v", s->compressed, dim), NN_EPS_TORCH);
    struct matmul_attr write = {heads, 1, 0, 3, 1};
    s->lookup = op_add(b->g, s->lookup, op_matmul(b->g, s->map, v, write));
    nn_pop(b, old);
    old = nn_enter(b, "global_mlp");
    struct tensor *h = op_gelu(b->g, nn_linear_torch(b, "fc1", s->lookup, dim / 2));
    s->lookup = op_add(b->g, s->lookup, nn_linear_torch(b, "fc2", h, dim));
    nn_pop(b, old);
}

static int embed(struct builder *b, struct streams *s, struct tensor *image)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.dim"), patch = config_int(b->c, "model.patch");
    int64_t side = image->shape.dim[2] / patch, small = config_int(b->c, "model.compressed_tokens");
    if (!nn_check_patch(b, "model.patch", patch, image->shape.dim[2]))
        return -1;
    struct tensor *grid = nn_patch_embed(b, "patch_embed", image, patch, dim, PATCH_TORCH);
    if (small > side) {
        graph_refuse(g, "model.compressed_tokens %lld is larger than the patch grid %lld",
                     (long long)small, (long long)side);
        return -1;
    }
    s->compressed =
        nn_pos_embed(b, "compressed_pos_embed", op_pool_grid(g, grid, side, side, small, small));
    struct tensor *token =
        nn_param(b, "cls_token", SHAPE(1, 1, dim), (struct init){INIT_NORMAL, 1e-6});
    struct tensor *all[] = {op_repeat(g, token, b->batch), grid};
    s->lookup = nn_pos_embed(b, "pos_embed", op_concat(g, all, 2, 1)); /* (B,1+n,C) */
    return graph_failed(g, NULL);
}

static struct tensor *classify(struct builder *b, const char *norm, const char *head,
                               struct tensor *x)
{
    struct tensor *pooled = nn_layer_norm(b, norm, op_mean_tokens(b->g, x), NN_EPS_TIMM);
    return nn_linear(b, head, pooled, config_int(b->c, "model.classes"));
}

static void build(struct builder *b, struct model_io *io)
{
    const struct config *c = b->c;
    struct streams s = {0};
    int64_t depth = config_int(c, "model.depth");
    struct block_options o = {.heads = (int)config_int(c, "model.heads"),
                              .mlp_ratio = config_float(c, "model.mlp_ratio")};
    if (!nn_check_heads(b, "model.dim", config_int(c, "model.dim"), o.heads) ||
        embed(b, &s, io->image))
        return;
    for (int64_t i = 0; i < depth; i++) {
        const char *block = nn_numbered(b, "blocks", i);
        o.drop_path = nn_drop_rate(config_float(c, "model.drop_path"), i, depth);
        s.lookup = nn_layer_norm(b, "lookup_norm", s.lookup, NN_EPS_TIMM);
        s.compressed = nn_layer_norm(b, "compressed_norm", s.compressed, NN_EPS_TIMM);
        gather(b, &s, o.heads);
        s.compressed = nn_block(b, block, s.compressed, &o);
        s.compressed = nn_layer_norm(b, "compressed_norm", s.compressed, NN_EPS_TIMM);
        scatter(b, &s, o.heads);
    }
    if (b->token_outputs) {
        graph_output(b->g, "output/memory_tokens", s.lookup);
        graph_output(b->g, "output/process_tokens", s.compressed);
    }
    io->logits[0] = classify(b, "fc_norm", "head", s.lookup);
    io->logits[1] = classify(b, "fc_norm_compressed", "compressed_head", s.compressed);
    io->logits_names[0] = "memory_logits";
    io->logits_names[1] = "process_logits";
    io->n_logits = 2;
}

const struct model model_lookupvit = {
    .choice = {.name = "lookupvit",
               .doc = "compressed and lookup tokens, one shared cross attention",
               .keys = keys},
    .paper = "Koner et al. 2024, re-implemented by Jajal et al. 2025 (models/lookup)",
    .build = build,
};
