/* Mask transformer: learned class tokens run through a few blocks together with the patch tokens;
 * a score is the cosine of a patch and a class, normalised over the classes. */
#include "model/decoder.h"

#include <math.h>
#include <stdio.h>

static const struct config_key keys[] = {
    {.name = "model.decoder.dim",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 65536,
     .doc = "token width in the decoder (0: model.dim)"},
    {.name = "model.decoder.layers",
     .type = CONFIG_INT,
     .fallback = "2",
     .min = 1,
     .max = 100,
     .doc = "encoder blocks over patch and class tokens"},
    {.name = "model.decoder.heads",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 1024,
     .doc = "attention heads of those blocks (0: model.heads)"},
    {.name = "model.decoder.mlp_ratio",
     .type = CONFIG_FLOAT,
     .fallback = "4",
     .min = 0.01,
     .max = 64,
     .doc = "hidden width of their MLPs over their width"},
    {.name = "model.decoder.norm_eps",
     .type = CONFIG_FLOAT,
     .fallback = "1e-5",
     .min = 1e-12,
     .max = 1,
     .doc = "epsilon of the decoder's layer norms"},
    {.name = "model.decoder.drop_path",
     .type = CONFIG_FLOAT,
     .fallback = "0",
     .min = 0,
     .max = 0.99,
     .doc = "stochastic depth of the decoder's last block, from 0 at the first (mmseg: 0.1)"},
    {0},
};

/* x (B,N,D) @ w (D,D): the authors' raw matrices, applied from the right. */
static struct tensor *project(struct builder *b, const char *name, struct tensor *x)
{
    struct shape s = x->shape;
    int64_t dim = shape_last(s);
    struct init init = {INIT_NORMAL, 1 / sqrt((double)dim)};
    struct tensor *flat = op_reshape(b->g, x, SHAPE(shape_rows(s), dim));
    struct matmul_attr product = {.heads = 1, .out_rank = 2, .scale = 1};
    flat = op_matmul(b->g, flat, nn_param(b, name, SHAPE(dim, dim), init), product);
    return op_reshape(b->g, flat, s);
}

/* Rows of length 1. No epsilon, as in the authors' code. */
static struct tensor *unit_rows(struct builder *b, struct tensor *x)
{
    struct tensor *square = op_sum(b->g, op_mul(b->g, x, x), 2, 1, 1, 1);
    return op_div(b->g, x, op_sqrt(b->g, square));
}

static struct tensor *blocks(struct builder *b, struct tensor *x)
{
    const struct config *c = b->c;
    int64_t layers = config_int(c, "model.decoder.layers");
    int64_t heads = config_int(c, "model.decoder.heads");
    struct block_options o = {.heads = (int)(heads ? heads : config_int(c, "model.heads")),
                              .mlp_ratio = config_float(c, "model.decoder.mlp_ratio"),
                              .eps = config_float(c, "model.decoder.norm_eps")};
    if (!nn_check_heads(b, "model.decoder.heads", shape_last(x->shape), o.heads))
        return x;
    for (int64_t i = 0; i < layers; i++) {
        const char *name = nn_numbered(b, "blocks", i);
        o.drop_path = nn_drop_rate(config_float(c, "model.decoder.drop_path"), i, layers);
        x = nn_block(b, name, x, &o);
    }
    return nn_layer_norm(b, "decoder_norm", x, o.eps);
}

static struct tensor *build(struct builder *b, struct tensor *tokens, int64_t classes)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.decoder.dim"), n = tokens->shape.dim[1];
    if (!dim)
        dim = config_int(b->c, "model.dim");
    struct tensor *named = nn_param(b, "cls_emb", SHAPE(1, classes, dim), nn_normal_002);
    struct tensor *both[] = {nn_linear(b, "proj_dec", tokens, dim), op_repeat(g, named, b->batch)};
    struct tensor *x = blocks(b, op_concat(g, both, 2, 1)); /* (B,N+K,D) */
    if (graph_failed(g, NULL))
        return x;
    struct tensor *patches = unit_rows(b, project(b, "proj_patch", op_slice(g, x, 1, 0, n)));
    struct tensor *names = unit_rows(b, project(b, "proj_classes", op_slice(g, x, 1, n, classes)));
    struct matmul_attr cosines = {.heads = 1, .trans_b = 1, .out_rank = 3, .scale = 1};
    struct tensor *masks = op_matmul(g, patches, names, cosines); /* (B,N,K) */
    return nn_layer_norm(b, "mask_norm", masks, config_float(b->c, "model.decoder.norm_eps"));
}

const struct decoder decoder_mask_transformer = {
    .choice = {.name = "mask_transformer",
               .doc = "class tokens beside the patch tokens in a few blocks; scores are cosines",
               .keys = keys},
    .paper = "Strudel et al. 2021, Segmenter, section 3.2",
    .build = build,
};
