#include "data/photometric.h"

#include <math.h>

#include "base/rng.h"

#define SHIFT 12

static int max3(int a, int b, int c)
{
    int m = a > b ? a : b;
    return m > c ? m : c;
}

static int min3(int a, int b, int c)
{
    int m = a < b ? a : b;
    return m < c ? m : c;
}

/* round(2^SHIFT * 255 / v) and its like, which OpenCV keeps in tables. */
static int reciprocal(double unit, int v)
{
    return v ? (int)lrint(unit * (1 << SHIFT) / v) : 0;
}

void photometric_to_hsv(const unsigned char rgb[3], unsigned char hsv[3])
{
    int r = rgb[0], g = rgb[1], b = rgb[2];
    int v = max3(r, g, b), diff = v - min3(r, g, b);
    int hue = v == r ? g - b : v == g ? b - r + 2 * diff : r - g + 4 * diff;
    hue = (hue * reciprocal(180.0 / 6, diff) + (1 << (SHIFT - 1))) >> SHIFT;
    hsv[0] = (unsigned char)(hue < 0 ? hue + 180 : hue);
    hsv[1] = (unsigned char)((diff * reciprocal(255, v) + (1 << (SHIFT - 1))) >> SHIFT);
    hsv[2] = (unsigned char)v;
}

void photometric_to_rgb(const unsigned char hsv[3], unsigned char rgb[3])
{
    /* which of v, v(1-s), v(1-sf), v(1-s(1-f)) red, green and blue are, sector by sector */
    static const unsigned char pick[6][3] = {{0, 3, 1}, {2, 0, 1}, {1, 0, 3},
                                             {1, 2, 0}, {3, 1, 0}, {0, 1, 2}};
    float s = (float)hsv[1] / 255, v = (float)hsv[2] / 255, h = (float)hsv[0] * (6.0f / 180);
    int sector = (int)h;
    float f = h - (float)sector;
    float level[4] = {v, v * (1 - s), v * (1 - s * f), v * (1 - s * (1 - f))};
    for (int c = 0; c < 3; c++)
        rgb[c] = (unsigned char)lrintf(255 * level[pick[sector % 6][c]]);
}

static unsigned char clipped(float x)
{
    return (unsigned char)(x < 0 ? 0 : x > 255 ? 255 : x);
}

void photometric_linear(unsigned char *x, size_t n, double gain, double offset)
{
    for (size_t i = 0; i < n; i++)
        x[i] = clipped((float)x[i] * (float)gain + (float)offset);
}

void photometric_saturation(unsigned char *rgb, size_t pixels, double gain)
{
    unsigned char hsv[3];
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        photometric_to_hsv(rgb, hsv);
        hsv[1] = clipped((float)hsv[1] * (float)gain);
        photometric_to_rgb(hsv, rgb);
    }
}

void photometric_hue(unsigned char *rgb, size_t pixels, int shift)
{
    unsigned char hsv[3];
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        photometric_to_hsv(rgb, hsv);
        hsv[0] = (unsigned char)((hsv[0] + shift + 180) % 180);
        photometric_to_rgb(hsv, rgb);
    }
}

static int chance(struct rng *r)
{
    return (int)rng_below(r, 2);
}

void photometric_distort(unsigned char *rgb, size_t pixels, struct rng *r)
{
    if (chance(r))
        photometric_linear(rgb, 3 * pixels, 1, rng_range(r, -32, 32));
    int contrast_first = chance(r);
    if (contrast_first && chance(r))
        photometric_linear(rgb, 3 * pixels, rng_range(r, 0.5, 1.5), 0);
    if (chance(r))
        photometric_saturation(rgb, pixels, rng_range(r, 0.5, 1.5));
    if (chance(r))
        photometric_hue(rgb, pixels, (int)rng_below(r, 36) - 18);
    if (!contrast_first && chance(r))
        photometric_linear(rgb, 3 * pixels, rng_range(r, 0.5, 1.5), 0);
}
