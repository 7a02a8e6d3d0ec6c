/* ConvNeXt-1D on the memory stream (ViTTM section 3.4): the memory is shortened before the write
 * and brought back to its length after it, with a skip connection around both. Tokens are a
 * sequence in patch order. */
#include "model/memory_block.h"

#include <math.h>
#include <stdio.h>

static const struct config_key keys[] = {
    {.name = "model.memory_encoder_depths",
     .type = CONFIG_INTS,
     .fallback = "[3, 3]",
     .min = 0,
     .max = 100,
     .doc = "ConvNeXt blocks in each stage before the write"},
    {.name = "model.memory_encoder_downsamples",
     .type = CONFIG_INTS,
     .fallback = "[2, 1]",
     .min = 1,
     .max = 100,
     .doc = "stride of the pooling (of two tokens) before each encoder stage; 1: none"},
    {.name = "model.memory_decoder_depths",
     .type = CONFIG_INTS,
     .fallback = "[3, 3]",
     .min = 0,
     .max = 100,
     .doc = "ConvNeXt blocks in each stage after the write; as many stages as in the encoder"},
    {0},
};

enum { FILTER = 7, EXPANSION = 4, SHRINK = 4, STAGES_MAX = 16 };

#define GAMMA_INIT 1e-6
#define GRN_EPS    1e-6

static struct init torch_uniform(int64_t fan_in)
{
    return (struct init){INIT_UNIFORM, 1 / sqrt((double)fan_in)};
}

/* A convolution of width 1: a linear layer whose weight has a third dimension. */
static struct tensor *pointwise(struct builder *b, const char *name, struct tensor *x, int64_t out)
{
    int64_t in = shape_last(x->shape);
    const char *old = nn_enter(b, name);
    struct tensor *w = nn_param(b, "weight", SHAPE(out, in, 1), torch_uniform(in));
    struct tensor *y = op_linear(b->g, x, w, nn_param(b, "bias", SHAPE(out), torch_uniform(in)));
    nn_pop(b, old);
    return y;
}

static struct tensor *depthwise(struct builder *b, const char *name, struct tensor *x)
{
    int64_t width = shape_last(x->shape);
    struct init init = torch_uniform(FILTER);
    const char *old = nn_enter(b, name);
    struct tensor *w = nn_param(b, "weight", SHAPE(width, 1, FILTER), init);
    struct tensor *y = op_depthwise(b->g, x, w, nn_param(b, "bias", SHAPE(width), init));
    nn_pop(b, old);
    return y;
}

/* Global response normalisation (Woo et al. 2023): x (B,N,C), the norm over tokens of each channel
 * relative to its mean over channels. */
static struct tensor *response_norm(struct builder *b, struct tensor *x)
{
    struct graph *g = b->g;
    struct shape width = SHAPE(shape_last(x->shape));
    const char *old = nn_enter(b, "grn");
    struct tensor *weight = nn_param(b, "weight", width, nn_zero);
    struct tensor *bias = nn_param(b, "bias", width, nn_zero);
    struct tensor *norm = op_sqrt(g, op_sum(g, op_mul(g, x, x), 1, 1, 1, 1)); /* (B,1,C) */
    struct tensor *mean = op_sum(g, norm, 2, 1, 1, 1 / (double)width.dim[0]); /* (B,1,1) */
    struct tensor *ratio = op_div(g, norm, op_affine(g, mean, 1, GRN_EPS));
    struct tensor *scaled = op_mul(g, weight, op_mul(g, x, ratio));
    nn_pop(b, old);
    return op_add(g, x, op_add(g, scaled, bias));
}

static struct tensor *convnext(struct builder *b, const char *stages, int stage, int64_t index,
                               struct tensor *x)
{
    struct graph *g = b->g;
    int64_t width = shape_last(x->shape);
    const char *old = nn_push(b, "%s.%d.%lld", stages, stage, (long long)index);
    struct tensor *y = nn_layer_norm(b, "norm", depthwise(b, "conv_dw", x), NN_EPS_TIMM);
    const char *mlp = nn_enter(b, "mlp");
    y = response_norm(b, op_gelu(g, pointwise(b, "fc1", y, EXPANSION * width)));
    y = pointwise(b, "fc2", y, width);
    nn_pop(b, mlp);
    struct init init = {INIT_VALUE, GAMMA_INIT};
    y = op_mul(g, y, nn_param(b, "gamma", SHAPE(width), init));
    nn_pop(b, old);
    return op_add(g, x, y);
}

