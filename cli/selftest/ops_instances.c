/* A small random instance of every op that a model may apply, at least one: what the contracts of
 * the op table are checked on (ops_check.c). An op without one fails. */
#include "cli/selftest/op_instance.h"
#include "tensor/ops/ops.h"

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_param(g, name, s, (struct init){INIT_NORMAL, 1});
}

static struct tensor *positive(struct graph *g, const char *name, struct shape s)
{
    return op_affine(g, op_sigmoid(g, leaf(g, name, s)), 2, 0.5);
}

static struct tensor *i_reshape(struct graph *g)
{
    return op_reshape(g, leaf(g, "x", SHAPE(2, 3, 4)), SHAPE(6, 4));
}
static struct tensor *i_slice(struct graph *g)
{
    return op_slice(g, leaf(g, "x", SHAPE(2, 5, 3)), 1, 1, 3);
}
static struct tensor *i_pad(struct graph *g)
{
    return op_pad(g, leaf(g, "x", SHAPE(2, 3, 4)), 2, 1, 2);
}
static struct tensor *i_concat(struct graph *g)
{
    return op_concat(
        g, (struct tensor *[]){leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "y", SHAPE(2, 2, 4))}, 2, 1);
}
static struct tensor *i_repeat(struct graph *g)
{
    return op_repeat(g, leaf(g, "x", SHAPE(1, 3, 2)), 4);
}
static struct tensor *i_swap(struct graph *g)
{
    return op_swap(g, leaf(g, "x", SHAPE(2, 3, 4, 5)), 1);
}
static struct tensor *i_patchify(struct graph *g)
{
    return op_patchify(g, leaf(g, "x", SHAPE(2, 3, 8, 4)), 2);
}
static struct tensor *i_unpatchify(struct graph *g)
{
    struct patch_attr a = {2, 3, 4, 6};
    struct tensor *x = leaf(g, "x", SHAPE(2, 6, 12));
    return graph_apply(g, &op_unpatchify_row, 1, &x, &a)->out[0];
}
/* Three images of 4 x 4 pixels: a sum with an image of which a part is erased, a box of another,
 * and one that stays what it is. */
