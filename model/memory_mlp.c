/* An MLP with a norm and a residual after every write. */
#include "model/memory_block.h"

static const struct config_key keys[] = {
    {.name = "model.memory_mlp_ratio",
     .type = CONFIG_FLOAT,
     .fallback = "0.5",
     .min = 0.01,
     .max = 64,
     .doc = "hidden width of the memory MLP over the token width"},
    {0},
};

static struct tensor *after_write(struct builder *b, int64_t layer, struct tensor *written,
                                  struct tensor *kept)
{
    (void)kept;
    int64_t dim = shape_last(written->shape);
    const char *old = nn_push(b, "mem_blocks.%lld", (long long)layer);
    struct tensor *y = nn_layer_norm(b, "norm", written, NN_EPS_TORCH);
    y = nn_mlp(b, "mlp", y, nn_hidden(dim, config_float(b->c, "model.memory_mlp_ratio")), dim);
    y = op_add(b->g, written, y);
    nn_pop(b, old);
    return y;
}

const struct memory_block memory_block_mlp = {
    .choice = {.name = "mlp", .doc = "norm, MLP and residual after every write", .keys = keys},
    .paper = "ViTTM Table 4",
    .after_write = after_write,
};
