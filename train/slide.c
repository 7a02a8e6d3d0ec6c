#include "train/slide.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "train/network.h"

int slide_count(int side, int window, int stride)
{
    int over = side - window + stride - 1;
    return (over > 0 ? over : 0) / stride + 1;
}

struct slide_span slide_span(int i, int side, int window, int stride)
{
    int end = i * stride + window, length = side < window ? side : window;
    end = end < side ? end : side;
    return (struct slide_span){end - length, length};
}

int slide_windows(int height, int width, int window, int stride, struct box *out)
{
    int rows = slide_count(height, window, stride), cols = slide_count(width, window, stride);
    for (int i = 0; out && i < rows * cols; i++) {
        struct slide_span y = slide_span(i / cols, height, window, stride);
        struct slide_span x = slide_span(i % cols, width, window, stride);
        out[i] = (struct box){y.start, x.start, y.length, x.length};
    }
    return rows * cols;
}

void slider_open(struct slider *s, struct network *net, int stride)
{
    *s = (struct slider){.net = net,
                         .stride = stride,
                         .size = (int)net->image->shape.dim[3],
                         .channels = (int)net->image->shape.dim[1],
                         .batch = (int)net->batch,
                         .classes = net->classes};
    s->input = mem_zalloc((size_t)shape_count(net->image->shape), sizeof(float));
    s->output = mem_alloc(sizeof(float) * (size_t)shape_count(net->pixels->shape));
    s->places = mem_zalloc((size_t)s->batch, sizeof *s->places);
}

void slider_close(struct slider *s)
{
    free(s->input);
    free(s->output);
    free(s->places);
    *s = (struct slider){0};
}

/* Where the image ends before the window does, zeros follow: the mean colour. */
static void cut_window(const struct slider *s, const float *image, int height, int width,
                       struct box b, float *out)
{
    memset(out, 0, sizeof *out * (size_t)(s->channels * s->size * s->size));
    for (int c = 0; c < s->channels; c++)
        for (int y = 0; y < b.height; y++)
            memcpy(out + ((int64_t)c * s->size + y) * s->size,
                   image + ((int64_t)c * height + b.top + y) * width + b.left,
                   sizeof *out * (size_t)b.width);
}

static void add_window(const struct slider *s, const struct slider_place *p, const float *scores)
{
    for (int y = 0; y < p->box.height; y++) {
        const float *from = scores + (int64_t)y * s->size * s->classes;
        float *to =
            p->to->v + ((int64_t)(p->box.top + y) * p->to->width + p->box.left) * s->classes;
        for (int64_t i = 0; i < (int64_t)p->box.width * s->classes; i++)
            to[i] += from[i];
    }
}

void slider_flush(struct slider *s)
{
    if (!s->used)
        return;
    network_write(s->net, s->net->image, s->input);
    network_run(s->net, 0, 0);
    network_read(s->net, s->net->pixels, s->output);
    for (int i = 0; i < s->used; i++)
        add_window(s, &s->places[i], s->output + (int64_t)i * s->size * s->size * s->classes);
    s->windows += s->used;
    s->used = 0;
}

void slider_add(struct slider *s, const float *image, int height, int width, struct scores *sum)
{
    int n = slide_windows(height, width, s->size, s->stride, NULL);
    struct box *boxes = mem_alloc(sizeof *boxes * (size_t)n);
    ASSERT(sum->height == height && sum->width == width && sum->classes == s->classes);
    slide_windows(height, width, s->size, s->stride, boxes);
    for (int i = 0; i < n; i++) {
        float *slot = s->input + (int64_t)s->used * s->channels * s->size * s->size;
        cut_window(s, image, height, width, boxes[i], slot);
        s->places[s->used++] = (struct slider_place){sum, boxes[i]};
        if (s->used == s->batch)
            slider_flush(s);
    }
    free(boxes);
}

/* How many windows lie over each place along a side. */
static int *cover(int side, int window, int stride)
{
    int *n = mem_zalloc((size_t)side, sizeof *n);
    for (int i = 0; i < slide_count(side, window, stride); i++) {
        struct slide_span at = slide_span(i, side, window, stride);
        for (int k = 0; k < at.length; k++)
            n[at.start + k]++;
    }
    return n;
}

void slider_average(const struct slider *s, struct scores *sum)
{
    int *rows = cover(sum->height, s->size, s->stride),
        *cols = cover(sum->width, s->size, s->stride);
    float *v = sum->v;
    for (int y = 0; y < sum->height; y++)
        for (int x = 0; x < sum->width; x++, v += sum->classes)
            for (int k = 0; rows[y] * cols[x] > 1 && k < sum->classes; k++)
                v[k] /= (float)(rows[y] * cols[x]);
    free(rows);
    free(cols);
}