static struct tensor *mixing_plan(struct graph *g)
{
    static const double plan[3 * MIXED_FIELDS] = {1, 1, 0.25, 0.75, 0, 0, 0, 0, 0, 0, 0, 0,
                                                  2, 0, 1,    0,    1, 0, 2, 3, 1, 1, 3, 2,
                                                  2, 0, 1,    0,    0, 0, 0, 0, 2, 0, 1, 3};
    return graph_constant(g, "plan", SHAPE(3, MIXED_FIELDS), plan);
}
static struct tensor *some_images(struct graph *g)
{
    double values[3 * 2 * 4 * 4];
    for (int i = 0; i < 3 * 2 * 4 * 4; i++)
        values[i] = (i * 37 % 101 - 50) / 25.0;
    return graph_constant(g, "image", SHAPE(3, 2, 4, 4), values);
}
static struct tensor *i_mix(struct graph *g)
{
    return op_mul(g, leaf(g, "x", SHAPE(3, 2, 4, 4)), op_mix(g, some_images(g), mixing_plan(g)));
}
static struct tensor *i_patch_mix(struct graph *g)
{
    struct tensor *in[] = {some_images(g), mixing_plan(g)};
    struct node *n = graph_apply(g, &op_patch_mix_row, 2, in, &(struct patch_attr){2, 2, 4, 4});
    return op_mul(g, leaf(g, "x", SHAPE(3, 4, 8)), n->out[0]);
}
static struct tensor *i_pool_grid(struct graph *g)
{
    return op_pool_grid(g, leaf(g, "x", SHAPE(2, 42, 3)), 6, 7, 4, 3);
}
static struct tensor *i_resize(struct graph *g)
{
    struct mixing *m = mixing_resize(&g->arena, MIXING_BICUBIC_ANTIALIAS, 7, 4);
    return op_resample(g, leaf(g, "x", SHAPE(2, 3, 7)), 2, m, 0);
}
static struct tensor *i_enlarge(struct graph *g)
{
    struct mixing *m = mixing_resize(&g->arena, MIXING_BILINEAR, 4, 9);
    return op_resample(g, leaf(g, "x", SHAPE(4, 5)), 0, m, 0);
}
static struct tensor *i_add(struct graph *g)
{
    return op_add(g, leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "y", SHAPE(1, 3, 4)));
}
static struct tensor *i_sub(struct graph *g)
{
    return op_sub(g, leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "y", SHAPE(2, 1, 4)));
}
static struct tensor *i_mul(struct graph *g)
{
    return op_mul(g, leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "y", SHAPE(3, 1)));
}
static struct tensor *i_div(struct graph *g)
{
    return op_div(g, leaf(g, "x", SHAPE(4)), positive(g, "y", SHAPE(2, 3, 4)));
}
static struct tensor *i_affine(struct graph *g)
{
    return op_affine(g, leaf(g, "x", SHAPE(2, 5)), -1.5, 0.25);
}
static struct tensor *i_exp(struct graph *g)
{
    return op_exp(g, leaf(g, "x", SHAPE(2, 5)));
}
static struct tensor *i_log(struct graph *g)
{
    return op_log(g, positive(g, "x", SHAPE(2, 5)));
}
static struct tensor *i_sqrt(struct graph *g)
{
    return op_sqrt(g, positive(g, "x", SHAPE(2, 5)));
}
static struct tensor *i_erf(struct graph *g)
{
    return op_erf(g, leaf(g, "x", SHAPE(2, 5)));
}
static struct tensor *i_sigmoid(struct graph *g)
{
    return op_sigmoid(g, leaf(g, "x", SHAPE(2, 5)));
}
static struct tensor *i_phi(struct graph *g)
{
    return op_phi(g, leaf(g, "x", SHAPE(3, 7)));
}
static struct tensor *i_relu(struct graph *g)
{
    return op_relu(g, leaf(g, "x", SHAPE(3, 7)));
}
static struct tensor *i_unfold(struct graph *g)
{
    return op_unfold(g, leaf(g, "x", SHAPE(2, 2, 7, 5)), 0, 0, 3, 2, 1);
}
static struct tensor *i_unfold_tokens(struct graph *g)
{
    return op_unfold(g, leaf(g, "x", SHAPE(2, 12, 3)), 3, 4, 2, 1, 0);
}
static struct tensor *i_fold(struct graph *g)
{
    struct unfold_attr a = {3, 1, 1, 2, 4, 3, 4, 3, 0};
    struct tensor *x = leaf(g, "x", SHAPE(2, 12, 18));
    return graph_apply(g, &op_fold_row, 1, &x, &a)->out[0];
}
static struct tensor *i_gelu(struct graph *g)
{
    return op_gelu(g, leaf(g, "x", SHAPE(3, 7)));
}
static struct tensor *i_sum(struct graph *g)
{
    return op_sum(g, leaf(g, "x", SHAPE(2, 3, 4, 5)), 1, 2, 0, 0.3);
}
static struct tensor *i_spread(struct graph *g)
{
    return op_spread(g, leaf(g, "x", SHAPE(2, 1, 4)), SHAPE(2, 3, 4), 0.7);
}
static struct tensor *i_linear(struct graph *g)
{
    return op_linear(g, leaf(g, "x", SHAPE(2, 3, 5)), leaf(g, "w", SHAPE(4, 5)),
                     leaf(g, "b", SHAPE(4)));
}
static struct tensor *i_linear_kernel(struct graph *g)
{
    return op_linear(g, leaf(g, "x", SHAPE(2, 3, 12)), leaf(g, "w", SHAPE(4, 3, 2, 2)), NULL);
}
/* One layer twice: gradients of its weight and bias are added up. */
static struct tensor *i_linear_twice(struct graph *g)
{
    struct tensor *w = leaf(g, "w", SHAPE(5, 5)), *b = leaf(g, "b", SHAPE(5));
    return op_linear(g, op_linear(g, leaf(g, "x", SHAPE(2, 3, 5)), w, b), w, b);
}
static struct tensor *i_linear_add(struct graph *g)
{
    return op_linear_add(g, leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "h", SHAPE(2, 3, 5)),
                         leaf(g, "w", SHAPE(4, 5)), leaf(g, "b", SHAPE(4)));
}
static struct tensor *i_linear_add_plain(struct graph *g)
{
    return op_linear_add(g, leaf(g, "x", SHAPE(6, 4)), leaf(g, "h", SHAPE(6, 5)),
                         leaf(g, "w", SHAPE(4, 5)), NULL);
}
static struct tensor *i_linear_gelu(struct graph *g)
{
    return op_linear_gelu(g, leaf(g, "x", SHAPE(2, 3, 5)), leaf(g, "w", SHAPE(4, 5)),
                          leaf(g, "b", SHAPE(4)))
        ->out[0];
}
/* Both results are read. */
static struct tensor *i_linear_gelu_both(struct graph *g)
{
    struct node *n = op_linear_gelu(g, leaf(g, "x", SHAPE(6, 5)), leaf(g, "w", SHAPE(4, 5)), NULL);
    return op_mul(g, n->out[0], n->out[1]);
}
/* An MLP so wide that GELU is computed again; its gradient comes with a product. */
static struct tensor *i_linear_gelu_wide(struct graph *g)
{
    struct tensor *h = op_linear(g, leaf(g, "x", SHAPE(2, 3, 4)), leaf(g, "w1", SHAPE(1024, 4)),
                                 leaf(g, "b1", SHAPE(1024)));
    return op_linear(g, op_gelu(g, h), leaf(g, "w2", SHAPE(3, 1024)), leaf(g, "b2", SHAPE(3)));
}
static struct tensor *i_matmul(struct graph *g)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, 3, 6)), leaf(g, "b", SHAPE(2, 4, 6)),
                     (struct matmul_attr){3, 0, 1, 4, 0.5});
}
static struct tensor *i_matmul_gather(struct graph *g)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, 5, 4)), leaf(g, "b", SHAPE(2, 5, 6)),
                     (struct matmul_attr){2, 1, 0, 4, 1});
}
static struct tensor *i_matmul_read(struct graph *g)
{
    return op_matmul(g, leaf(g, "a", SHAPE(2, 2, 5, 3)), leaf(g, "b", SHAPE(2, 3, 8)),
                     (struct matmul_attr){2, 0, 0, 3, 1});
}
static struct tensor *i_matmul_flat(struct graph *g)
{
    return op_matmul(g, leaf(g, "a", SHAPE(5, 3)), leaf(g, "b", SHAPE(4, 5)),
                     (struct matmul_attr){1, 1, 1, 2, 2});
}
static struct tensor *i_depthwise(struct graph *g)
{
    return op_depthwise(g, leaf(g, "x", SHAPE(2, 5, 3)), leaf(g, "w", SHAPE(3, 1, 7)),
                        leaf(g, "b", SHAPE(3)));
}
static struct tensor *i_scale_shift(struct graph *g)
{
    return op_scale_shift(g, leaf(g, "x", SHAPE(2, 5, 3)), leaf(g, "gain", SHAPE(3)),
                          leaf(g, "offset", SHAPE(3)));
}
static struct tensor *i_softmax(struct graph *g)
{
    return op_softmax(g, leaf(g, "x", SHAPE(2, 3, 5)), -1);
}
static struct tensor *i_softmax_tokens(struct graph *g)
{
    return op_softmax(g, leaf(g, "x", SHAPE(2, 5, 3)), 1);
}
static struct tensor *i_layer_norm(struct graph *g)
{
    return op_layer_norm(g, leaf(g, "x", SHAPE(2, 3, 8)), leaf(g, "gamma", SHAPE(8)),
                         leaf(g, "beta", SHAPE(8)), 1e-5);
}
/* Both results are read, as by a residual. */
static struct tensor *i_add_layer_norm(struct graph *g)
{
    struct node *n =
        op_add_layer_norm(g, leaf(g, "a", SHAPE(2, 3, 8)), leaf(g, "b", SHAPE(2, 3, 8)),
                          leaf(g, "gamma", SHAPE(8)), leaf(g, "beta", SHAPE(8)), 1e-5);
    return op_mul(g, n->out[0], n->out[1]);
}
static struct tensor *i_add_layer_norm_alone(struct graph *g)
{
    return op_add_layer_norm(g, leaf(g, "a", SHAPE(2, 3, 8)), leaf(g, "b", SHAPE(2, 3, 8)),
                             leaf(g, "gamma", SHAPE(8)), leaf(g, "beta", SHAPE(8)), 1e-5)
        ->out[1];
}
static struct tensor *i_attention(struct graph *g)
{
    return op_attention(g, leaf(g, "q", SHAPE(2, 3, 8)), leaf(g, "k", SHAPE(2, 5, 8)),
                        leaf(g, "v", SHAPE(2, 5, 6)), NULL, 2, 0.5);
}
static struct tensor *i_attention_packed(struct graph *g)
{
    return op_attention_packed(g, leaf(g, "qkv", SHAPE(2, 4, 18)), NULL, 3, 0.7);
}
static struct tensor *i_attention_bias(struct graph *g)
{
    double sizes[] = {0, 0.7, 1.1, 0, 0, 1.4};
    struct tensor *bias = graph_constant(g, "bias", SHAPE(2, 3), sizes);
    return op_attention(g, leaf(g, "q", SHAPE(2, 4, 4)), leaf(g, "k", SHAPE(2, 3, 4)),
                        leaf(g, "v", SHAPE(2, 3, 4)), bias, 2, 0.7);
}
static struct tensor *i_linear_attention(struct graph *g)
{
    return op_linear_attention(g, leaf(g, "q", SHAPE(2, 3, 4)), leaf(g, "k", SHAPE(2, 5, 4)),
                               leaf(g, "v", SHAPE(2, 5, 6)), 2, 1e-6);
}
static struct tensor *i_cross_entropy(struct graph *g)
{
    double soft[] = {0.2, 0.3, 0.5, 0, 1, 0};
    return op_cross_entropy(g, leaf(g, "x", SHAPE(2, 3)), graph_constant(g, "t", SHAPE(2, 3), soft),
                            0);
}
static struct tensor *i_bce(struct graph *g)
{
    double soft[] = {0.2, 0.3, 0.5, 0, 1, 0};
    return op_bce(g, leaf(g, "x", SHAPE(2, 3)), graph_constant(g, "t", SHAPE(2, 3), soft), 0, 0.5);
}
static struct tensor *i_drop_path(struct graph *g)
{
    return op_drop_path(g, leaf(g, "x", SHAPE(6, 4)), 0.4, "drop");
}
static struct tensor *i_norm_square(struct graph *g)
{
    return op_norm_square(g, leaf(g, "x", SHAPE(3, 4)));
}

