/* The geometric operations: where outputs come from, in the arithmetic of float tensors, and the
 * moving of samples, which all flavours share. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

#include "data/vector.h"

#define BLOCK 64 /* places that are computed at once, for all channels */

/* ---- moving ---------------------------------------------------------------------------------- */

/* n samples of a plane from their places, all inside. */
typedef void take_samples(const void *plane, const int *from, int n, void *out);

static void take_floats(const void *plane, const int *from, int n, void *out)
{
    const float *p = plane;
    float *to = out;
    for (int i = 0; i < n; i++)
        to[i] = p[from[i]];
}

static void take_bytes(const void *plane, const int *from, int n, void *out)
{
    const unsigned char *p = plane;
    unsigned char *to = out;
    for (int i = 0; i < n; i++)
        to[i] = p[from[i]];
}

/* Planes of height x width samples of some bytes. */
struct planes {
    char *x, *scratch;
    size_t sample;
    int channels, height, width;
    take_samples *take;
};

/* Outputs first .. first+n-1 of a row. Sources move along a line: those inside the image have no
 * gaps. */
static void move_block(const struct planes *p, const int *from, int row, int first, int n)
{
    size_t plane = (size_t)p->height * (size_t)p->width;
    size_t at = (size_t)row * (size_t)p->width + (size_t)first;
    int a = 0, b = n;
    while (a < b && from[a] < 0)
        a++;
    while (b > a && from[b - 1] < 0)
        b--;
    for (size_t c = 0; c < (size_t)p->channels; c++) {
        char *out = p->x + (c * plane + at) * p->sample;
        memset(out, 0, (size_t)a * p->sample);
        p->take(p->scratch + c * plane * p->sample, from + a, b - a, out + (size_t)a * p->sample);
        memset(out + (size_t)b * p->sample, 0, (size_t)(n - b) * p->sample);
    }
}

static void move(const struct planes *p, augment_places *places, const void *map)
{
    size_t n = (size_t)p->channels * (size_t)p->height * (size_t)p->width;
    int from[BLOCK];
    memcpy(p->scratch, p->x, n * p->sample);
    for (int y = 0; y < p->height; y++)
        for (int x = 0; x < p->width; x += BLOCK) {
            int block = p->width - x < BLOCK ? p->width - x : BLOCK;
            places(map, y, x, block, from);
            move_block(p, from, y, x, block);
        }
}

void augment_move_floats(struct augment_image *im, augment_places *places, const void *map)
{
    move(&(struct planes){(char *)im->x, (char *)im->scratch, sizeof *im->x, im->channels,
                          im->height, im->width, take_floats},
         places, map);
}

void augment_move_bytes(struct augment_bytes *im, augment_places *places, const void *map)
{
    move(&(struct planes){(char *)im->x, (char *)im->scratch, sizeof *im->x, im->channels,
                          im->height, im->width, take_bytes},
         places, map);
}

/* ---- tensors --------------------------------------------------------------------------------- */

/* x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5], all relative to the image's centre. */
struct tensor_map {
    float m[6], center_x, center_y;
    int height, width;
};

/* Half to even, of less than 2^22; what is more is no place in an image, before and after. */
static inline float rounded(float v)
{
    const float big = 0x1.8p23f;
    return (v + big) - big;
}

VECTOR_CLONES static void tensor_places(const void *map, int row, int first, int n, int *from)
{
    const struct tensor_map t = *(const struct tensor_map *)map;
    float y = (float)row - t.center_y;
    for (int i = 0; i < n; i++) {
        float x = (float)(first + i) - t.center_x;
        float from_x = rounded(t.m[0] * x + t.m[1] * y + t.m[2] + t.center_x);
        float from_y = rounded(t.m[3] * x + t.m[4] * y + t.m[5] + t.center_y);
        int inside =
            (from_x >= 0) & (from_x < (float)t.width) & (from_y >= 0) & (from_y < (float)t.height);
        from[i] = inside ? (int)from_y * t.width + (int)from_x : -1;
    }
}

static struct tensor_map map_of(int height, int width, const double matrix[6])
{
    struct tensor_map map = {.center_x = (float)(width - 1) / 2,
                             .center_y = (float)(height - 1) / 2,
                             .height = height,
                             .width = width};
    for (int i = 0; i < 6; i++)
        map.m[i] = (float)matrix[i];
    return map;
}

/* Sheared about the image's top left corner. */
static struct tensor_map map_ShearX(double m, int height, int width)
{
    return map_of(height, width, (double[]){1, m, m * height / 2, 0, 1, 0});
}

static struct tensor_map map_ShearY(double m, int height, int width)
{
    return map_of(height, width, (double[]){1, 0, 0, m, 1, m * width / 2});
}

static struct tensor_map map_TranslateX(double m, int height, int width)
{
    return map_of(height, width, (double[]){1, 0, -trunc(m), 0, 1, 0});
}

static struct tensor_map map_TranslateY(double m, int height, int width)
{
    return map_of(height, width, (double[]){1, 0, 0, 0, 1, -trunc(m)});
}

static struct tensor_map map_Rotate(double m, int height, int width)
{
    double a = m * (M_PI / 180);
    return map_of(height, width, (double[]){cos(a), -sin(a), 0, sin(a), cos(a), 0});
}

#define WARP(name)                                                                                 \
    void augment_float_##name(struct augment_image *im, double m)                                  \
    {                                                                                              \
        struct tensor_map map = map_##name(m, im->height, im->width);                              \
        augment_move_floats(im, tensor_places, &map);                                              \
    }                                                                                              \
    void augment_u8_##name(struct augment_bytes *im, double m)                                     \
    {                                                                                              \
        struct tensor_map map = map_##name(m, im->height, im->width);                              \
        augment_move_bytes(im, tensor_places, &map);                                               \
    }
WARP(ShearX)
WARP(ShearY)
WARP(TranslateX)
WARP(TranslateY)
WARP(Rotate)
#undef WARP
