/* Horizontal pass to 32-bit sums, then vertical with the rounding of OpenCV's fixed-point path. */
#include "data/resize_taps.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"

#define BITS 11
#define ONE  (1 << BITS)

/* An output position looks at source first and first + 1 with the weights ONE - next and next. */
struct taps {
    int first, next;
};

static struct taps *find_taps(int in, int out)
{
    struct taps *taps = mem_alloc(sizeof *taps * (size_t)out);
    double scale = (double)in / out;
    for (int i = 0; i < out; i++) {
        float at = (float)((i + 0.5) * scale - 0.5), floored = floorf(at);
        taps[i] = (struct taps){(int)floored, (int)lrintf((at - floored) * ONE)};
        if (taps[i].first < 0)
            taps[i] = (struct taps){0, 0};
        if (taps[i].first >= in - 1)
            taps[i] = (struct taps){in - 1, 0};
    }
    return taps;
}

static void widen(const struct image_view *v, int y, const struct taps *taps, int width, int *out)
{
    const unsigned char *row = v->data + y * v->step_y;
    for (int x = 0; x < width; x++) {
        const unsigned char *a = row + taps[x].first * v->step_x;
        const unsigned char *b = taps[x].next ? a + v->step_x : a;
        for (int c = 0; c < v->channels; c++)
            *out++ = a[c * v->step_c] * (ONE - taps[x].next) + b[c * v->step_c] * taps[x].next;
    }
}

static unsigned char mix(int a, int b, int next)
{
    return (unsigned char)(((((ONE - next) * (a >> 4)) >> 16) + ((next * (b >> 4)) >> 16) + 2) >>
                           2);
}

void resize_linear(const struct image_view *src, int width, int height, unsigned char *out)
{
    struct taps *across = find_taps(src->width, width), *down = find_taps(src->height, height);
    int n = width * src->channels, held[2] = {-1, -1};
    int *rows[2] = {mem_alloc(sizeof(int) * (size_t)n), mem_alloc(sizeof(int) * (size_t)n)};
    for (int y = 0; y < height; y++, out += n) {
        int first = down[y].first, second = down[y].next ? first + 1 : first;
        if (held[1] == first) { /* rows move up by one */
            int *t = rows[0];
            rows[0] = rows[1];
            rows[1] = t;
            held[1] = held[0];
            held[0] = first;
        }
        if (held[0] != first)
            widen(src, held[0] = first, across, width, rows[0]);
        if (held[1] != second)
            widen(src, held[1] = second, across, width, rows[1]);
        for (int i = 0; i < n; i++)
            out[i] = mix(rows[0][i], rows[1][i], down[y].next);
    }
    free(rows[0]);
    free(rows[1]);
    free(across);
    free(down);
}

static int nearest(int i, double scale, int in)
{
    int at = (int)floor(i * scale);
    return at < in ? at : in - 1;
}

void resize_nearest(const struct image_view *src, int width, int height, unsigned char *out)
{
    double across = 1 / ((double)width / src->width), down = 1 / ((double)height / src->height);
    for (int y = 0; y < height; y++) {
        const unsigned char *row = src->data + nearest(y, down, src->height) * src->step_y;
        for (int x = 0; x < width; x++)
            *out++ = row[nearest(x, across, src->width) * src->step_x];
    }
}

static int scaled(int side, double scale)
{
    int n = (int)(side * scale + 0.5);
    return n > 0 ? n : 1;
}

void resize_fit(int height, int width, int long_side, int short_side, int *new_height,
                int *new_width)
{
    int longer = height > width ? height : width, shorter = height > width ? width : height;
    double by_long = (double)long_side / longer, by_short = (double)short_side / shorter;
    double scale = by_long < by_short ? by_long : by_short;
    *new_height = scaled(height, scale);
    *new_width = scaled(width, scale);
}
