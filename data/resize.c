/* Weights are computed once for each axis; passes walk rows. Out-of-window rows and columns are
 * skipped, which cannot change the others. */
#include "data/resize.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/vector.h"

#define PRECISION 22
#define LANES     4 /* channels at most */

/* Output i is the sum over k < count[i] of weight[i * taps + k] * input[first[i] + k]. */
struct kernel {
    int n, taps;
    int *first, *count;
    double *weight;
};

static double triangle(double x)
{
    x = fabs(x);
    return x < 1 ? 1 - x : 0;
}

static double cubic(double x)
{
    const double a = -0.5;
    x = fabs(x);
    if (x < 1)
        return ((a + 2) * x - (a + 3)) * x * x + 1;
    if (x < 2)
        return (((x - 5) * x + 8) * x - 4) * a;
    return 0;
}

static const struct {
    double support;
    double (*weight)(double);
} filters[] = {[RESIZE_BILINEAR] = {1, triangle}, [RESIZE_BICUBIC] = {2, cubic}};

static void kernel_row(struct kernel *k, int row, int i, int n_in, double scale,
                       enum resize_filter f)
{
    double wide = scale > 1 ? scale : 1, support = filters[f].support * wide;
    double center = (i + 0.5) * scale, narrow = 1 / wide, sum = 0;
    double *w = k->weight + (size_t)row * (size_t)k->taps;
    int first = (int)(center - support + 0.5), last = (int)(center + support + 0.5);
    first = first < 0 ? 0 : first;
    last = last > n_in ? n_in : last;
    for (int j = first; j < last; j++)
        sum += w[j - first] = filters[f].weight((j - center + 0.5) * narrow);
    for (int j = first; j < last; j++)
        if (sum != 0)
            w[j - first] /= sum;
    k->first[row] = first;
    k->count[row] = last - first;
}

/* For outputs from .. from+n-1 of n_out. */
static struct kernel kernel_new(int n_in, int n_out, int from, int n, enum resize_filter f)
{
    double scale = (double)n_in / n_out;
    struct kernel k = {.n = n,
                       .taps = (int)ceil(filters[f].support * (scale > 1 ? scale : 1)) * 2 + 1};
    k.first = mem_alloc((size_t)n * sizeof(int));
    k.count = mem_alloc((size_t)n * sizeof(int));
    k.weight = mem_zalloc((size_t)n * (size_t)k.taps, sizeof(double));
    for (int i = 0; i < n; i++)
        kernel_row(&k, i, from + i, n_in, scale, f);
    return k;
}

static void kernel_free(struct kernel *k)
{
    free(k->first);
    free(k->count);
    free(k->weight);
}

static float *floats_new(const struct kernel *k)
{
    size_t n = (size_t)k->n * (size_t)k->taps;
    float *q = mem_alloc(n * sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i] = (float)k->weight[i];
    return q;
}

/* ---- bytes ----------------------------------------------------------------------------------- */

typedef int32_t numbers __attribute__((vector_size(16), aligned(4), may_alias));
typedef int32_t eight_numbers __attribute__((vector_size(32), aligned(4), may_alias));

#define EIGHT 8
#define HALF  (1 << (PRECISION - 1))
#define ROWS  4 /* a horizontal pass makes at once: their sums do not wait for each other */

static int32_t fixed(double w)
{
    return (int32_t)(w * (1 << PRECISION) + (w < 0 ? -0.5 : 0.5));
}

/* Fixed-point weights, as vectors multiply them with neighbouring pixels: output x has `groups`
 * times EIGHT, each weight once a channel, what is left over 0. */
struct wide_weights {
    int groups, pixels; /* pixels in a vector */
    int32_t *weight;
};

static struct wide_weights wide_new(const struct kernel *k, int channels)
{
    struct wide_weights w = {.pixels = EIGHT / channels};
    w.groups = (k->taps + w.pixels - 1) / w.pixels;
    size_t line = (size_t)w.groups * EIGHT;
    w.weight = mem_zalloc((size_t)k->n * line, sizeof *w.weight);
    for (int x = 0; x < k->n; x++)
        for (int i = 0; i < k->count[x]; i++)
            for (int c = 0; c < channels; c++)
                w.weight[(size_t)x * line +
                         (size_t)(i / w.pixels * EIGHT + i % w.pixels * channels + c)] =
                    fixed(k->weight[(size_t)x * (size_t)k->taps + (size_t)i]);
    return w;
}

