/* The image itself, at a size of its own: few process tokens of a small image over a memory that
 * sees a large one, or the reverse. */
#include "model/view.h"

#include <string.h>

static int64_t channels_of(const struct config *c)
{
    return config_int(c, "model.channels");
}

static void derive(const float *image, const uint8_t *mask, int channels, int side, float *out)
{
    (void)mask;
    memcpy(out, image, sizeof *out * (size_t)channels * (size_t)side * (size_t)side);
}

const struct view view_image = {
    .choice = {.name = "image", .doc = "the same image, at model.second.image_size"},
    .channels = channels_of,
    .derive = derive,
};
