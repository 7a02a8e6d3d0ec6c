/* Process tokens learned, the same for every image. */
#include "model/process_init.h"

static const struct config_key keys[] = {
    {.name = "model.process_tokens",
     .type = CONFIG_INT,
     .fallback = "49",
     .min = 1,
     .max = 65536,
     .doc = "number of learned process tokens; need not be a square"},
    {0},
};

static struct tensor *build(struct builder *b, struct tensor *image, struct tensor *memory,
                            struct grid grid, int64_t dim)
{
    (void)image;
    (void)memory;
    (void)grid;
    struct shape s = SHAPE(1, config_int(b->c, "model.process_tokens"), dim);
    const char *old = nn_enter(b, "process_embedder");
    struct tensor *tokens = nn_param(b, "process_token", s, (struct init){INIT_NORMAL, 1});
    nn_pop(b, old);
    return op_repeat(b->g, tokens, b->batch); /* (B,K,C) */
}

const struct process_init process_init_latent = {
    .choice = {.name = "latent", .doc = "learned tokens, the same for every image", .keys = keys},
    .paper = "ViTTM section 3.1; the authors' code for it does not run, this is what it intends",
    .build = build,
};
