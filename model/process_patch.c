/* Process tokens from larger patches of the image: the only initialisation that the published
 * scripts reach. */
#include "model/process_init.h"

static const struct config_key keys[] = {
    {.name = "model.process_patch",
     .type = CONFIG_INT,
     .fallback = "32",
     .min = 1,
     .max = 1024,
     .doc = "side of a process patch, pixels"},
    {0},
};

static struct tensor *build(struct builder *b, struct tensor *image, struct tensor *memory,
                            int64_t side)
{
    (void)side;
    return nn_patch_embed(b, "process_embedder", image, config_int(b->c, "model.process_patch"),
                          shape_last(memory->shape), PATCH_XAVIER);
}

const struct process_init process_init_patch = {
    .choice = {.name = "patch", .doc = "embeddings of larger patches", .keys = keys},
    .paper = "ViTTM section 3.1",
    .build = build,
};
