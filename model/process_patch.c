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
                            struct grid grid, int64_t dim)
{
    (void)memory;
    int64_t patch = config_int(b->c, "model.process_patch");
    if (!nn_patch_grid(b, "model.process_patch", patch, image, &grid))
        return image;
    return nn_patch_embed(b, "process_embedder", image, patch, dim, PATCH_XAVIER);
}

static int64_t patch_of(const struct config *c)
{
    return config_int(c, "model.process_patch");
}

static int64_t grid_of(const struct config *c, int64_t image_side)
{
    return image_side / patch_of(c);
}

const struct process_init process_init_patch = {
    .choice = {.name = "patch", .doc = "embeddings of larger patches", .keys = keys},
    .paper = "ViTTM section 3.1",
    .build = build,
    .grid = grid_of,
    .patch = patch_of,
};
