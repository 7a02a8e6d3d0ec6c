/* Latent cross attention (the paper's "Latent Attn."): keys are softmaxed over the source tokens
 * and queries over the latent channels of each head, so the product is linear in the number of
 * tokens. */
#include "heads/head.h"

static struct tensor *project(struct builder *b, const char *name, const char *norm,
                              struct tensor *x, int64_t out)
{
    return nn_layer_norm(b, norm, nn_linear(b, name, x, out), NN_EPS_TORCH);
}

/* Softmax over the channels of each head. */
static struct tensor *softmax_by_head(struct builder *b, struct tensor *x, int heads)
{
    struct shape s = x->shape;
    struct tensor *split = op_reshape(b->g, x, SHAPE(s.dim[0], s.dim[1], heads, s.dim[2] / heads));
    return op_reshape(b->g, op_softmax(b->g, split, -1), s);
}

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    struct graph *g = b->g;
    int64_t dim = shape_last(query->shape), latent = config_int(b->c, "model.latent_dim");
    int heads = (int)config_int(b->c, "model.heads");
    if (!nn_check_heads(b, "model.latent_dim", latent, heads) ||
        !nn_check_heads(b, "model.dim", dim, heads))
        return query;
    struct tensor *q = project(b, "q", "q_norm", query, latent);  /* (B,M,c) */
    struct tensor *k = project(b, "k", "k_norm", source, latent); /* (B,S,c) */
    struct tensor *v = project(b, "v", "v_norm", source, dim);    /* (B,S,C) */
    q = softmax_by_head(b, q, heads);
    k = op_softmax(g, k, 1);
    struct matmul_attr gather = {.heads = heads, .trans_a = 1, .out_rank = 4, .scale = 1};
    struct matmul_attr read = {.heads = heads, .out_rank = 3, .scale = 1};
    struct tensor *kv = op_matmul(g, k, v, gather); /* (B,H,c/H,C/H) */
    return nn_linear(b, "proj", op_matmul(g, q, kv, read), dim);
}

const struct head head_latent_cross = {
    .choice = {.name = "latent_cross",
               .doc = "cross attention through latent channels, linear in tokens",
               .keys = head_latent_keys},
    .paper = "ViTTM eq. 6 and 7 (\"Latent Attn.\")",
    .build = build,
};
