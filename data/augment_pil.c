/* The operations as Pillow has them. Those that its tables and 8-bit tensors do alike are
 * data/augment_u8.c's. */
#include "data/augment_ops.h"

#include <math.h>
#include <stdint.h>
#include <string.h>

static int plane_size(const struct augment_bytes *im)
{
    return im->height * im->width;
}

#define SAME(name)                                                                                 \
    void augment_pil_##name(struct augment_bytes *im, double m)                                    \
    {                                                                                              \
        augment_u8_##name(im, m);                                                                  \
    }
SAME(Identity)
SAME(Posterize)
SAME(Invert)
SAME(Equalize)
#undef SAME

/* ---- geometry -------------------------------------------------------------------------------- */

static int64_t fixed(double v)
{
    return (int64_t)floor(v * 65536 + 0.5);
}

/* Nearest neighbour in 16.16 fixed point; m works on pixel coordinates. */
static void warp(struct augment_bytes *im, const double m[6])
{
    int h = im->height, w = im->width;
    int64_t x0 = fixed(m[2] + m[0] * 0.5 + m[1] * 0.5), y0 = fixed(m[5] + m[3] * 0.5 + m[4] * 0.5);
    int64_t xx = fixed(m[0]), xy = fixed(m[1]), yx = fixed(m[3]), yy = fixed(m[4]);
    for (int c = 0; c < im->channels; c++) {
        unsigned char *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im));
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++) {
                int64_t column = (x0 + xy * y + xx * x) >> 16, row = (y0 + yy * y + yx * x) >> 16;
                int inside = column >= 0 && column < w && row >= 0 && row < h;
                plane[y * w + x] = inside ? im->scratch[row * w + column] : 0;
            }
    }
}

/* Through an angle in degrees, whose rounding is part of the result. */
static double slope(double m)
{
    double degrees = atan(m) * (180 / M_PI);
    return tan(degrees * (M_PI / 180));
}

void augment_pil_ShearX(struct augment_bytes *im, double m)
{
    warp(im, (double[]){1, slope(m), 0, 0, 1, 0});
}

void augment_pil_ShearY(struct augment_bytes *im, double m)
{
    warp(im, (double[]){1, 0, 0, slope(m), 1, 0});
}

void augment_pil_TranslateX(struct augment_bytes *im, double m)
{
    warp(im, (double[]){1, 0, -trunc(m), 0, 1, 0});
}

void augment_pil_TranslateY(struct augment_bytes *im, double m)
{
    warp(im, (double[]){1, 0, 0, 0, 1, -trunc(m)});
}

static double round15(double v)
{
    return nearbyint(v * 1e15) / 1e15;
}

void augment_pil_Rotate(struct augment_bytes *im, double degrees)
{
    double a = -degrees * (M_PI / 180), c = round15(cos(a)), s = round15(sin(a));
    double x = im->width / 2.0, y = im->height / 2.0;
    warp(im, (double[]){c, s, -c * x - s * y + x, -s, c, s * x - c * y + y});
}

/* ---- colour ---------------------------------------------------------------------------------- */

/* From a towards b and beyond, by f. */
static unsigned char blend(int a, int b, float f)
{
    float v = (float)a + f * (float)(b - a);
    return (unsigned char)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

static int gray_at(const struct augment_bytes *im, int i)
{
    int n = plane_size(im);
    return im->channels == 3
               ? (im->x[i] * 19595 + im->x[i + n] * 38470 + im->x[i + 2 * n] * 7471 + 0x8000) >> 16
               : im->x[i];
}

static void blend_from(struct augment_bytes *im, int level, double m)
{
    float f = (float)(1 + m);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = blend(level, im->x[i], f);
}

void augment_pil_Brightness(struct augment_bytes *im, double m)
{
    blend_from(im, 0, m);
}

void augment_pil_Contrast(struct augment_bytes *im, double m)
{
    int64_t sum = 0;
    int n = plane_size(im);
    for (int i = 0; i < n; i++)
        sum += gray_at(im, i);
    blend_from(im, (int)((double)sum / n + 0.5), m);
}

void augment_pil_Color(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    float f = (float)(1 + m);
    for (int i = 0; i < n && im->channels == 3; i++) {
        int gray = gray_at(im, i);
        for (int c = 0; c < 3; c++)
            im->x[c * n + i] = blend(gray, im->x[c * n + i], f);
    }
}

/* Blended from a 3 x 3 mean that weighs its centre five times; the border is not blurred. */
void augment_pil_Sharpness(struct augment_bytes *im, double m)
{
    int w = im->width;
    float f = (float)(1 + m);
    for (int c = 0; c < im->channels; c++) {
        unsigned char *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im));
        for (int y = 1; y < im->height - 1; y++)
            for (int x = 1; x < w - 1; x++) {
                const unsigned char *p = im->scratch + y * w + x;
                plane[y * w + x] = blend((2 * augment_sum13(p, w) + 13) / 26, p[0], f);
            }
    }
}

/* ---- tables ---------------------------------------------------------------------------------- */

void augment_pil_Solarize(struct augment_bytes *im, double threshold)
{
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = (unsigned char)(im->x[i] < 255 * threshold ? im->x[i] : 255 - im->x[i]);
}

void augment_pil_AutoContrast(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    (void)m;
    for (int c = 0; c < im->channels; c++) {
        unsigned char *p = im->x + c * n;
        int lo, hi;
        augment_extremes(p, n, &lo, &hi);
        if (hi == lo)
            continue;
        double scale = 255.0 / (hi - lo), offset = -lo * scale;
        for (int i = 0; i < n; i++) {
            double v = p[i] * scale + offset;
            p[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
    }
}
