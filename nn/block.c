/* Self attention and the pre-norm encoder block. */
#include "nn/nn.h"

#include <math.h>

struct tensor *nn_qkv(struct builder *b, struct tensor *x, const struct block_options *o)
{
    int64_t out = 3 * shape_last(x->shape);
    return o->no_qkv_bias ? nn_linear_plain(b, "qkv", x, out) : nn_linear(b, "qkv", x, out);
}

double nn_qk_scale(int64_t dim, const struct block_options *o)
{
    return o->qk_scale > 0 ? o->qk_scale : 1 / sqrt((double)dim / o->heads);
}

struct tensor *nn_self_attention(struct builder *b, const char *name, struct tensor *x,
                                 const struct block_options *o)
{
    int64_t dim = shape_last(x->shape);
    const char *old = nn_enter(b, name);
    struct tensor *y = x;
    if (nn_check_heads(b, "model.dim", dim, o->heads)) {
        struct attention_attr a = {.heads = o->heads,
                                   .packed = 1,
                                   .explicit_products = o->explicit_products || b->dense,
                                   .scale = nn_qk_scale(dim, o)};
        struct tensor *qkv = nn_qkv(b, x, o); /* (B,N,3C): q, k, v, each by head */
        y = graph_apply(b->g, &op_attention_row, 1, &qkv, &a)->out[0];
        y = nn_linear(b, "proj", y, dim); /* (B,N,C) */
    }
    nn_pop(b, old);
    return y;
}

double nn_drop_rate(double rate, int64_t i, int64_t depth)
{
    return depth > 1 ? rate * (double)i / (double)(depth - 1) : 0;
}

struct tensor *nn_residual(struct builder *b, const char *scale_name, const char *drop_name,
                           struct tensor *x, struct tensor *branch, const struct block_options *o)
{
    if (o->layer_scale > 0) {
        const char *old = nn_enter(b, scale_name);
        struct init init = {INIT_VALUE, o->layer_scale};
        branch = op_mul(b->g, branch, nn_param(b, "gamma", SHAPE(shape_last(x->shape)), init));
        nn_pop(b, old);
    }
    if (o->branch_divisor > 0)
        branch = op_affine(b->g, branch, 1 / o->branch_divisor, 0);
    if (b->training && o->drop_path > 0) {
        const char *path =
            arena_printf(&b->g->arena, "%s.%s%s", b->g->scope, drop_name, b->pass ? b->pass : "");
        branch = op_drop_path(b->g, branch, o->drop_path, path);
    }
    return op_add(b->g, x, branch);
}

struct tensor *nn_block(struct builder *b, const char *name, struct tensor *x,
                        const struct block_options *o)
{
    const char *old = nn_enter(b, name);
    int64_t dim = shape_last(x->shape);
    double eps = o->eps > 0 ? o->eps : NN_EPS_TIMM;
    struct tensor *y = nn_layer_norm(b, "norm1", x, eps);
    x = nn_residual(b, "ls1", "drop_path1", x, nn_self_attention(b, "attn", y, o), o);
    y = nn_layer_norm(b, "norm2", x, eps);
    y = nn_mlp(b, "mlp", y, nn_hidden(dim, o->mlp_ratio), dim);
    x = nn_residual(b, "ls2", "drop_path2", x, y, o);
    nn_pop(b, old);
    return x;
}
