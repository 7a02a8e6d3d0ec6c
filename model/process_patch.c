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
                            int64_t side, int64_t dim)
{
    (void)memory;
    (void)side;
    int64_t patch = config_int(b->c, "model.process_patch");
    if (!nn_check_patch(b, "model.process_patch", patch, image->shape.dim[2]))
        return image;
    return nn_patch_embed(b, "process_embedder", image, patch, dim, PATCH_XAVIER);
}

static int64_t grid(const struct config *c, int64_t image_side)
{
    return image_side / config_int(c, "model.process_patch");
}

const struct process_init process_init_patch = {
    .choice = {.name = "patch", .doc = "embeddings of larger patches", .keys = keys},
    .paper = "ViTTM section 3.1",
    .build = build,
    .grid = grid,
};
