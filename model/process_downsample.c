/* Process tokens pooled from the memory's patch embedding. */
#include "model/process_init.h"

static const struct config_key keys[] = {
    {.name = "model.process_grid",
     .type = CONFIG_INT,
     .fallback = "7",
     .min = 1,
     .max = 1024,
     .doc = "side of the pooled grid; there are process_grid^2 process tokens"},
    {0},
};

static struct tensor *build(struct builder *b, struct tensor *image, struct tensor *memory,
                            struct grid memory_grid, int64_t dim)
{
    (void)image;
    int64_t grid = config_int(b->c, "model.process_grid"), side = memory_grid.rows;
    side = memory_grid.cols < side ? memory_grid.cols : side;
    if (grid > side) {
        graph_refuse(b->g, "model.process_grid %lld is larger than the memory grid %lld",
                     (long long)grid, (long long)side);
        return memory;
    }
    struct tensor *pooled =
        op_pool_grid(b->g, memory, memory_grid.rows, memory_grid.cols, grid, grid);
    /* streams of different widths: a projection, which the papers' models do not have */
    return shape_last(pooled->shape) == dim ? pooled
                                            : nn_linear(b, "process_embedder", pooled, dim);
}

static int64_t grid_of(const struct config *c, int64_t image_side)
{
    (void)image_side;
    return config_int(c, "model.process_grid");
}

const struct process_init process_init_downsample = {
    .choice = {.name = "downsample",
               .doc = "the memory's patch embedding, average pooled",
               .keys = keys},
    .paper = "ViTTM section 3.1; the authors' code for it does not run, this is what it intends",
    .build = build,
    .grid = grid_of,
};
