/* Linear attention: the head that the paper settles on. */
#include "heads/head.h"

#define NORMALISER_EPS 1e-6

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    int64_t dim = shape_last(query->shape), latent = config_int(b->c, "model.latent_dim");
    int heads = (int)config_int(b->c, "model.heads");
    if (!nn_check_heads(b, "model.latent_dim", latent, heads) ||
        !nn_check_heads(b, "model.dim", dim, heads))
        return query;
    struct tensor *q = nn_linear(b, "q", query, latent);  /* (B,M,c) */
    struct tensor *k = nn_linear(b, "k", source, latent); /* (B,S,c) */
    struct tensor *v = nn_linear(b, "v", source, dim);    /* (B,S,C) */
    nn_unused_linear(b, "proj", dim, dim); /* registered by the authors' code, never applied */
    return op_linear_attention(b->g, q, k, v, heads, NORMALISER_EPS); /* (B,M,C) */
}

const struct head head_linear = {
    .choice = {.name = "linear",
               .doc = "linear attention, elu + 1, normalised",
               .keys = head_latent_keys},
    .paper = "ViTTM eq. 8 and 9; Katharopoulos et al. 2020; the normaliser is the authors' code's",
    .build = build,
};