static struct tensor *shorten(struct graph *g, struct tensor *x, int64_t stride)
{
    if (stride == 1)
        return x;
    return op_resample(g, x, 1, mixing_pairs(&g->arena, x->shape.dim[1], stride), 0);
}

static struct tensor *before_write(struct builder *b, int64_t layer, struct tensor *memory)
{
    const int64_t *depths, *strides;
    int stages = config_ints(b->c, "model.memory_encoder_depths", &depths);
    int64_t dim = shape_last(memory->shape);
    if (config_ints(b->c, "model.memory_encoder_downsamples", &strides) != stages ||
        stages > STAGES_MAX) {
        graph_refuse(
            b->g,
            "model.memory_encoder_downsamples and model.memory_encoder_depths differ in length");
        return memory;
    }
    if (dim < SHRINK) {
        graph_refuse(b->g,
                     "model.dim %lld is too small for model.memory_block conv, which works at a "
                     "quarter of it",
                     (long long)dim);
        return memory;
    }
    const char *old = nn_push(b, "mem_encoder.%lld", (long long)layer);
    struct tensor *x = pointwise(b, "down_proj", memory, dim / SHRINK);
    for (int s = 0; s < stages; s++) {
        x = shorten(b->g, x, strides[s]);
        for (int64_t i = 0; i < depths[s]; i++)
            x = convnext(b, "blocks", 2 * s + 1, i, x);
    }
    x = pointwise(b, "up_proj", x, dim);
    nn_pop(b, old);
    return x;
}

/* Lengths before each pooling, as the encoder met them. Returns the number of stages. */
static int lengths(const struct builder *b, int64_t tokens, int64_t *length)
{
    const int64_t *strides;
    int stages = config_ints(b->c, "model.memory_encoder_downsamples", &strides);
    struct arena scratch = {0};
    for (int s = 0; s < stages && s < STAGES_MAX; s++) {
        length[s] = tokens;
        if (strides[s] > 1)
            tokens = mixing_pairs(&scratch, tokens, strides[s])->n_out;
    }
    arena_release(&scratch);
    return stages;
}

static struct tensor *after_write(struct builder *b, int64_t layer, struct tensor *written,
                                  struct tensor *kept)
{
    const int64_t *depths;
    int64_t length[STAGES_MAX], dim = shape_last(written->shape);
    int stages = lengths(b, kept->shape.dim[1], length);
    if (graph_failed(b->g, NULL))
        return kept;
    if (config_ints(b->c, "model.memory_decoder_depths", &depths) != stages) {
        graph_refuse(
            b->g, "model.memory_decoder_depths and model.memory_encoder_depths differ in length");
        return kept;
    }
    const char *old = nn_push(b, "mem_decoder.%lld", (long long)layer);
    struct tensor *x = pointwise(b, "down_proj", written, dim / SHRINK);
    for (int s = 0; s < stages; s++) {
        for (int64_t i = 0; i < depths[s]; i++)
            x = convnext(b, "blocks", 2 * s, i, x);
        int64_t tokens = x->shape.dim[1], longer = length[stages - 1 - s];
        if (longer != tokens)
            x = op_resample(b->g, x, 1, mixing_nearest(&b->g->arena, tokens, longer), 0);
    }
    x = pointwise(b, "up_proj", depthwise(b, "mix", x), dim);
    nn_pop(b, old);
    return op_add(b->g, kept, x);
}

const struct memory_block memory_block_conv = {
    .choice = {.name = "conv",
               .doc = "ConvNeXt-1D encoder before and decoder after the write, with a skip",
               .keys = keys},
    .paper = "ViTTM section 3.4; Liu et al. 2022, Woo et al. 2023; runs after a one-word repair of "
             "the authors' code",
    .changes_tokens = 1,
    .before_write = before_write,
    .after_write = after_write,
};