static int32_t *fixed_new(const struct kernel *k)
{
    size_t n = (size_t)k->n * (size_t)k->taps;
    int32_t *q = mem_alloc(n * sizeof *q);
    for (size_t i = 0; i < n; i++)
        q[i] = fixed(k->weight[i]);
    return q;
}

/* Columns from .. from+n-1 of row y, `channels` a pixel. */
VECTOR_CLONES static void row_numbers(const struct image_view *src, int y, int from, int n,
                                      int32_t *restrict out)
{
    const unsigned char *row = src->data + y * src->step_y + from * src->step_x;
    if (src->step_c == 1 && src->step_x == src->channels) {
        for (int i = 0; i < n * src->channels; i++)
            out[i] = row[i];
        return;
    }
    for (int c = 0; c < src->channels; c++)
        for (int x = 0; x < n; x++)
            out[x * src->channels + c] = row[c * src->step_c + x * src->step_x];
}

/* The sums of the pixels in a vector, channel by channel. Of three channels the fourth sum means
 * nothing. */
static inline numbers add_pixels(eight_numbers v, int channels)
{
    numbers low, high, sum = {0};
    memcpy(&low, &v, sizeof low);
    memcpy(&high, (const char *)&v + sizeof low, sizeof high);
    if (channels == 3)
        return low + __builtin_shuffle(low, high, (numbers){3, 4, 5, 6});
    for (int i = 0, c = 0; i < EIGHT; i++, c = c + 1 < channels ? c + 1 : 0)
        sum[c] += v[i];
    return sum;
}

/* ROWS rows of in, in_stride apart, into rows of sums. Reads past the last pixel, by one output's
 * weights at most, and writes up to LANES - 1 numbers past it: the caller's rows have room. */
VECTOR_CLONES static void horizontal_sums(const int32_t *in, size_t in_stride, int channels,
                                          const int *first, int n, const struct wide_weights *q,
                                          int32_t *out, size_t out_stride)
{
    const int32_t *w = q->weight;
    int step = q->pixels * channels, groups = q->groups;
    for (int x = 0; x < n; x++, out += channels) {
        const int32_t *p = in + (first[x] - first[0]) * channels;
        eight_numbers a = {0}, b = {0}, c = {0}, d = {0};
        for (int i = 0; i < groups; i++, p += step, w += EIGHT) {
            eight_numbers weight = *(const eight_numbers *)w;
            a += weight * *(const eight_numbers *)p;
            b += weight * *(const eight_numbers *)(p + in_stride);
            c += weight * *(const eight_numbers *)(p + 2 * in_stride);
            d += weight * *(const eight_numbers *)(p + 3 * in_stride);
        }
        *(numbers *)out = add_pixels(a, channels);
        *(numbers *)(out + out_stride) = add_pixels(b, channels);
        *(numbers *)(out + 2 * out_stride) = add_pixels(c, channels);
        *(numbers *)(out + 3 * out_stride) = add_pixels(d, channels);
    }
}

/* Sums of rows of n bytes, stride apart. */
VECTOR_CLONES static void vertical_sums(const unsigned char *rows, size_t stride, const int32_t *w,
                                        int taps, size_t n, int32_t *restrict sums)
{
    int i = 0;
    memset(sums, 0, n * sizeof *sums);
    for (; i + 3 < taps; i += 4, w += 4, rows += 4 * stride) {
        const unsigned char *a = rows, *b = a + stride, *c = b + stride, *d = c + stride;
        int32_t wa = w[0], wb = w[1], wc = w[2], wd = w[3];
        for (size_t x = 0; x < n; x++)
            sums[x] += wa * a[x] + wb * b[x] + wc * c[x] + wd * d[x];
    }
    for (; i < taps; i++, w++, rows += stride)
        for (size_t x = 0; x < n; x++)
            sums[x] += w[0] * rows[x];
}

