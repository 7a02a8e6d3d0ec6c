/* Token summary (ViTTM section 3.2, after the token summarisation of Ryoo et al. 2023): each new
 * token is a learned mixture of all source and query tokens. */
#include "heads/head.h"

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    struct graph *g = b->g;
    int64_t out = query->shape.dim[1];
    struct tensor *z = op_concat(g, (struct tensor *[]){source, query}, 2, 1); /* (B,S+M,C) */
    struct tensor *scores = nn_mlp(b, "mlp", nn_layer_norm(b, "norm", z, NN_EPS_TORCH), out, out);
    struct tensor *weights = op_softmax(g, scores, 1); /* (B,S+M,M), over the tokens */
    struct matmul_attr mix = {.heads = 1, .trans_a = 1, .out_rank = 3, .scale = 1};
    return op_matmul(g, weights, z, mix); /* of the tokens before the norm: (B,M,C) */
}

const struct head head_token_summary = {
    .choice = {.name = "token_summary",
               .doc = "each token a learned mixture of all tokens of both streams"},
    .paper = "ViTTM eq. 4; Ryoo et al. 2023 (Token Turing Machines) eq. 2",
    .fixed_tokens = 1,
    .build = build,
};
