/* The operations as Pillow has them. Those that its tables and 8-bit tensors do alike are
 * data/augment_u8.c's. */
#include "data/augment_ops.h"

#include <math.h>

#include "data/vector.h"

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

/* 16.16 fixed point: the source of pixel (0, 0), and its steps along a row and down. */
struct fixed_map {
    int64_t x0, y0, x_right, x_down, y_right, y_down;
    int height, width;
};

static int64_t fixed(double v)
{
    return (int64_t)floor(v * 65536 + 0.5);
}

VECTOR_CLONES static void fixed_places(const void *map, int row, int first, int n, int *from)
{
    const struct fixed_map t = *(const struct fixed_map *)map;
    int64_t x = t.x0 + t.x_down * row + t.x_right * first;
    int64_t y = t.y0 + t.y_down * row + t.y_right * first;
    for (int i = 0; i < n; i++) {
        int64_t from_x = (x + t.x_right * i) >> 16, from_y = (y + t.y_right * i) >> 16;
        int inside = (from_x >= 0) & (from_x < t.width) & (from_y >= 0) & (from_y < t.height);
        from[i] = inside ? (int)(from_y * t.width + from_x) : -1;
    }
}

/* m works on pixel coordinates. */
static void warp(struct augment_bytes *im, const double m[6])
{
    struct fixed_map map = {fixed(m[2] + m[0] * 0.5 + m[1] * 0.5),
                            fixed(m[5] + m[3] * 0.5 + m[4] * 0.5),
                            fixed(m[0]),
                            fixed(m[1]),
                            fixed(m[3]),
                            fixed(m[4]),
                            im->height,
                            im->width};
    augment_move_bytes(im, fixed_places, &map);
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
static inline unsigned char blend(int a, int b, float f)
{
    float v = (float)a + f * (float)(b - a);
    return (unsigned char)(int)(v <= 0 ? 0 : v >= 255 ? 255 : v);
}

/* x from `from` towards x, sample by sample. */
VECTOR_CLONES static void blend_with(unsigned char *restrict x, const unsigned char *restrict from,
                                     size_t n, float f)
{
    for (size_t i = 0; i < n; i++)
        x[i] = blend(from[i], x[i], f);
}

static void blend_from(struct augment_bytes *im, int level, double m)
{
    unsigned char table[256];
    for (int v = 0; v < 256; v++)
        table[v] = blend(level, v, (float)(1 + m));
    augment_look_up(im->x, AUGMENT_SIZE(im), table);
}

VECTOR_CLONES static void to_gray(const unsigned char *restrict rgb, size_t n,
                                  unsigned char *restrict gray)
{
    const unsigned char *r = rgb, *g = rgb + n, *b = rgb + 2 * n;
    for (size_t i = 0; i < n; i++)
        gray[i] = (unsigned char)((r[i] * 19595 + g[i] * 38470 + b[i] * 7471 + 0x8000) >> 16);
}

void augment_pil_Brightness(struct augment_bytes *im, double m)
{
    blend_from(im, 0, m);
}

void augment_pil_Contrast(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    const unsigned char *gray = im->x;
    if (im->channels == 3) {
        to_gray(im->x, n, im->scratch);
        gray = im->scratch;
    }
    blend_from(im, (int)((double)augment_sum(gray, n) / (double)n + 0.5), m);
}

void augment_pil_Color(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    if (im->channels != 3)
        return;
    to_gray(im->x, n, im->scratch);
    for (size_t c = 0; c < 3; c++)
        blend_with(im->x + c * n, im->scratch, n, (float)(1 + m));
}

/* Blended from a 3 x 3 mean that weighs its centre five times; the border is not blurred. */
void augment_pil_Sharpness(struct augment_bytes *im, double m)
{
    augment_blur13(im);
    blend_with(im->x, im->scratch, AUGMENT_SIZE(im), (float)(1 + m));
}

/* ---- tables ---------------------------------------------------------------------------------- */

void augment_pil_Solarize(struct augment_bytes *im, double threshold)
{
    unsigned char table[256];
    for (int v = 0; v < 256; v++)
        table[v] = (unsigned char)(v < 255 * threshold ? v : 255 - v);
    augment_look_up(im->x, AUGMENT_SIZE(im), table);
}

void augment_pil_AutoContrast(struct augment_bytes *im, double m)
{
    size_t n = AUGMENT_PLANE(im);
    (void)m;
    for (size_t c = 0; c < (size_t)im->channels; c++) {
        unsigned char *p = im->x + c * n, table[256];
        int lo, hi;
        augment_extremes(p, n, &lo, &hi);
        if (hi == lo)
            continue;
        double scale = 255.0 / (hi - lo), offset = -lo * scale;
        for (int i = 0; i < 256; i++) {
            double v = i * scale + offset;
            table[i] = (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v);
        }
        augment_look_up(p, n, table);
    }
}
