/* Dyna: each head mixes the source tokens with weights that two small linear layers generate from
 * the whole token sequence. The values are the normalised tokens. */
#include "heads/head.h"

static const struct config_key keys[] = {
    {.name = "model.dyna_heads",
     .type = CONFIG_INT,
     .fallback = "16",
     .min = 1,
     .max = 1024,
     .doc = "mixing heads, independent of model.heads"},
    {.name = "model.dyna_reduced_dim",
     .type = CONFIG_INT,
     .fallback = "2",
     .min = 1,
     .max = 1024,
     .doc = "channels a token keeps in each mixing head"},
    {.name = "model.dyna_concat",
     .type = CONFIG_BOOL,
     .fallback = "false",
     .doc = "mix query tokens as well as source tokens"},
    {0},
};

/* (B,N,heads*q) -> (B,heads,N*q): token-major within a head. */
static struct tensor *by_head(struct builder *b, struct tensor *x, int64_t heads)
{
    int64_t batch = x->shape.dim[0], tokens = x->shape.dim[1], q = x->shape.dim[2] / heads;
    struct tensor *split = op_reshape(b->g, x, SHAPE(batch, tokens, heads, q));
    return op_reshape(b->g, op_swap(b->g, split, 1), SHAPE(batch, heads, tokens * q));
}

static struct tensor *build(struct builder *b, struct tensor *source, struct tensor *query)
{
    struct graph *g = b->g;
    int heads = (int)config_int(b->c, "model.dyna_heads");
    int64_t reduced = config_int(b->c, "model.dyna_reduced_dim"), dim = shape_last(query->shape);
    int64_t batch = query->shape.dim[0], out = query->shape.dim[1];
    if (!nn_check_heads(b, "model.dim", dim, heads))
        return query;
    struct tensor *z = source;
    if (config_bool(b->c, "model.dyna_concat"))
        z = op_concat(g, (struct tensor *[]){source, query}, 2, 1); /* (B,N,C) */
    int64_t tokens = z->shape.dim[1];
    z = nn_layer_norm(b, "norm", z, NN_EPS_TORCH);
    struct tensor *w = by_head(b, nn_linear(b, "compress", z, heads * reduced), heads);
    w = nn_linear(b, "generate", w, tokens * out); /* (B,heads,M*N) */
    w = op_softmax(g, op_reshape(g, w, SHAPE(batch, heads, out, tokens)), -1);
    struct matmul_attr mix = {.heads = heads, .out_rank = 3, .scale = 1};
    return nn_linear(b, "out_proj", op_matmul(g, w, z, mix), dim);
}

static int ignores_query(const struct config *c)
{
    return !config_bool(c, "model.dyna_concat");
}

const struct head head_dyna = {
    .choice = {.name = "dyna", .doc = "generated token mixing, a map for each head", .keys = keys},
    .paper = "authors' code, DynaMixing after Wang et al. 2022; does not run as published, this is "
             "what it intends",
    .fixed_tokens = 1,
    .ignores_query = ignores_query,
    .build = build,
};
