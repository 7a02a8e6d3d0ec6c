/* The operations on 8-bit tensors: floats of 0 .. 255 in between, cut to whole numbers at the end.
 * Sums of two products are rounded once, as the fused multiply-add of tensor libraries does. */
#include "data/augment_ops.h"

#include <string.h>

#include "data/vector.h"

static inline unsigned char cut(float v)
{
    return (unsigned char)(int)(v < 0 ? 0 : v > 255 ? 255 : v);
}

/* a b + c with one rounding: the product of two floats is exact in double. */
static inline float multiply_add(float a, float b, float c)
{
    return (float)((double)a * b + (double)c);
}

static inline float gray_of(float r, float g, float b)
{
    return (float)(int)multiply_add(b, 0.114f, multiply_add(g, 0.587f, r * 0.2989f));
}

void augment_look_up(unsigned char *p, size_t n, const unsigned char table[256])
{
    for (size_t i = 0; i < n; i++)
        p[i] = table[p[i]];
}

/* ---- colour ---------------------------------------------------------------------------------- */

void augment_u8_Identity(struct augment_bytes *im, double m)
{
    (void)im;
    (void)m;
}

/* x f + rest level, cut. */
static void scale(struct augment_bytes *im, float f, float rest, float level)
{
    unsigned char table[256];
    for (int v = 0; v < 256; v++)
        table[v] = cut(multiply_add(rest, level, (float)v * f));
    augment_look_up(im->x, AUGMENT_SIZE(im), table);
}

void augment_u8_Brightness(struct augment_bytes *im, double m)
{
    scale(im, (float)(1 + m), 0, 0);
}

VECTOR_CLONES static void away_from_gray(unsigned char *restrict r, unsigned char *restrict g,
                                         unsigned char *restrict b, size_t n, float f, float rest)
{
    for (size_t i = 0; i < n; i++) {
        float gray = gray_of(r[i], g[i], b[i]);
        r[i] = cut(multiply_add(rest, gray, (float)r[i] * f));
        g[i] = cut(multiply_add(rest, gray, (float)g[i] * f));
        b[i] = cut(multiply_add(rest, gray, (float)b[i] * f));
    }
}

void augment_u8_Color(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    if (im->channels == 3)
        away_from_gray(im->x, im->x + n, im->x + 2 * n, n, (float)(1 + m), (float)(1 - (1 + m)));
}

VECTOR_CLONES static int64_t sum_of_grays(const unsigned char *r, const unsigned char *g,
                                          const unsigned char *b, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += (int)gray_of(r[i], g[i], b[i]);
    return sum;
}

VECTOR_CLONES int64_t augment_sum(const unsigned char *p, size_t n)
{
    int64_t sum = 0;
    for (size_t i = 0; i < n; i++)
        sum += p[i];
    return sum;
}

void augment_u8_Contrast(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    int64_t sum = im->channels == 3 ? sum_of_grays(im->x, im->x + n, im->x + 2 * n, n)
                                    : augment_sum(im->x, n);
    scale(im, (float)(1 + m), (float)(1 - (1 + m)), (float)((double)sum / (double)n));
}

VECTOR_CLONES static void blur_row(const unsigned char *restrict p, size_t width,
                                   unsigned char *restrict out)
{
    const unsigned char *above = p - width, *below = p + width;
    for (size_t x = 1; x + 1 < width; x++) {
        int sum = above[x - 1] + above[x] + above[x + 1] + p[x - 1] + 5 * p[x] + p[x + 1] +
                  below[x - 1] + below[x] + below[x + 1];
        out[x] = (unsigned char)((2 * sum + 13) / 26);
    }
}

void augment_blur13(struct augment_bytes *im)
{
    size_t w = (size_t)im->width, n = AUGMENT_PLANE(im);
    memcpy(im->scratch, im->x, AUGMENT_SIZE(im));
    for (int c = 0; c < im->channels; c++)
        for (int y = 1; y < im->height - 1; y++) {
            size_t at = (size_t)c * n + (size_t)y * w;
            blur_row(im->x + at, w, im->scratch + at);
        }
}

VECTOR_CLONES static void move_towards(unsigned char *restrict x, const unsigned char *restrict to,
                                       size_t n, double share)
{
    for (size_t i = 0; i < n; i++)
        x[i] = cut((float)(x[i] + share * (to[i] - x[i])));
}

void augment_u8_Sharpness(struct augment_bytes *im, double m)
{
    augment_blur13(im);
    move_towards(im->x, im->scratch, AUGMENT_SIZE(im), 1 - (1 + m));
}

void augment_u8_Posterize(struct augment_bytes *im, double bits)
{
    unsigned char mask = (unsigned char)(0xff << (8 - (int)bits)), *x = im->x;
    for (size_t i = 0, n = AUGMENT_SIZE(im); i < n; i++)
        x[i] &= mask;
}

void augment_u8_Solarize(struct augment_bytes *im, double threshold)
{
    float t = (float)(255 * threshold);
    unsigned char table[256];
    for (int v = 0; v < 256; v++)
        table[v] = (unsigned char)((float)v >= t ? 255 - v : v);
    augment_look_up(im->x, AUGMENT_SIZE(im), table);
}

void augment_u8_Invert(struct augment_bytes *im, double m)
{
    unsigned char *x = im->x;
    (void)m;
    for (size_t i = 0, n = AUGMENT_SIZE(im); i < n; i++)
        x[i] = (unsigned char)~x[i];
}

/* ---- histograms ------------------------------------------------------------------------------ */

VECTOR_CLONES void augment_extremes(const unsigned char *p, size_t n, int *lowest, int *highest)
{
    unsigned char lo = p[0], hi = p[0];
    for (size_t i = 1; i < n; i++) {
        lo = p[i] < lo ? p[i] : lo;
        hi = p[i] > hi ? p[i] : hi;
    }
    *lowest = lo;
    *highest = hi;
}

void augment_u8_AutoContrast(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    (void)m;
    for (size_t c = 0; c < (size_t)im->channels; c++) {
        unsigned char *p = im->x + c * n, table[256] = {0};
        int lo, hi;
        augment_extremes(p, n, &lo, &hi);
        float range = (float)(hi - lo) * (float)(1.0 / 255);
        for (int v = lo; v <= hi; v++)
            table[v] = hi > lo ? cut((float)(v - lo) / range) : (unsigned char)v;
        augment_look_up(p, n, table);
    }
}

void augment_equal_table(const int count[256], size_t n, unsigned char table[256])
{
    int last = 255, sum = 0;
    while (!count[last])
        last--;
    int step = ((int)n - count[last]) / 255;
    for (int k = 0; k < 256; k++) {
        int v = step ? (sum + step / 2) / step : k;
        table[k] = (unsigned char)(step && !k ? 0 : v > 255 ? 255 : v);
        sum += count[k];
    }
}

void augment_u8_Equalize(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    (void)m;
    for (size_t c = 0; c < (size_t)im->channels; c++) {
        int count[256] = {0};
        unsigned char *p = im->x + c * n, table[256];
        for (size_t i = 0; i < n; i++)
            count[p[i]]++;
        augment_equal_table(count, n, table);
        augment_look_up(p, n, table);
    }
}
