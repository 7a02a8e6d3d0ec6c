/* The memory's own input: ViTTM's discussion leaves other modalities in memory open, so there is no
 * published model to compare with. */
#include "model/memory_input.h"

#include "model/model.h"
#include "model/process_init.h"
#include "model/view.h"

enum input { INPUT_IMAGE, INPUT_SECOND };

static const struct config_key keys[] = {
    {.name = "model.second.view",
     .type = CONFIG_CHOICE,
     .fallback = "image",
     .choice = view_choice,
     .doc = "what the second input shows"},
    {.name = "model.second.image_size",
     .type = CONFIG_INT,
     .fallback = "0",
     .min = 0,
     .max = 4096,
     .doc = "side of the second input, pixels (0: model.image_size)"},
    {0},
};

static const struct config_choice inputs[] = {
    [INPUT_IMAGE] = {.name = "image", .doc = "the image that the process tokens see"},
    [INPUT_SECOND] = {.name = "second", .doc = "a second image or modality", .keys = keys},
};

const struct config_choice *memory_input_choice(int i)
{
    return i >= 0 && i <= INPUT_SECOND ? &inputs[i] : NULL;
}

static int is_second(const struct builder *b)
{
    return config_choice(b->c, "model.memory_input") == &inputs[INPUT_SECOND];
}

/* A side of the image, or of the images that a table is for, in the second input's pixels. */
static int64_t scaled(struct builder *b, int64_t side)
{
    int64_t image = config_int(b->c, "model.image_size"),
            second = config_int(b->c, "model.second.image_size");
    if (!second)
        return side;
    if (side * second % image)
        nn_refuse(b, "model.second.image_size",
                  "%lld pixels of the image would be %.6g of the second input, which is no whole "
                  "number",
                  (long long)side, (double)side * (double)second / (double)image);
    return side * second / image;
}

static int process_sees_image(struct builder *b)
{
    const struct process_init *init =
        (const struct process_init *)config_choice(b->c, "model.process_init");
    if (init->patch)
        return 1;
    nn_refuse(b, "model.memory_input",
              "second leaves the image to the process tokens, but those of model.process_init %s "
              "do not look at it (choose patch)",
              init->choice.name);
    return 0;
}

/* Both inputs come from one image of the larger size, of which the smaller one is the mean of
 * blocks. */
static int sizes_divide(struct builder *b, int64_t image, int64_t second)
{
    int64_t large = image > second ? image : second, small = image > second ? second : image;
    if (large % small == 0)
        return 1;
    nn_refuse(b, "model.second.image_size",
              "of %lld and %lld pixels (model.image_size) one must be a multiple of the other",
              (long long)second, (long long)image);
    return 0;
}

struct tensor *memory_input(struct builder *b, struct model_io *io)
{
    const int64_t *dim = io->image->shape.dim;
    if (!is_second(b))
        return io->image;
    if (io->second)
        return io->second;
    io->view = (const struct view *)config_choice(b->c, "model.second.view");
    int64_t height = scaled(b, dim[2]), width = scaled(b, dim[3]);
    if (graph_failed(b->g, NULL) || !process_sees_image(b) ||
        (io->view->derive && !sizes_divide(b, dim[2], height)))
        return io->image;
    io->second = graph_input(
        b->g, "second", SHAPE(b->batch, io->view->channels(b->c), height, width), TENSOR_VALUE);
    return io->second;
}

int64_t memory_input_table(struct builder *b)
{
    int64_t table = config_int(b->c, "model.table_image_size");
    return table && is_second(b) ? scaled(b, table) : table;
}

int memory_input_must_be_image(struct builder *b, const char *what)
{
    if (!is_second(b))
        return 0;
    nn_refuse(b, "model.memory_input", "%s has one input (choose image)", what);
    return -1;
}
