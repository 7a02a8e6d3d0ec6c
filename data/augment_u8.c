/* The operations on 8-bit tensors: floats of 0 .. 255 in between, cut to whole numbers at the end.
 * Sums of two products are rounded once, as the fused multiply-add of tensor libraries does. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

static int plane_size(const struct augment_bytes *im)
{
    return im->height * im->width;
}

static unsigned char cut(float v)
{
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* a b + c with one rounding: the product of two floats is exact in double. */
static float multiply_add(float a, float b, float c)
{
    return (float)((double)a * b + (double)c);
}

static float gray_at(const struct augment_bytes *im, int i)
{
    int n = plane_size(im);
    if (im->channels != 3)
        return im->x[i];
    float g = multiply_add(im->x[i + n], 0.587f, (float)im->x[i] * 0.2989f);
    return floorf(multiply_add(im->x[i + 2 * n], 0.114f, g));
}

/* ---- geometry -------------------------------------------------------------------------------- */

static void warp(struct augment_bytes *im, const double matrix[6])
{
    struct augment_map map = augment_map(matrix, im->height, im->width);
    for (int c = 0; c < im->channels; c++) {
        unsigned char *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im));
        for (int y = 0; y < im->height; y++)
            for (int x = 0; x < im->width; x++) {
                int from = augment_source(&map, y, x);
                plane[y * im->width + x] = from < 0 ? 0 : im->scratch[from];
            }
    }
}

#define WARP(name)                                                                                 \
    void augment_u8_##name(struct augment_bytes *im, double m)                                     \
    {                                                                                              \
        double matrix[6];                                                                          \
        augment_matrix_##name(m, im->height, im->width, matrix);                                   \
        warp(im, matrix);                                                                          \
    }
WARP(ShearX)
WARP(ShearY)
WARP(TranslateX)
WARP(TranslateY)
WARP(Rotate)
#undef WARP

/* ---- colour ---------------------------------------------------------------------------------- */

void augment_u8_Identity(struct augment_bytes *im, double m)
{
    (void)im;
    (void)m;
}

void augment_u8_Brightness(struct augment_bytes *im, double m)
{
    float f = (float)(1 + m);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = cut((float)im->x[i] * f);
}

void augment_u8_Color(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    float f = (float)(1 + m), rest = (float)(1 - (1 + m));
    for (int i = 0; i < n && im->channels == 3; i++) {
        float gray = gray_at(im, i);
        for (int c = 0; c < 3; c++)
            im->x[c * n + i] = cut(multiply_add(rest, gray, (float)im->x[c * n + i] * f));
    }
}

void augment_u8_Contrast(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += gray_at(im, i);
    float f = (float)(1 + m), rest = (float)(1 - (1 + m)), mean = (float)(sum / n);
    for (int i = 0; i < im->channels * n; i++)
        im->x[i] = cut(multiply_add(rest, mean, (float)im->x[i] * f));
}

void augment_u8_Sharpness(struct augment_bytes *im, double m)
{
    int w = im->width;
    double rest = 1 - (1 + m);
    for (int c = 0; c < im->channels; c++) {
        unsigned char *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im));
        for (int y = 1; y < im->height - 1; y++)
            for (int x = 1; x < w - 1; x++) {
                const unsigned char *p = im->scratch + y * w + x;
                double blurred = nearbyint(augment_sum13(p, w) / 13.0);
                plane[y * w + x] = cut((float)(p[0] + rest * (blurred - p[0])));
            }
    }
}

static void look_up(unsigned char *p, int n, const unsigned char table[256])
{
    for (int i = 0; i < n; i++)
        p[i] = table[p[i]];
}

void augment_u8_Posterize(struct augment_bytes *im, double bits)
{
    unsigned char mask = (unsigned char)(0xff << (8 - (int)bits));
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] &= mask;
}

void augment_u8_Solarize(struct augment_bytes *im, double threshold)
{
    float t = (float)(255 * threshold);
    unsigned char table[256];
    for (int v = 0; v < 256; v++)
        table[v] = (unsigned char)((float)v >= t ? 255 - v : v);
    look_up(im->x, im->channels * plane_size(im), table);
}

void augment_u8_Invert(struct augment_bytes *im, double m)
{
    (void)m;
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = (unsigned char)~im->x[i];
}

void augment_extremes(const unsigned char *p, int n, int *lowest, int *highest)
{
    *lowest = *highest = p[0];
    for (int i = 1; i < n; i++) {
        *lowest = p[i] < *lowest ? p[i] : *lowest;
        *highest = p[i] > *highest ? p[i] : *highest;
    }
}

void augment_u8_AutoContrast(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    (void)m;
    for (int c = 0; c < im->channels; c++) {
        unsigned char *p = im->x + c * n, table[256] = {0};
        int lo, hi;
        augment_extremes(p, n, &lo, &hi);
        float scale = (float)(hi - lo) * (float)(1.0 / 255);
        for (int v = lo; v <= hi; v++)
            table[v] = hi > lo ? cut((float)(v - lo) / scale) : (unsigned char)v;
        look_up(p, n, table);
    }
}

void augment_equal_table(const int count[256], int n, unsigned char table[256])
{
    int last = 255, sum = 0;
    while (!count[last])
        last--;
    int step = (n - count[last]) / 255;
    for (int k = 0; k < 256; k++) {
        int v = step ? (sum + step / 2) / step : k;
        table[k] = (unsigned char)(step && !k ? 0 : v > 255 ? 255 : v);
        sum += count[k];
    }
}

void augment_u8_Equalize(struct augment_bytes *im, double m)
{
    int n = plane_size(im);
    (void)m;
    for (int c = 0; c < im->channels; c++) {
        int count[256] = {0};
        unsigned char *p = im->x + c * n, table[256];
        for (int i = 0; i < n; i++)
            count[p[i]]++;
        augment_equal_table(count, n, table);
        look_up(p, n, table);
    }
}