/* Where 7 tokens go when 2 are merged, by fixed metrics. */
static struct tensor *tome_assign(struct graph *g)
{
    static const double metric[2 * 7 * 2] = {1, 0, 3,  1, 2, 2,  -1, 3,  0,  1, 1, -2, 1, -1,
                                             2, 1, -1, 0, 1, -3, 2,  -2, -1, 1, 3, 2,  0, 4};
    return op_tome_match(g, graph_constant(g, "metric", SHAPE(2, 7, 2), metric), 2, 1, 0).assign;
}
static struct tensor *i_tome_match(struct graph *g)
{
    return op_scatter_rows(g, leaf(g, "x", SHAPE(2, 7, 3)), tome_assign(g), 1, 5);
}
static struct tensor *i_scatter_rows(struct graph *g)
{
    return op_scatter_rows(g, leaf(g, "x", SHAPE(2, 3, 7, 2)), tome_assign(g), 2, 5);
}
static struct tensor *i_scatter_keys(struct graph *g)
{
    return op_scatter_rows(g, leaf(g, "x", SHAPE(2, 3, 4, 7)), tome_assign(g), 3, 5);
}
static struct tensor *i_scatter_max(struct graph *g)
{
    struct tensor *x = leaf(g, "x", SHAPE(2, 7, 3)), *assign = tome_assign(g);
    struct tensor *top = op_gather_rows(g, op_scatter_max(g, x, assign, 1, 5), assign, 1);
    return op_mul(g, x, op_above(g, op_sub(g, x, top), -1e-30));
}
static struct tensor *i_gather_rows(struct graph *g)
{
    return op_gather_rows(g, leaf(g, "x", SHAPE(2, 5, 3)), tome_assign(g), 1);
}
/* 14 rows with 5 labels, one of which counts for nothing. */
static struct tensor *i_label_cross_entropy(struct graph *g)
{
    return op_label_cross_entropy(g, leaf(g, "x", SHAPE(2, 7, 6)), tome_assign(g),
                                  (struct label_loss_attr){.smoothing = 0.1, .ignore = 3});
}
static struct tensor *i_label_cross_entropy_all(struct graph *g)
{
    return op_label_cross_entropy(g, leaf(g, "x", SHAPE(2, 7, 6)), tome_assign(g),
                                  (struct label_loss_attr){.ignore = 1, .over_all = 1});
}
static struct tensor *i_mctf_match(struct graph *g)
{
    static const double x[9 * 2] = {1, 0, 3, 1, 2, 2, -1, 3, 0, 1, 1, -2, 1, -1, 2, 1, -1, 2};
    static const double received[9] = {.2, .1, .05, .1, .15, .1, .1, .07, .13};
    static const double sizes[9] = {1, 2, 1, 1, 3, 1, 1, 2, 1};
    struct mctf_attr a = {
        .n = 4, .protect = 1, .bidirectional = 1, .tau_sim = 1, .tau_info = 20, .tau_size = 40};
    struct match m = op_mctf_match(g, graph_constant(g, "tokens", SHAPE(1, 9, 2), x),
                                   graph_constant(g, "received", SHAPE(1, 9), received),
                                   graph_constant(g, "sizes", SHAPE(1, 9), sizes), a);
    return op_scatter_rows(g, leaf(g, "x", SHAPE(1, 9, 3)), m.assign, 1, 5);
}
static struct tensor *i_above(struct graph *g)
{
    struct tensor *x = leaf(g, "x", SHAPE(3, 7));
    return op_mul(g, x, op_above(g, x, 0.2));
}
static struct tensor *i_stop_gradient(struct graph *g)
{
    double values[] = {0.5, -1, 2};
    struct tensor *z = op_exp(g, graph_constant(g, "z", SHAPE(3), values));
    return op_mul(g, leaf(g, "x", SHAPE(2, 3)), op_stop_gradient(g, z));
}