VECTOR_CLONES static void round_row(const int32_t *restrict sums, size_t n,
                                    unsigned char *restrict out)
{
    for (size_t x = 0; x < n; x++) {
        int32_t v = (sums[x] + HALF) >> PRECISION;
        v = v > 0 ? v : 0;
        out[x] = (unsigned char)(v < 255 ? v : 255);
    }
}

static void horizontal_u8(const struct image_view *src, int top, int height, const struct kernel *k,
                          unsigned char *out)
{
    int left = k->first[0], n = k->first[k->n - 1] + k->count[k->n - 1] - left;
    size_t channels = (size_t)src->channels, stride = (size_t)k->n * channels;
    struct wide_weights w = wide_new(k, src->channels);
    size_t in_stride = (size_t)n * channels + (size_t)w.groups * EIGHT, out_stride = stride + LANES;
    int32_t *in = mem_zalloc(ROWS * (in_stride + out_stride), sizeof *in);
    int32_t *sums = in + ROWS * in_stride;
    for (int y = 0; y < height; y += ROWS) {
        int rows = height - y < ROWS ? height - y : ROWS;
        for (int i = 0; i < rows; i++)
            row_numbers(src, top + y + i, left, n, in + (size_t)i * in_stride);
        horizontal_sums(in, in_stride, src->channels, k->first, k->n, &w, sums, out_stride);
        for (int i = 0; i < rows; i++, out += stride)
            round_row(sums + (size_t)i * out_stride, stride, out);
    }
    free(in);
    free(w.weight);
}

static void vertical_u8(const unsigned char *rows, size_t stride, const struct kernel *k,
                        unsigned char *out)
{
    int32_t *weights = fixed_new(k), *sums = mem_alloc(stride * sizeof *sums);
    for (int y = 0; y < k->n; y++, out += stride) {
        vertical_sums(rows + (size_t)(k->first[y] - k->first[0]) * stride, stride,
                      weights + (size_t)y * (size_t)k->taps, k->count[y], stride, sums);
        round_row(sums, stride, out);
    }
    free(sums);
    free(weights);
}

/* An axis of unchanged length is left out altogether, as in Pillow: its kernel is then the
 * identity. */
void resize_u8(const struct image_view *src, int width, int height, struct box window,
               enum resize_filter filter, unsigned char *out)
{
    ASSERT(window.left >= 0 && window.top >= 0 && window.width > 0 && window.height > 0);
    ASSERT(window.left + window.width <= width && window.top + window.height <= height);
    ASSERT(src->channels <= LANES);
    size_t stride = (size_t)window.width * (size_t)src->channels;
    struct kernel h = kernel_new(src->width, width, window.left, window.width, filter);
    struct kernel v = kernel_new(src->height, height, window.top, window.height, filter);
    int first = v.first[0], n = v.first[v.n - 1] + v.count[v.n - 1] - first;
    unsigned char *rows = mem_alloc((size_t)n * stride);
    horizontal_u8(src, first, n, &h, rows);
    vertical_u8(rows, stride, &v, out);
    free(rows);
    kernel_free(&h);
    kernel_free(&v);
}

/* ---- floats ---------------------------------------------------------------------------------- */

/* Vectors of four and eight samples. Every sum keeps its order and nothing is fused, so the bits
 * are those of the plain loops, whatever instructions a processor has. */
typedef float lanes __attribute__((vector_size(16), aligned(4), may_alias));
typedef float wide __attribute__((vector_size(32), aligned(4), may_alias));

#define BLOCK 16 /* floats that the vertical pass makes at once */

/* Row y of the box as floats, `channels` a pixel. */
VECTOR_CLONES static void row_floats(const struct image_view *src, struct box box, int y,
                                     float *restrict out)
{
    const float unit = (float)(1.0 / 255);
    const unsigned char *row = src->data + (box.top + y) * src->step_y + box.left * src->step_x;
    int n = box.width * src->channels;
    if (src->step_c == 1 && src->step_x == src->channels) {
        for (int i = 0; i < n; i++)
            out[i] = (float)row[i] * unit;
        return;
    }
    for (int x = 0; x < box.width; x++, row += src->step_x)
        for (int c = 0; c < src->channels; c++)
            *out++ = (float)row[c * src->step_c] * unit;
}

