/* The image without its colours. */
#include "model/view.h"

static void derive(const float *image, const uint8_t *mask, int channels, int side, float *out)
{
    (void)mask;
    view_luminance(image, channels, side, out);
}

const struct view view_gray = {
    .choice = {.name = "gray", .doc = "the image's luminance, one channel"},
    .channels = view_one_channel,
    .derive = derive,
};
