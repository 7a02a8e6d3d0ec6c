/* LV-ViT (Jiang et al. 2021, "All Tokens Matter"), as a host of token reduction: a convolutional
 * stem, branches divided by 2, no bias on q, k and v, and a second classifier that votes with the
 * largest score over all patch tokens.
 *
 * It is a host to count, to time and to load weights into, exact in inference. The stem's batch
 * norms are folded: weight and bias of bn1 … bn3 are w / sqrt(var + eps) and b - mean w / sqrt(var
 * + eps) of the original's statistics, which is what batch norm computes in inference. Training
 * moves them as a gain and an offset, without statistics of batches, so it is not the original's
 * training. Nor is token labelling there (Jiang et al. section 3), which has no meaning for fused
 * tokens: the sum of both votes is trained. */
#include "model/keys.h"
#include "model/model.h"
#include "model/reducer.h"
#include "nn/nn.h"

#include <math.h>

static const struct config_key keys[] = {
    MODEL_TOWER_KEYS,
    MODEL_PATCH_KEY,
    {.name = "model.stem_dim",
     .type = CONFIG_INT,
     .fallback = "64",
     .min = 1,
     .max = 4096,
     .doc = "channels of the convolutional stem, which halves the image"},
    {.name = "model.branch_divisor",
     .type = CONFIG_FLOAT,
     .fallback = "2",
     .min = 0.01,
     .max = 1000,
     .doc = "both branches of a block are divided by this"},
    {.name = "model.aux_weight",
     .type = CONFIG_FLOAT,
     .fallback = "0.5",
     .min = 0,
     .max = 1000,
     .doc = "weight of the patch tokens' vote beside the class token's"},
    MODEL_REDUCE_KEY,
    {0},
};

/* A grid of tokens (B, side^2, C). */
struct token_grid {
    struct tensor *x;
    int64_t side;
};

/* A convolution without bias over an image or a grid, as a product of its windows. */
static struct token_grid convolve(struct builder *b, const char *name, struct tensor *x,
                                  int64_t side, int64_t out, int64_t kernel, int64_t stride,
                                  int64_t pad, int bias)
{
    int64_t in = x->shape.rank == 4 ? x->shape.dim[1] : x->shape.dim[2];
    struct init init = {INIT_UNIFORM, 1 / sqrt((double)(in * kernel * kernel))};
    const char *old = nn_enter(b, name);
    struct tensor *windows = op_unfold(b->g, x, side, side, kernel, stride, pad);
    struct tensor *w = nn_param(b, "weight", SHAPE(out, in, kernel, kernel), init);
    struct tensor *offset = bias ? nn_param(b, "bias", SHAPE(out), init) : NULL;
    struct token_grid y = {op_linear(b->g, windows, w, offset),
                           (side + 2 * pad - kernel) / stride + 1};
    nn_pop(b, old);
    return y;
}

/* Batch norm in inference, then ReLU. */
static struct tensor *activate(struct builder *b, const char *name, struct tensor *x)
{
    struct shape channels = SHAPE(shape_last(x->shape));
    const char *old = nn_enter(b, name);
    x = op_scale_shift(b->g, x, nn_param(b, "weight", channels, nn_one),
                       nn_param(b, "bias", channels, nn_zero));
    nn_pop(b, old);
    return op_relu(b->g, x);
}

/* image (B,c,S,S) -> (B, (S/patch)^2, dim) */
static struct tensor *stem(struct builder *b, struct tensor *image)
{
    int64_t width = config_int(b->c, "model.stem_dim"), patch = config_int(b->c, "model.patch");
    const char *old = nn_enter(b, "patch_embed");
    struct token_grid y = convolve(b, "conv1", image, image->shape.dim[2], width, 7, 2, 3, 0);
    y.x = activate(b, "bn1", y.x);
    y = convolve(b, "conv2", y.x, y.side, width, 3, 1, 1, 0);
    y.x = activate(b, "bn2", y.x);
    y = convolve(b, "conv3", y.x, y.side, width, 3, 1, 1, 0);
    y.x = activate(b, "bn3", y.x);
    y = convolve(b, "proj", y.x, y.side, config_int(b->c, "model.dim"), patch / 2, patch / 2, 0, 1);
    nn_pop(b, old);
    return y.x;
}

/* The largest value over the tokens, x (B,N,K) -> (B,K), with the gradient to where it is: op_max
 * itself is a constant. */
static struct tensor *largest(struct graph *g, struct tensor *x)
{
    const double below_zero = -1e-30;
    struct tensor *is_top = op_above(g, op_sub(g, x, op_max(g, x, 1)), below_zero);
    struct tensor *sum = op_sum(g, op_mul(g, x, is_top), 1, 1, 0, 1);
    return op_div(g, sum, op_sum(g, is_top, 1, 1, 0, 1));
}

static struct tensor *vote(struct builder *b, struct tensor *x)
{
    struct graph *g = b->g;
    int64_t dim = shape_last(x->shape), classes = config_int(b->c, "model.classes");
    struct tensor *token = op_reshape(g, op_slice(g, x, 1, 0, 1), SHAPE(b->batch, dim));
    struct tensor *patches = op_slice(g, x, 1, 1, x->shape.dim[1] - 1);
    struct tensor *aux = largest(g, nn_linear(b, "aux_head", patches, classes));
    aux = op_affine(g, aux, config_float(b->c, "model.aux_weight"), 0);
    return op_add(g, nn_linear(b, "head", token, classes), aux);
}

static void build(struct builder *b, struct model_io *io)
{
    struct graph *g = b->g;
    int64_t dim = config_int(b->c, "model.dim"), patch = config_int(b->c, "model.patch");
    if (patch % 2) {
        graph_refuse(g,
                     "model.patch %lld is odd, but the stem halves the image (%lld and %lld "
                     "are even)",
                     (long long)patch, (long long)(patch - 1), (long long)(patch + 1));
        return;
    }
    if (!nn_check_patch(b, "model.patch", patch, io->image->shape.dim[2]))
        return;
    struct tensor *token = nn_param(b, "cls_token", SHAPE(1, 1, dim), nn_normal_002);
    struct tensor *x = stem(b, io->image);
    x = op_concat(g, (struct tensor *[]){op_repeat(g, token, b->batch), x}, 2, 1);
    x = nn_pos_embed(b, "pos_embed", x); /* (B,N+1,C) */
    struct block_options o = {.heads = (int)config_int(b->c, "model.heads"),
                              .mlp_ratio = config_float(b->c, "model.mlp_ratio"),
                              .eps = NN_EPS_TORCH,
                              .no_qkv_bias = 1,
                              .branch_divisor = config_float(b->c, "model.branch_divisor")};
    x = nn_layer_norm(b, "norm", reduction_tower(b, x, o, 1), o.eps);
    if (b->token_outputs)
        graph_output(g, "output/tokens", x);
    io->logits[0] = vote(b, x);
    io->logits_names[0] = "logits";
    io->n_logits = 1;
}

const struct model model_lvvit = {
    .choice = {.name = "lvvit",
               .doc = "LV-ViT, reconstructed: folded batch norms, no token labelling",
               .keys = keys},
    .paper = "Jiang et al. 2021; the third host of MCTF (Lee et al. 2024)",
    .build = build,
};
