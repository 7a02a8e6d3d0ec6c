#include "data/palette.h"

#include <math.h>

#include "data/dataset.h"
#include "data/photometric.h"

#define GOLDEN 0.6180339887498949 /* of the circle from one hue to the next */

void palette_color(int k, unsigned char rgb[3])
{
    double hue = fmod((k + 1) * GOLDEN, 1);
    unsigned char hsv[3] = {(unsigned char)(180 * hue), (unsigned char)(k % 2 ? 170 : 230),
                            (unsigned char)(k % 3 == 1 ? 190 : 240)};
    photometric_to_rgb(hsv, rgb);
}

static int is_border(const unsigned char *classes, int width, int height, int x, int y)
{
    const unsigned char *at = classes + (ptrdiff_t)y * width + x;
    return (x + 1 < width && at[0] != at[1]) || (y + 1 < height && at[0] != at[width]);
}

void palette_overlay(const struct image_view *picture, const unsigned char *classes, double share,
                     unsigned char *out)
{
    static const unsigned char white[3] = {255, 255, 255};
    int width = picture->width, height = picture->height;
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++, out += 3) {
            int k = classes[(ptrdiff_t)y * width + x];
            int border = share > 0 && is_border(classes, width, height, x, y);
            double part = border ? 0.7 : k == DATASET_IGNORE ? 0 : share;
            unsigned char color[3];
            palette_color(k, color);
            for (int c = 0; c < 3; c++) {
                int from = picture->data[y * picture->step_y + x * picture->step_x +
                                         (c < picture->channels ? c : 0) * picture->step_c];
                out[c] =
                    (unsigned char)lrint((1 - part) * from + part * (border ? white[c] : color[c]));
            }
        }
}
