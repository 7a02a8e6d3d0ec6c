/* The operations on floats in [0, 1], as tensor libraries compute them. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

static int plane_size(const struct augment_image *im)
{
    return im->height * im->width;
}

static float unit(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static float gray_at(const struct augment_image *im, int i)
{
    int n = plane_size(im), step = im->channels == 3 ? n : 0;
    if (!step)
        return im->x[i];
    return 0.2989f * im->x[i] + 0.587f * im->x[i + n] + 0.114f * im->x[i + 2 * n];
}

/* ---- geometry -------------------------------------------------------------------------------- */

static void warp(struct augment_image *im, const double matrix[6])
{
    struct augment_map map = augment_map(matrix, im->height, im->width);
    for (int c = 0; c < im->channels; c++) {
        float *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im) * sizeof *plane);
        for (int y = 0; y < im->height; y++)
            for (int x = 0; x < im->width; x++) {
                int from = augment_source(&map, y, x);
                plane[y * im->width + x] = from < 0 ? 0 : im->scratch[from];
            }
    }
}

#define WARP(name)                                                                                 \
    void augment_float_##name(struct augment_image *im, double m)                                  \
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

void augment_float_Identity(struct augment_image *im, double m)
{
    (void)im;
    (void)m;
}

void augment_float_Brightness(struct augment_image *im, double m)
{
    float f = (float)(1 + m);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = unit(f * im->x[i]);
}

void augment_float_Color(struct augment_image *im, double m)
{
    int n = plane_size(im);
    float f = (float)(1 + m), rest = (float)-m;
    for (int i = 0; i < n && im->channels == 3; i++) {
        float gray = gray_at(im, i);
        for (int c = 0; c < 3; c++)
            im->x[c * n + i] = unit(f * im->x[c * n + i] + rest * gray);
    }
}

void augment_float_Contrast(struct augment_image *im, double m)
{
    int n = plane_size(im);
    double sum = 0;
    for (int i = 0; i < n; i++)
        sum += gray_at(im, i);
    float f = (float)(1 + m), rest = (float)-m * (float)(sum / n);
    for (int i = 0; i < im->channels * n; i++)
        im->x[i] = unit(f * im->x[i] + rest);
}

/* Away from (or towards, m < 0) a 3x3 mean that weighs its centre five times. */
void augment_float_Sharpness(struct augment_image *im, double m)
{
    int w = im->width;
    for (int c = 0; c < im->channels; c++) {
        float *plane = im->x + c * plane_size(im), *s = im->scratch;
        memcpy(s, plane, (size_t)plane_size(im) * sizeof *plane);
        for (int y = 1; y < im->height - 1; y++)
            for (int x = 1; x < w - 1; x++) {
                const float *p = s + y * w + x;
                float sum = p[-w - 1] + p[-w] + p[-w + 1] + p[-1] + 5 * p[0] + p[1] + p[w - 1] +
                            p[w] + p[w + 1];
                plane[y * w + x] = unit(p[0] + (float)-m * (sum / 13 - p[0]));
            }
    }
}

void augment_float_Posterize(struct augment_image *im, double bits)
{
    float levels = ldexpf(1, (int)bits);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = fminf(floorf(im->x[i] * levels), levels - 1) / levels;
}

void augment_float_Solarize(struct augment_image *im, double threshold)
{
    float t = (float)threshold;
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = im->x[i] >= t ? 1 - im->x[i] : im->x[i];
}

void augment_float_Invert(struct augment_image *im, double m)
{
    (void)m;
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = 1 - im->x[i];
}

void augment_float_AutoContrast(struct augment_image *im, double m)
{
    (void)m;
    int n = plane_size(im);
    for (int c = 0; c < im->channels; c++) {
        float *p = im->x + c * n, lo = p[0], hi = p[0];
        for (int i = 1; i < n; i++) {
            lo = fminf(lo, p[i]);
            hi = fmaxf(hi, p[i]);
        }
        for (int i = 0; i < n && hi > lo; i++)
            p[i] = unit((p[i] - lo) / (hi - lo));
    }
}

static void equalize_plane(float *p, int n)
{
    int count[256] = {0};
    unsigned char table[256];
    for (int i = 0; i < n; i++)
        count[(int)(p[i] * 255.999f)]++;
    augment_equal_table(count, n, table);
    for (int i = 0; i < n; i++)
        p[i] = (float)table[(int)(p[i] * 255.999f)] / 255;
}

void augment_float_Equalize(struct augment_image *im, double m)
{
    (void)m;
    for (int c = 0; c < im->channels; c++)
        equalize_plane(im->x + c * plane_size(im), plane_size(im));
}
