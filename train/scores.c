#include "train/scores.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "tensor/ops/mixing.h"

void scores_init(struct scores *s, int height, int width, int classes)
{
    free(s->v);
    *s = (struct scores){height, width, classes, NULL};
    s->v = mem_zalloc((size_t)height * (size_t)width * (size_t)classes, sizeof(float));
}

void scores_release(struct scores *s)
{
    free(s->v);
    *s = (struct scores){0};
}

static float *at(const struct scores *s, int64_t row, int64_t col)
{
    return s->v + (row * s->width + col) * s->classes;
}

/* out (n) += weight * in (n) */
static void add_scaled(float *out, const float *in, float weight, int n)
{
    for (int i = 0; i < n; i++)
        out[i] += weight * in[i];
}

void scores_resize(const struct scores *in, int height, int width, struct scores *out)
{
    struct arena a = {0};
    const struct mixing *down = mixing_resize(&a, MIXING_BILINEAR, in->height, height);
    const struct mixing *across = mixing_resize(&a, MIXING_BILINEAR, in->width, width);
    int row_values = in->width * in->classes;
    float *row = mem_alloc(sizeof *row * (size_t)row_values);
    scores_init(out, height, width, in->classes);
    for (int y = 0; y < height; y++) {
        memset(row, 0, sizeof *row * (size_t)row_values);
        for (int32_t p = down->start[y]; p < down->start[y + 1]; p++)
            add_scaled(row, at(in, down->index[p], 0), (float)down->weight[p], row_values);
        for (int x = 0; x < width; x++)
            for (int32_t q = across->start[x]; q < across->start[x + 1]; q++)
                add_scaled(at(out, y, x), row + (int64_t)across->index[q] * in->classes,
                           (float)across->weight[q], in->classes);
    }
    free(row);
    arena_release(&a);
}

static void add_pixel(float *sum, const float *s, int classes, double weight)
{
    double top = (double)s[0], total = 0;
    for (int k = 1; k < classes; k++)
        top = (double)s[k] > top ? (double)s[k] : top;
    for (int k = 0; k < classes; k++)
        total += exp((double)s[k] - top);
    for (int k = 0; k < classes; k++)
        sum[k] += (float)(weight * exp((double)s[k] - top) / total);
}

void scores_add_softmax(struct scores *sum, const struct scores *s, int mirrored, double weight)
{
    ASSERT(sum->height == s->height && sum->width == s->width && sum->classes == s->classes);
    for (int y = 0; y < s->height; y++)
        for (int x = 0; x < s->width; x++)
            add_pixel(at(sum, y, x), at(s, y, mirrored ? s->width - 1 - x : x), s->classes, weight);
}

void scores_argmax(const struct scores *s, unsigned char *out)
{
    int64_t pixels = (int64_t)s->height * s->width;
    const float *v = s->v;
    for (int64_t i = 0; i < pixels; i++, v += s->classes) {
        int best = 0;
        for (int k = 1; k < s->classes; k++)
            if (v[k] > v[best])
                best = k;
        out[i] = (unsigned char)best;
    }
}
