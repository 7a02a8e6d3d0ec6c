/* Strength of the image's edges: length of the Sobel gradient of its luminance. */
#include "model/view.h"

#include "base/memory.h"

#include <math.h>
#include <stdlib.h>

/* Luminance at a place, that of the nearest pixel outside. */
static float at(const float *gray, int side, int y, int x)
{
    y = y < 0 ? 0 : y >= side ? side - 1 : y;
    x = x < 0 ? 0 : x >= side ? side - 1 : x;
    return gray[(ptrdiff_t)y * side + x];
}

static void derive(const float *image, const uint8_t *mask, int channels, int side, float *out)
{
    static const float smooth[3] = {1, 2, 1};
    float *gray = mem_alloc(sizeof *gray * (size_t)side * (size_t)side);
    (void)mask;
    view_luminance(image, channels, side, gray);
    for (int y = 0; y < side; y++)
        for (int x = 0; x < side; x++) {
            float across = 0, down = 0;
            for (int i = 0; i < 3; i++) {
                across += smooth[i] *
                          (at(gray, side, y + i - 1, x + 1) - at(gray, side, y + i - 1, x - 1));
                down += smooth[i] *
                        (at(gray, side, y + 1, x + i - 1) - at(gray, side, y - 1, x + i - 1));
            }
            *out++ = 0.25f * sqrtf(across * across + down * down);
        }
    free(gray);
}

const struct view view_edges = {
    .choice = {.name = "edges", .doc = "strength of the luminance's Sobel gradient, one channel"},
    .channels = view_one_channel,
    .derive = derive,
};
