/* 3-augment and what only it needs. */
#include "data/augment_ops.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/vector.h"

#define BLUR_RADIUS 3
#define BLUR_TAPS   (2 * BLUR_RADIUS + 1)

/* ---- blur ------------------------------------------------------------------------------------ */

static int reflect(int i, int n)
{
    return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
}

/* Outputs 0 .. n-1 from BLUR_TAPS lines of n: of a row shifted against itself, or of rows. */
VECTOR_CLONES static void blur_lines(const float *const line[BLUR_TAPS], const float *kernel,
                                     size_t n, float *restrict out)
{
    const float *a = line[0], *b = line[1], *c = line[2], *d = line[3], *e = line[4], *f = line[5],
                *g = line[6];
    for (size_t x = 0; x < n; x++)
        out[x] = kernel[0] * a[x] + kernel[1] * b[x] + kernel[2] * c[x] + kernel[3] * d[x] +
                 kernel[4] * e[x] + kernel[5] * f[x] + kernel[6] * g[x];
}

/* padded holds width + 2 BLUR_RADIUS floats. */
static void blur_across(const float *row, int width, const float *kernel, float *padded, float *out)
{
    const float *line[BLUR_TAPS];
    memcpy(padded + BLUR_RADIUS, row, (size_t)width * sizeof *row);
    for (int i = 0; i < BLUR_RADIUS; i++) {
        padded[i] = row[reflect(i - BLUR_RADIUS, width)];
        padded[BLUR_RADIUS + width + i] = row[reflect(width + i, width)];
    }
    for (int k = 0; k < BLUR_TAPS; k++)
        line[k] = padded + k;
    blur_lines(line, kernel, (size_t)width, out);
}

static void blur_down(const float *plane, int y, int height, int width, const float *kernel,
                      float *out)
{
    const float *line[BLUR_TAPS];
    for (int k = 0; k < BLUR_TAPS; k++)
        line[k] = plane + reflect(y + k - BLUR_RADIUS, height) * width;
    blur_lines(line, kernel, (size_t)width, out);
}

void augment_blur(struct augment_image *im, double sigma)
{
    float kernel[BLUR_TAPS], *padded = mem_alloc(((size_t)im->width + BLUR_TAPS) * sizeof *padded);
    double sum = 0;
    int h = im->height, w = im->width;
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        sum += exp(-0.5 * k * k / (sigma * sigma));
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        kernel[k + BLUR_RADIUS] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / sum);
    for (int c = 0; c < im->channels; c++) {
        float *plane = im->x + c * h * w;
        for (int y = 0; y < h; y++)
            blur_across(plane + y * w, w, kernel, padded, im->scratch + y * w);
        for (int y = 0; y < h; y++)
            blur_down(im->scratch, y, h, w, kernel, plane + y * w);
    }
    free(padded);
}

/* ---- colour ---------------------------------------------------------------------------------- */

void augment_grayscale(struct augment_image *im)
{
    size_t n = AUGMENT_PLANE(im);
    if (im->channels != 3)
        return;
    augment_to_gray(im->x, n, im->scratch);
    for (size_t c = 0; c < 3; c++)
        memcpy(im->x + c * n, im->scratch, n * sizeof *im->x);
}

/* Without a call, so that loops with it become vectors. |v| < 2^31. */
static inline float floor_of(float v)
{
    float whole = (float)(int)v;
    return whole > v ? whole - 1 : whole;
}

/* By selecting only: a branch would keep a loop from becoming vectors. */
static inline float pick(int condition, float yes, float no)
{
    return condition ? yes : no;
}

/* Hue in [0, 1), for a range max - min above 0. */
static inline float hue_of(float r, float g, float b, float max, float range)
{
    float part = pick(max == r, g - b, pick(max == g, b - r, r - g));
    float start = pick(max == r, 0, pick(max == g, 2, 4));
    float h = (start + part / range) / 6 + 1;
    return h - floor_of(h);
}

/* RGB to HSV and back with another hue. Where all channels are equal there is no hue: they stay. */
VECTOR_CLONES static void turn_hue(float *restrict red, float *restrict green, float *restrict blue,
                                   size_t n, float delta)
{
    for (size_t i = 0; i < n; i++) {
        float r = red[i], g = green[i], b = blue[i];
        float high = pick(g > b, g, b), low = pick(g < b, g, b);
        float v = pick(r > high, r, high), min = pick(r < low, r, low);
        int has_hue = v > min;
        float h = hue_of(r, g, b, v, pick(has_hue, v - min, 1)) + delta;
        h = (h - floor_of(h)) * 6; /* 6 where it was rounded up: as 0 */
        int sector = (int)h;
        float s = (v - min) / pick(has_hue, v, 1), f = h - (float)sector;
        float p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
        int is_first = (sector == 0) | (sector == 6);
        float new_r =
            pick(is_first | (sector == 5), v, pick(sector == 1, q, pick(sector == 4, t, p)));
        float new_g =
            pick((sector == 1) | (sector == 2), v, pick(sector == 3, q, pick(is_first, t, p)));
        float new_b =
            pick((sector == 3) | (sector == 4), v, pick(sector == 5, q, pick(sector == 2, t, p)));
        red[i] = pick(has_hue, new_r, r);
        green[i] = pick(has_hue, new_g, g);
        blue[i] = pick(has_hue, new_b, b);
    }
}

void augment_hue(struct augment_image *im, double delta)
{
    size_t n = AUGMENT_PLANE(im);
    if (im->channels == 3)
        turn_hue(im->x, im->x + n, im->x + 2 * n, n, (float)delta);
}

void augment_three(struct augment_image *im, struct rng *r)
{
    static const struct augmentation *const jitter[] = {
        &augmentation_Brightness, &augmentation_Contrast, &augmentation_Color};
    int32_t order[4];
    int64_t first = rng_below(r, 3);
    if (first == 0)
        augment_blur(im, rng_range(r, 0.1, 2));
    else if (first == 1)
        augmentation_Solarize.apply(im, 0.5);
    else
        augment_grayscale(im);
    rng_permutation(r, order, 4);
    for (int i = 0; i < 4; i++)
        if (order[i] < 3)
            jitter[order[i]]->apply(im, rng_range(r, -0.3, 0.3));
        else
            augment_hue(im, rng_range(r, -0.2, 0.2));
}
