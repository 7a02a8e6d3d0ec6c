/* Latent attention: source tokens are gathered into latent slots, which the query tokens read; the
 * raw source is the value. One head, no projections. */
#include "heads/head.h"

enum {
    BOTTLENECK = 64
}; /* hidden width of both MLPs, whatever the model's width (authors' code) */

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    struct graph *g = b->g;
    int64_t latent = config_int(b->c, "model.latent_dim");
    struct tensor *s = nn_layer_norm(b, "norm", source, NN_EPS_TORCH);
    struct tensor *m = nn_layer_norm(b, "norm_q", query, NN_EPS_TORCH);
    struct tensor *k = op_softmax(g, nn_mlp(b, "mlp", s, BOTTLENECK, latent), 1);   /* (B,S,c) */
    struct tensor *q = op_softmax(g, nn_mlp(b, "mlp2", m, BOTTLENECK, latent), -1); /* (B,M,c) */
    struct matmul_attr gather = {.heads = 1, .trans_a = 1, .out_rank = 3, .scale = 1};
    struct matmul_attr read = {.heads = 1, .out_rank = 3, .scale = 1};
    struct tensor *slots = op_matmul(g, k, source, gather); /* (B,c,C) */
    return op_matmul(g, q, slots, read);                    /* (B,M,C) */
}

const struct head head_latent = {
    .choice = {.name = "latent",
               .doc = "latent slots gather the source, queries read the slots",
               .keys = head_latent_keys},
    .paper = "authors' code, LatentAttention; not in the paper's tables",
    .build = build,
};
