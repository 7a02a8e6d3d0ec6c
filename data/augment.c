#include "data/augment.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

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

/* Nearest neighbour, black outside. m maps an output position to its source, both relative to the
 * image's centre: x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5]. */
static void warp(struct augment_image *im, const double matrix[6])
{
    int h = im->height, w = im->width;
    float m[6], cx = (float)(w - 1) / 2, cy = (float)(h - 1) / 2;
    for (int i = 0; i < 6; i++)
        m[i] = (float)matrix[i];
    for (int c = 0; c < im->channels; c++) {
        float *plane = im->x + c * plane_size(im);
        memcpy(im->scratch, plane, (size_t)plane_size(im) * sizeof *plane);
        for (int i = 0; i < h; i++)
            for (int j = 0; j < w; j++) {
                float x = (float)j - cx, y = (float)i - cy;
                float column = nearbyintf(m[0] * x + m[1] * y + m[2] + cx);
                float row = nearbyintf(m[3] * x + m[4] * y + m[5] + cy);
                int inside = column >= 0 && column < (float)w && row >= 0 && row < (float)h;
                plane[i * w + j] = inside ? im->scratch[(int)row * w + (int)column] : 0;
            }
    }
}

/* Sheared about the image's top left corner. */
static void shear_x(struct augment_image *im, double m)
{
    warp(im, (double[]){1, m, m * im->height / 2, 0, 1, 0});
}

static void shear_y(struct augment_image *im, double m)
{
    warp(im, (double[]){1, 0, 0, m, 1, m * im->width / 2});
}

static void translate_x(struct augment_image *im, double m)
{
    warp(im, (double[]){1, 0, -trunc(m), 0, 1, 0});
}

static void translate_y(struct augment_image *im, double m)
{
    warp(im, (double[]){1, 0, 0, 0, 1, -trunc(m)});
}

static void rotate(struct augment_image *im, double degrees)
{
    double a = degrees * (M_PI / 180);
    warp(im, (double[]){cos(a), -sin(a), 0, sin(a), cos(a), 0});
}

/* ---- colour ---------------------------------------------------------------------------------- */

static void identity(struct augment_image *im, double m)
{
    (void)im;
    (void)m;
}

static void brightness(struct augment_image *im, double m)
{
    float f = (float)(1 + m);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = unit(f * im->x[i]);
}

static void color(struct augment_image *im, double m)
{
    int n = plane_size(im);
    float f = (float)(1 + m), rest = (float)-m;
    for (int i = 0; i < n && im->channels == 3; i++) {
        float gray = gray_at(im, i);
        for (int c = 0; c < 3; c++)
            im->x[c * n + i] = unit(f * im->x[c * n + i] + rest * gray);
    }
}

static void contrast(struct augment_image *im, double m)
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
static void sharpness(struct augment_image *im, double m)
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

static void posterize(struct augment_image *im, double bits)
{
    float levels = ldexpf(1, (int)bits);
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = fminf(floorf(im->x[i] * levels), levels - 1) / levels;
}

static void solarize(struct augment_image *im, double threshold)
{
    float t = (float)threshold;
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = im->x[i] >= t ? 1 - im->x[i] : im->x[i];
}

static void invert(struct augment_image *im, double m)
{
    (void)m;
    for (int i = 0; i < im->channels * plane_size(im); i++)
        im->x[i] = 1 - im->x[i];
}

static void auto_contrast(struct augment_image *im, double m)
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
    int count[256] = {0}, lut[256], last = 255, sum = 0;
    for (int i = 0; i < n; i++)
        count[(int)(p[i] * 255.999f)]++;
    while (!count[last])
        last--;
    int step = (n - count[last]) / 255;
    for (int k = 0; k < 256; k++) {
        int v = step ? (sum + step / 2) / step : k;
        lut[k] = step && !k ? 0 : v > 255 ? 255 : v;
        sum += count[k];
    }
    for (int i = 0; i < n; i++)
        p[i] = (float)lut[(int)(p[i] * 255.999f)] / 255;
}

static void equalize(struct augment_image *im, double m)
{
    (void)m;
    for (int c = 0; c < im->channels; c++)
        equalize_plane(im->x + c * plane_size(im), plane_size(im));
}

/* ---- the list -------------------------------------------------------------------------------- */

/* As float32 tables are made: from both ends towards the middle. */
static double linear(double from, double to, int bin)
{
    float a = (float)from, b = (float)to, step = (b - a) / (AUGMENT_BINS - 1);
    if (bin < AUGMENT_BINS / 2)
        return fmaf(step, (float)bin, a);
    return fmaf(-step, (float)(AUGMENT_BINS - 1 - bin), b);
}

static double shear_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 0.3, bin);
}

static double translate_x_of(int bin, int height, int width)
{
    (void)height;
    return linear(0, 150.0 / 331 * width, bin);
}

static double translate_y_of(int bin, int height, int width)
{
    (void)width;
    return linear(0, 150.0 / 331 * height, bin);
}

static double rotate_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 30, bin);
}

static double blend_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 0.9, bin);
}

static double posterize_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return nearbyint(8 - bin / ((AUGMENT_BINS - 1) / 4.0));
}

static double solarize_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(1, 0, bin);
}

#define OP(name, doc, is_signed, magnitude, apply)                                                 \
    const struct augmentation augmentation_##name = {                                              \
        {#name, doc, NULL}, is_signed, magnitude, apply};
OP(Identity, "nothing", 0, NULL, identity)
OP(ShearX, "rows shifted in proportion to their height", 1, shear_of, shear_x)
OP(ShearY, "columns shifted in proportion to their place", 1, shear_of, shear_y)
OP(TranslateX, "moved sideways", 1, translate_x_of, translate_x)
OP(TranslateY, "moved up or down", 1, translate_y_of, translate_y)
OP(Rotate, "turned about the centre, degrees", 1, rotate_of, rotate)
OP(Brightness, "scaled by 1 + magnitude", 1, blend_of, brightness)
OP(Color, "away from or towards gray", 1, blend_of, color)
OP(Contrast, "away from or towards the mean gray", 1, blend_of, contrast)
OP(Sharpness, "away from or towards a blurred image", 1, blend_of, sharpness)
OP(Posterize, "cut to that many bits", 0, posterize_of, posterize)
OP(Solarize, "inverted from a threshold on", 0, solarize_of, solarize)
OP(AutoContrast, "each channel stretched to 0 .. 1", 0, NULL, auto_contrast)
OP(Equalize, "each channel's histogram made even", 0, NULL, equalize)
OP(Invert, "inverted", 0, NULL, invert)
#undef OP

static const struct augmentation *const list[] = {
#define AUGMENTATION(name) &augmentation_##name,
#include "data/augmentations.def"
#undef AUGMENTATION
};

#define LIST_SIZE ((int)(sizeof list / sizeof *list))

const struct augmentation *augmentation_at(int i)
{
    return i >= 0 && i < LIST_SIZE ? list[i] : NULL;
}

const struct augmentation *augmentation_named(const char *name)
{
    for (int i = 0; i < LIST_SIZE; i++)
        if (!strcmp(list[i]->choice.name, name))
            return list[i];
    return strcmp(name, augmentation_Invert.choice.name) ? NULL : &augmentation_Invert;
}

void augment_rand(struct augment_image *im, int ops, int bin, struct rng *r)
{
    for (int i = 0; i < ops; i++) {
        const struct augmentation *a = list[rng_below(r, LIST_SIZE)];
        double m = a->magnitude ? a->magnitude(bin, im->height, im->width) : 0;
        a->apply(im, a->is_signed && rng_u32(r) >> 31 ? -m : m);
    }
}
