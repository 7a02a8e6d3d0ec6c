/* The operations on floats in [0, 1], as tensor libraries compute them. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

#include "data/vector.h"

static inline float unit(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static inline float gray_of(float r, float g, float b)
{
    return 0.2989f * r + 0.587f * g + 0.114f * b;
}

/* ---- colour ---------------------------------------------------------------------------------- */

void augment_float_Identity(struct augment_image *im, double m)
{
    (void)im;
    (void)m;
}

/* x f + offset, cut. */
VECTOR_CLONES static void scale(float *x, size_t n, float f, float offset)
{
    for (size_t i = 0; i < n; i++)
        x[i] = unit(f * x[i] + offset);
}

void augment_float_Brightness(struct augment_image *im, double m)
{
    scale(im->x, AUGMENT_SIZE(im), (float)(1 + m), 0);
}

VECTOR_CLONES static void away_from_gray(float *restrict r, float *restrict g, float *restrict b,
                                         size_t n, float f, float rest)
{
    for (size_t i = 0; i < n; i++) {
        float gray = gray_of(r[i], g[i], b[i]);
        r[i] = unit(f * r[i] + rest * gray);
        g[i] = unit(f * g[i] + rest * gray);
        b[i] = unit(f * b[i] + rest * gray);
    }
}

void augment_float_Color(struct augment_image *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    if (im->channels == 3)
        away_from_gray(im->x, im->x + n, im->x + 2 * n, n, (float)(1 + m), (float)-m);
}

VECTOR_CLONES void augment_to_gray(const float *restrict rgb, size_t n, float *restrict gray)
{
    const float *r = rgb, *g = rgb + n, *b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++)
        gray[i] = gray_of(r[i], g[i], b[i]);
}

/* Eight sums, so that additions do not wait for each other, in an order that no machine changes. */
VECTOR_CLONES static double mean_of(const float *x, size_t n)
{
    double sum[8] = {0}, all = 0;
    size_t i = 0;
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++)
            sum[k] += x[i + k];
    for (; i < n; i++)
        all += x[i];
    for (int k = 0; k < 8; k++)
        all += sum[k];
    return all / (double)n;
}

void augment_float_Contrast(struct augment_image *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    const float *gray = im->x;
    if (im->channels == 3) {
        augment_to_gray(im->x, n, im->scratch);
        gray = im->scratch;
    }
    scale(im->x, AUGMENT_SIZE(im), (float)(1 + m), (float)-m * (float)mean_of(gray, n));
}

VECTOR_CLONES static void blur_row(const float *restrict p, size_t width, float *restrict out)
{
    const float *above = p - width, *below = p + width;
    for (size_t x = 1; x + 1 < width; x++) {
        float sum = above[x - 1] + above[x] + above[x + 1] + p[x - 1] + 5 * p[x] + p[x + 1] +
                    below[x - 1] + below[x] + below[x + 1];
        out[x] = sum / 13;
    }
}

VECTOR_CLONES static void move_towards(float *restrict x, const float *restrict to, size_t n,
                                       float share)
{
    for (size_t i = 0; i < n; i++)
        x[i] = unit(x[i] + share * (to[i] - x[i]));
}

/* Away from (or towards, m < 0) a 3x3 mean that weighs its centre five times; the border stays. */
void augment_float_Sharpness(struct augment_image *im, double m)
{
    size_t w = (size_t)im->width, n = AUGMENT_PLANE(im);
    memcpy(im->scratch, im->x, AUGMENT_SIZE(im) * sizeof *im->x);
    for (int c = 0; c < im->channels; c++)
        for (int y = 1; y < im->height - 1; y++) {
            size_t at = (size_t)c * n + (size_t)y * w;
            blur_row(im->x + at, w, im->scratch + at);
        }
    move_towards(im->x, im->scratch, AUGMENT_SIZE(im), (float)-m);
}

VECTOR_CLONES static void posterize(float *x, size_t n, float levels)
{
    for (size_t i = 0; i < n; i++) {
        float level = (float)(int)(x[i] * levels);
        x[i] = (level < levels - 1 ? level : levels - 1) / levels;
    }
}

void augment_float_Posterize(struct augment_image *im, double bits)
{
    posterize(im->x, AUGMENT_SIZE(im), ldexpf(1, (int)bits));
}

VECTOR_CLONES static void invert_from(float *x, size_t n, float threshold)
{
    for (size_t i = 0; i < n; i++)
        x[i] = x[i] >= threshold ? 1 - x[i] : x[i];
}

void augment_float_Solarize(struct augment_image *im, double threshold)
{
    invert_from(im->x, AUGMENT_SIZE(im), (float)threshold);
}

void augment_float_Invert(struct augment_image *im, double m)
{
    (void)m;
    invert_from(im->x, AUGMENT_SIZE(im), 0);
}

/* ---- histograms ------------------------------------------------------------------------------ */

static inline float least(float a, float b)
{
    return a < b ? a : b;
}

static inline float most(float a, float b)
{
    return a > b ? a : b;
}

VECTOR_CLONES static void extremes(const float *p, size_t n, float *lowest, float *highest)
{
    float lo[8], hi[8];
    size_t i = 0;
    for (size_t k = 0; k < 8; k++)
        lo[k] = hi[k] = p[0];
    for (; i + 8 <= n; i += 8)
        for (size_t k = 0; k < 8; k++) {
            lo[k] = least(p[i + k], lo[k]);
            hi[k] = most(p[i + k], hi[k]);
        }
    for (; i < n; i++) {
        lo[0] = least(p[i], lo[0]);
        hi[0] = most(p[i], hi[0]);
    }
    *lowest = *highest = p[0];
    for (size_t k = 0; k < 8; k++) {
        *lowest = least(lo[k], *lowest);
        *highest = most(hi[k], *highest);
    }
}

VECTOR_CLONES static void stretch(float *p, size_t n, float lo, float hi)
{
    float range = hi - lo;
    for (size_t i = 0; i < n; i++)
        p[i] = unit((p[i] - lo) / range);
}

void augment_float_AutoContrast(struct augment_image *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    (void)m;
    for (size_t c = 0; c < (size_t)im->channels; c++) {
        float lo, hi;
        extremes(im->x + c * n, n, &lo, &hi);
        if (hi > lo)
            stretch(im->x + c * n, n, lo, hi);
    }
}

static inline int level_of(float v)
{
    return (int)(v * 255.999f);
}

static void equalize_plane(float *p, size_t n)
{
    int count[256] = {0};
    unsigned char table[256];
    float level[256];
    for (size_t i = 0; i < n; i++)
        count[level_of(p[i])]++;
    augment_equal_table(count, n, table);
    for (int v = 0; v < 256; v++)
        level[v] = (float)table[v] / 255;
    for (size_t i = 0; i < n; i++)
        p[i] = level[level_of(p[i])];
}

void augment_float_Equalize(struct augment_image *im, double m)
{
    (void)m;
    for (size_t c = 0; c < (size_t)im->channels; c++)
        equalize_plane(im->x + c * AUGMENT_PLANE(im), AUGMENT_PLANE(im));
}