/* ROWS rows of in, in_stride apart, into rows of out. Reads and writes up to LANES - 1 floats past
 * the last pixel: the callers' rows have room. */
VECTOR_CLONES static void horizontal_float(const float *in, size_t in_stride, int channels,
                                           const struct kernel *k, const float *q, float *out,
                                           size_t out_stride)
{
    for (int x = 0; x < k->n; x++) {
        const float *w = q + (size_t)x * (size_t)k->taps, *p = in + k->first[x] * channels;
        lanes a = {0}, b = {0}, c = {0}, d = {0};
        for (int i = 0; i < k->count[x]; i++, p += channels) {
            a += w[i] * *(const lanes *)p;
            b += w[i] * *(const lanes *)(p + in_stride);
            c += w[i] * *(const lanes *)(p + 2 * in_stride);
            d += w[i] * *(const lanes *)(p + 3 * in_stride);
        }
        float *to = out + x * channels;
        *(lanes *)to = a;
        *(lanes *)(to + out_stride) = b;
        *(lanes *)(to + 2 * out_stride) = c;
        *(lanes *)(to + 3 * out_stride) = d;
    }
}

VECTOR_CLONES static void vertical_float(const float *rows, size_t stride, const float *w, int taps,
                                         size_t n, float *out)
{
    for (size_t x = 0; x < n; x += BLOCK) {
        wide a = {0}, b = {0};
        for (int i = 0; i < taps; i++) {
            const float *p = rows + (size_t)i * stride + x;
            a += w[i] * *(const wide *)p;
            b += w[i] * *(const wide *)(p + 8);
        }
        *(wide *)(out + x) = a;
        *(wide *)(out + x + 8) = b;
    }
}

/* Of a row of n pixels with room for LANES more floats. */
static size_t row_stride(int n, int channels)
{
    return ((size_t)n * (size_t)channels + LANES + BLOCK - 1) / BLOCK * BLOCK;
}

static size_t padded_height(struct box box)
{
    return ((size_t)box.height + ROWS - 1) / ROWS * ROWS;
}

size_t resize_float_rows(struct box box, int size, int channels)
{
    return (padded_height(box) + 1) * row_stride(size, channels) +
           ROWS * row_stride(box.width, channels);
}

void resize_float(const struct image_view *src, struct box box, int size, enum resize_filter filter,
                  float *rows, float *out)
{
    ASSERT(box.left >= 0 && box.top >= 0 && box.width > 0 && box.height > 0);
    ASSERT(box.left + box.width <= src->width && box.top + box.height <= src->height);
    ASSERT(src->channels <= LANES);
    size_t stride = row_stride(size, src->channels), samples = (size_t)size * (size_t)src->channels;
    size_t in_stride = row_stride(box.width, src->channels);
    struct kernel h = kernel_new(box.width, size, 0, size, filter);
    struct kernel v = kernel_new(box.height, size, 0, size, filter);
    float *hq = floats_new(&h), *vq = floats_new(&v);
    float *last = rows + padded_height(box) * stride, *in = last + stride;
    for (int y = 0; y < box.height; y += ROWS) {
        for (int i = 0; i < ROWS && y + i < box.height; i++)
            row_floats(src, box, y + i, in + (size_t)i * in_stride);
        horizontal_float(in, in_stride, src->channels, &h, hq, rows + (size_t)y * stride, stride);
    }
    for (int y = 0; y < size; y++, out += samples) {
        int whole = samples % BLOCK == 0; /* no float is written past the row */
        vertical_float(rows + (size_t)v.first[y] * stride, stride, vq + (size_t)y * (size_t)v.taps,
                       v.count[y], whole ? samples : stride, whole ? out : last);
        if (!whole)
            memcpy(out, last, samples * sizeof *out);
    }
    free(hq);
    free(vq);
    kernel_free(&h);
    kernel_free(&v);
}