const struct op_instance op_instances[] = {
    {"reshape", i_reshape},
    {"slice", i_slice},
    {"pad", i_pad},
    {"concat", i_concat},
    {"repeat", i_repeat},
    {"swap", i_swap},
    {"patchify", i_patchify},
    {"unpatchify", i_unpatchify},
    {"mix", i_mix},
    {"patch_mix", i_patch_mix},
    {"resample", i_pool_grid},
    {"resample", i_resize},
    {"resample", i_enlarge},
    {"add", i_add},
    {"sub", i_sub},
    {"mul", i_mul},
    {"div", i_div},
    {"affine", i_affine},
    {"exp", i_exp},
    {"log", i_log},
    {"sqrt", i_sqrt},
    {"erf", i_erf},
    {"sigmoid", i_sigmoid},
    {"phi", i_phi},
    {"relu", i_relu},
    {"unfold", i_unfold},
    {"unfold", i_unfold_tokens},
    {"fold", i_fold},
    {"gelu", i_gelu},
    {"sum", i_sum},
    {"spread", i_spread},
    {"linear", i_linear},
    {"linear", i_linear_kernel},
    {"linear", i_linear_twice},
    {"linear_add", i_linear_add},
    {"linear_add", i_linear_add_plain},
    {"linear_gelu", i_linear_gelu},
    {"linear_gelu", i_linear_gelu_both},
    {"linear_gelu", i_linear_gelu_wide},
    {"matmul", i_matmul},
    {"matmul", i_matmul_gather},
    {"matmul", i_matmul_read},
    {"matmul", i_matmul_flat},
    {"depthwise", i_depthwise},
    {"scale_shift", i_scale_shift},
    {"softmax", i_softmax},
    {"softmax", i_softmax_tokens},
    {"layer_norm", i_layer_norm},
    {"add_layer_norm", i_add_layer_norm},
    {"add_layer_norm", i_add_layer_norm_alone},
    {"attention", i_attention},
    {"attention", i_attention_packed},
    {"attention", i_attention_bias},
    {"linear_attention", i_linear_attention},
    {"cross_entropy", i_cross_entropy},
    {"bce", i_bce},
    {"label_cross_entropy", i_label_cross_entropy},
    {"label_cross_entropy", i_label_cross_entropy_all},
    {"scatter_rows", i_scatter_rows},
    {"scatter_rows", i_scatter_keys},
    {"scatter_max", i_scatter_max},
    {"gather_rows", i_gather_rows},
    {"tome_match", i_tome_match},
    {"mctf_match", i_mctf_match},
    {"above", i_above},
    {"stop_gradient", i_stop_gradient},
    {"drop_path", i_drop_path},
    {"norm_square", i_norm_square},
    {0},
};
