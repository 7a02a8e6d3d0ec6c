/* T2T-ViT_t (Yuan et al. 2021), as a host of token reduction: three soft splits of the image into
 * overlapping windows, with a narrow transformer after the first two, then a ViT with a fixed
 * sinusoid for positions.
 *
 * Reconstructed from public facts: no published number of the papers here rests on it. The tokens'
 * transformers scale their scores by the root of the width that they read, as the public code
 * does. */
#include "model/keys.h"
#include "model/model.h"
#include "model/reducer.h"
#include "nn/nn.h"

#include <math.h>

static const struct config_choice scales[] = {
    {.name = "dim", .doc = "1 / sqrt(dim), which the published weights were trained with"},
    {.name = "head", .doc = "1 / sqrt(dim / heads)"},
};

static const struct config_choice *scale_choice(int i)
{
    return i >= 0 && i < 2 ? &scales[i] : NULL;
}

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    {.name = "model.token_dim",
     .type = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 4096,
     .doc = "width of the transformers between the soft splits"},
    {.name = "model.qk_scale",
     .type = CONFIG_CHOICE,
     .fallback = "dim",
     .choice = scale_choice,
     .doc = "scale of the attention scores in the blocks"},
    MODEL_REDUCE_KEY,
    {0},
};

/* A soft split: the windows of an image (B,c,S,S) or of a grid (B,side^2,C) as tokens. */
struct split {
    struct tensor *x;
    int64_t side;
};

static struct split soft_split(struct builder *b, struct tensor *x, int64_t side, int64_t kernel,
                               int64_t stride, int64_t pad)
{
    return (struct split){op_unfold(b->g, x, side, side, kernel, stride, pad),
                          (side + 2 * pad - kernel) / stride + 1};
}

/* Attention with one head into a narrower width; the way past it is the values'. x (B,N,C) ->
 * (B,N,width). */
static struct tensor *narrow(struct builder *b, const char *name, struct tensor *x, int64_t width)
{
    struct graph *g = b->g;
    const char *old = nn_push(b, "tokens_to_token.%s", name);
    double scale = 1 / sqrt((double)shape_last(x->shape));
    struct tensor *y = nn_layer_norm(b, "norm1", x, NN_EPS_TORCH);
    const char *outer = nn_enter(b, "attn");
    struct tensor *qkv = nn_linear_plain(b, "qkv", y, 3 * width); /* (B,N,3 width) */
    y = nn_linear(b, "proj", op_attention_packed(g, qkv, NULL, 1, scale), width);
    nn_pop(b, outer);
    x = op_add(g, op_slice(g, qkv, 2, 2 * width, width), y);
    y = nn_mlp(b, "mlp", nn_layer_norm(b, "norm2", x, NN_EPS_TORCH), width, width);
    nn_pop(b, old);
    return op_add(g, x, y);
}

/* image (B,c,S,S) -> (B, about (S/16)^2, dim) */
static struct tensor *tokens_to_token(struct builder *b, struct tensor *image)
{
    int64_t width = config_int(b->c, "model.token_dim");
    struct split s = soft_split(b, image, image->shape.dim[2], 7, 4, 2);
    s = soft_split(b, narrow(b, "attention1", s.x, width), s.side, 3, 2, 1);
    s = soft_split(b, narrow(b, "attention2", s.x, width), s.side, 3, 2, 1);
    const char *old = nn_enter(b, "tokens_to_token");
    struct tensor *x = nn_linear(b, "project", s.x, config_int(b->c, "model.dim"));
    nn_pop(b, old);
    return x;
}

/* sin and cos of n / 10000^(2 floor(i/2) / dim) in turn (Vaswani et al. 2017): (1,N,dim). */
static struct tensor *sinusoid(struct builder *b, int64_t tokens, int64_t dim)
{
    double *table = ARENA_ARRAY(&b->g->arena, double, tokens *dim);
    for (int64_t n = 0; n < tokens; n++)
        for (int64_t i = 0; i < dim; i++) {
            double angle = (double)n / pow(10000, 2 * (double)(i / 2) / (double)dim);
            table[n * dim + i] = i % 2 ? cos(angle) : sin(angle);
        }
    return graph_constant(b->g, "positions", SHAPE(1, tokens, dim), table);
}

static void build(struct builder *b, struct model_io *io)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.dim");
    int by_dim = config_choice(b->c, "model.qk_scale") == &scales[0];
    struct tensor *token = nn_param(b, "cls_token", SHAPE(1, 1, dim), nn_normal_002);
    struct tensor *x = tokens_to_token(b, io->image);
    x = op_concat(g, (struct tensor *[]){op_repeat(g, token, b->batch), x}, 2, 1);
    if (graph_failed(g, NULL))
        return;
    x = op_add(g, x, sinusoid(b, x->shape.dim[1], dim)); /* (B,N+1,C) */
    struct block_options o = {.heads = (int)config_int(b->c, "model.heads"),
                              .mlp_ratio = config_float(b->c, "model.mlp_ratio"),
                              .eps = NN_EPS_TORCH,
                              .no_qkv_bias = 1,
                              .qk_scale = by_dim ? 1 / sqrt((double)dim) : 0};
    x = nn_layer_norm(b, "norm", reduction_tower(b, x, o, 1), o.eps);
    if (b->token_outputs)
        graph_output(g, "output/tokens", x);
    x = op_reshape(g, op_slice(g, x, 1, 0, 1), SHAPE(b->batch, dim));
    io->logits[0] = nn_linear(b, "head", x, config_int(b->c, "model.classes"));
    io->logits_names[0] = "logits";
    io->n_logits = 1;
}

const struct model model_t2tvit = {
    .choice = {.name = "t2tvit", .doc = "T2T-ViT_t, reconstructed from public facts", .keys = keys},
    .paper = "Yuan et al. 2021; a host of MCTF (Lee et al. 2024)",
    .build = build,
};
