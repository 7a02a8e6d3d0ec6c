/* The registry of token reductions and what its members share. */
#include "model/reducer.h"

#include "model/consistency.h"

#include <stdio.h>

#define REDUCER(name) extern const struct reducer reducer_##name;
#include "model/reducers.def"
#undef REDUCER

static const struct reducer *const reducers[] = {
#define REDUCER(name) &reducer_##name,
#include "model/reducers.def"
#undef REDUCER
};

const struct reducer *reducer_at(int i)
{
    return i >= 0 && i < (int)(sizeof reducers / sizeof *reducers) ? reducers[i] : NULL;
}

const struct config_choice *reducer_choice(int i)
{
    return reducer_at(i) ? &reducer_at(i)->choice : NULL;
}

/* Values that are the same for every batch element, as a constant. */
static struct tensor *constant(struct builder *b, const char *name, struct shape s,
                               double (*value)(int64_t row, int64_t col))
{
    double *x = ARENA_ARRAY(&b->g->arena, double, shape_count(s));
    for (int64_t i = 0; i < shape_count(s); i++)
        x[i] = value(i / shape_last(s) % s.dim[1], i % shape_last(s));
    return graph_constant(b->g, name, s, x);
}

static double one(int64_t row, int64_t col)
{
    (void)row;
    (void)col;
    return 1;
}

static double identity(int64_t row, int64_t col)
{
    return row == col;
}

void reduction_init(struct reduction *r, struct builder *b, const struct tensor *x, int64_t depth,
                    int class_token)
{
    *r = (struct reduction){
        .method = (const struct reducer *)config_choice(b->c, "model.reduce.method"),
        .depth = depth,
        .first_tokens = x->shape.dim[1],
        .class_token = class_token,
        .merges = ARENA_ARRAY(&b->g->arena, struct tensor *, depth),
    };
}

int reduction_wanted(const struct builder *b)
{
    return ((const struct reducer *)config_choice(b->c, "model.reduce.method"))->block != NULL;
}

static int merges(const struct reduction *r)
{
    return r->method && r->method->block;
}

struct tensor *reduction_block(struct builder *b, struct reduction *r, int64_t layer,
                               const char *name, struct tensor *x, const struct block_options *o)
{
    if (!merges(r))
        return nn_block(b, name, x, o);
    if (layer == 0 && r->method->begin)
        r->method->begin(b, r);
    if (graph_failed(b->g, NULL))
        return x;
    return r->method->block(b, r, layer, name, x, o);
}

struct tensor *reduction_merge(struct builder *b, struct reduction *r, int64_t layer,
                               struct tensor *x)
{
    if (!merges(r))
        return x;
    if (!r->method->merge) {
        graph_refuse(b->g,
                     "model.reduce.method %s needs attention among the tokens, which the "
                     "memory has not (choose tome, or model.reduce.stream process)",
                     r->method->choice.name);
        return x;
    }
    if (layer == 0 && r->method->begin)
        r->method->begin(b, r);
    return graph_failed(b->g, NULL) ? x : r->method->merge(b, r, layer, x);
}

struct tensor *reduction_finish(struct builder *b, struct reduction *r, struct tensor *x)
{
    if (!merges(r))
        return x;
    if (b->token_outputs && r->method->outputs)
        r->method->outputs(b, r);
    return config_bool(b->c, "model.reduce.unmerge") ? reduction_unmerge(b, r, x) : x;
}

struct tensor *reduction_tower(struct builder *b, struct tensor *x, struct block_options o,
                               int class_token)
{
    int64_t depth = config_int(b->c, "model.depth");
    struct reduction r;
    if (consistency_asked(b))
        graph_refuse(b->g, "model.reduce.consistency trains models of family vit only");
    reduction_init(&r, b, x, depth, class_token);
    for (int64_t i = 0; i < depth; i++) {
        const char *name = nn_numbered(b, "blocks", i);
        o.drop_path = nn_drop_rate(config_float(b->c, "model.drop_path"), i, depth);
        x = reduction_block(b, &r, i, name, x, &o);
    }
    return reduction_finish(b, &r, x);
}

struct tensor *reduction_ones(struct builder *b, int64_t tokens)
{
    return constant(b, "reduce/ones", SHAPE(b->batch, tokens), one);
}

struct tensor *reduction_sizes(struct builder *b, const struct reduction *r, int64_t tokens)
{
    return r->sizes ? r->sizes : reduction_ones(b, tokens);
}

struct tensor *reduction_bias(struct builder *b, const struct reduction *r)
{
    int proportional = r->sizes && config_bool(b->c, "model.reduce.prop_attn");
    return proportional ? op_log(b->g, r->sizes) : NULL;
}

struct tensor *reduction_attention(struct builder *b, const struct reduction *r, struct tensor *x,
                                   const struct block_options *o, struct tensor **qkv)
{
    int64_t dim = shape_last(x->shape);
    struct tensor *in[2] = {x, reduction_bias(b, r)};
    const char *old = nn_enter(b, "attn");
    if (nn_check_heads(b, "model.dim", dim, o->heads)) {
        struct attention_attr a = {.heads = o->heads,
                                   .packed = 1,
                                   .has_bias = in[1] != NULL,
                                   .explicit_products = 1,
                                   .scale = nn_qk_scale(dim, o)};
        in[0] = nn_qkv(b, x, o); /* (B,N,3C) */
        x = graph_apply(b->g, &op_attention_row, in[1] ? 2 : 1, in, &a)->out[0];
        x = nn_linear(b, "proj", x, dim); /* (B,N,C) */
    }
    if (qkv)
        *qkv = in[0];
    nn_pop(b, old);
    return x;
}

struct tensor *reduction_mlp(struct builder *b, struct tensor *x, const struct block_options *o)
{
    int64_t dim = shape_last(x->shape);
    struct tensor *y = nn_layer_norm(b, "norm2", x, o->eps > 0 ? o->eps : NN_EPS_TIMM);
    y = nn_mlp(b, "mlp", y, nn_hidden(dim, o->mlp_ratio), dim);
    return nn_residual(b, "ls2", "drop_path2", x, y, o);
}

struct tensor *reduction_along(struct builder *b, struct tensor *w, int rank, int axis)
{
    struct shape s = {.rank = rank, .dim = {w->shape.dim[0]}};
    for (int i = 1; i < rank; i++)
        s.dim[i] = i == axis ? w->shape.dim[1] : 1;
    return op_reshape(b->g, w, s);
}

void reduction_note(struct builder *b, struct reduction *r, struct tensor *assign, int64_t left)
{
    int64_t tokens = assign->shape.dim[1];
    struct tensor *sizes = reduction_sizes(b, r, tokens);
    if (b->token_outputs) {
        if (!r->source)
            r->source = constant(b, "reduce/identity", SHAPE(b->batch, tokens, tokens), identity);
        r->source = op_scatter_rows(b->g, r->source, assign, 1, left); /* (B,left,N0) */
    }
    r->sizes = op_scatter_rows(b->g, sizes, assign, 1, left); /* (B,left) */
    r->merges[r->n_merges++] = assign;
}

struct tensor *reduction_unmerge(struct builder *b, const struct reduction *r, struct tensor *x)
{
    for (int i = r->n_merges - 1; i >= 0; i--)
        x = op_gather_rows(b->g, x, r->merges[i], 1);
    return x;
}
