/* 3-augment and what only it needs. */
#include "data/augment.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"

#define BLUR_RADIUS 3

static int reflect(int i, int n)
{
    return i < 0 ? -i : i >= n ? 2 * (n - 1) - i : i;
}

static float blur_at(const float *line, int step, int i, int n, const float *kernel)
{
    float sum = 0;
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        sum += kernel[k + BLUR_RADIUS] * line[reflect(i + k, n) * step];
    return sum;
}

void augment_blur(struct augment_image *im, double sigma)
{
    float kernel[2 * BLUR_RADIUS + 1];
    double sum = 0;
    int h = im->height, w = im->width;
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        sum += exp(-0.5 * k * k / (sigma * sigma));
    for (int k = -BLUR_RADIUS; k <= BLUR_RADIUS; k++)
        kernel[k + BLUR_RADIUS] = (float)(exp(-0.5 * k * k / (sigma * sigma)) / sum);
    for (int c = 0; c < im->channels; c++) {
        float *plane = im->x + c * h * w;
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                im->scratch[y * w + x] = blur_at(plane + y * w, 1, x, w, kernel);
        for (int y = 0; y < h; y++)
            for (int x = 0; x < w; x++)
                plane[y * w + x] = blur_at(im->scratch + x, w, y, h, kernel);
    }
}

void augment_grayscale(struct augment_image *im)
{
    int n = im->height * im->width;
    for (int i = 0; i < n && im->channels == 3; i++) {
        float *p = im->x + i;
        p[0] = 0.2989f * p[0] + 0.587f * p[n] + 0.114f * p[2 * n];
        p[n] = p[2 * n] = p[0];
    }
}

/* Hue in [0, 1), for a range max - min above 0. */
static float hue_of(float r, float g, float b, float max, float range)
{
    float h = max == r ? (g - b) / range : max == g ? 2 + (b - r) / range : 4 + (r - g) / range;
    h = h / 6 + 1;
    return h - floorf(h);
}

static void from_hsv(float h, float s, float v, float rgb[3])
{
    int sector = (int)floorf(h * 6);
    float f = h * 6 - (float)sector;
    float p = v * (1 - s), q = v * (1 - s * f), t = v * (1 - s * (1 - f));
    const float table[6][3] = {{v, t, p}, {q, v, p}, {p, v, t}, {p, q, v}, {t, p, v}, {v, p, q}};
    memcpy(rgb, table[sector % 6], sizeof table[0]);
}

void augment_hue(struct augment_image *im, double delta)
{
    int n = im->height * im->width;
    for (int i = 0; i < n && im->channels == 3; i++) {
        float *p = im->x + i, rgb[3];
        float max = fmaxf(p[0], fmaxf(p[n], p[2 * n])), min = fminf(p[0], fminf(p[n], p[2 * n]));
        if (!(max > min))
            continue;
        float h = hue_of(p[0], p[n], p[2 * n], max, max - min) + (float)delta;
        from_hsv(h - floorf(h), (max - min) / max, max, rgb);
        for (int c = 0; c < 3; c++)
            p[c * n] = rgb[c];
    }
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
