/* Where something is: a modality of its own of data sets with masks. It tells shapes, not classes,
 * so no label leaks. */
#include "model/view.h"

static void derive(const float *image, const uint8_t *mask, int channels, int side, float *out)
{
    (void)image;
    (void)channels;
    for (ptrdiff_t i = 0; i < (ptrdiff_t)side * side; i++)
        out[i] = mask[i] == 0 || mask[i] == 255 ? -1 : 1;
}

const struct view view_silhouette = {
    .choice = {.name = "silhouette",
               .doc = "1 where the data set's mask has anything but class 0, else -1, one channel"},
    .needs_mask = 1,
    .channels = view_one_channel,
    .derive = derive,
};
