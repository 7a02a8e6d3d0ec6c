/* Cross attention with normalised queries, keys and values (all heads together, after the
 * projection). */
#include "heads/head.h"

#include <math.h>

static struct tensor *project(struct builder *b, const char *name, const char *norm,
                              struct tensor *x, int64_t out)
{
    return nn_layer_norm(b, norm, nn_linear(b, name, x, out), NN_EPS_TORCH);
}

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    int64_t dim = shape_last(query->shape);
    int heads = (int)config_int(b->c, "model.heads");
    if (!nn_check_heads(b, "model.dim", dim, heads))
        return query;
    struct tensor *q = project(b, "q", "q_norm", query, dim);  /* (B,M,C) */
    struct tensor *k = project(b, "k", "k_norm", source, dim); /* (B,S,C) */
    struct tensor *v = project(b, "v", "v_norm", source, dim); /* (B,S,C) */
    struct tensor *y = op_attention(b->g, q, k, v, NULL, heads, 1 / sqrt((double)dim / heads));
    return nn_linear(b, "proj", y, dim);
}

const struct head head_cross = {
    .choice = {.name = "cross", .doc = "multi-head cross attention"},
    .paper = "ViTTM eq. 5; authors' code: layer norm on q, k and v",
    .build = build,
};
