/* Image and mask are sampled where preprocess_place.c placed them. Sizes that match need no
 * resampling: then a row is a table look-up a sample, which is what keeps small images fast. */
#include "data/preprocess_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/augment.h"
#include "data/dataset.h"
#include "data/vector.h"

typedef float lanes __attribute__((vector_size(16), aligned(4), may_alias));
typedef int lane_numbers __attribute__((vector_size(16)));

void preprocess_levels(struct preprocess *p)
{
    const float unit = (float)(1.0 / 255);
    for (int c = 0; c < 3; c++)
        for (int v = 0; v < 256; v++) {
            p->unit_level[c][v] = (float)v * unit;
            p->train_level[c][v] = (p->unit_level[c][v] - p->mean[c]) / p->deviation[c];
            p->eval_level[c][v] = ((float)v / 255.0f - p->mean[c]) / p->deviation[c];
        }
}

void preprocess_scratch_release(struct preprocess_scratch *s)
{
    image_release(&s->image);
    image_release(&s->mask);
    image_release(&s->resized);
    scene_scratch_release(&s->scene);
    free(s->rows);
    *s = (struct preprocess_scratch){0};
}

static void fill(float *out, int n, float v)
{
    for (int i = 0; i < n; i++)
        out[i] = v;
}

static void mirror(float *row, int n)
{
    const lane_numbers backwards = {3, 2, 1, 0};
    int a = 0, b = n; /* what is left: a .. b-1 */
    for (; a + 8 <= b; a += 4, b -= 4) {
        lanes first = *(lanes *)(row + a), last = *(lanes *)(row + b - 4);
        *(lanes *)(row + a) = __builtin_shuffle(last, backwards);
        *(lanes *)(row + b - 4) = __builtin_shuffle(first, backwards);
    }
    for (; a < b - 1; a++, b--) {
        float t = row[a];
        row[a] = row[b - 1];
        row[b - 1] = t;
    }
}

static void look_up(const unsigned char *in, ptrdiff_t step, const float *level, float *out, int n)
{
    if (step == 1) {
        for (int x = 0; x < n; x++)
            out[x] = level[in[x]];
    } else {
        for (int x = 0; x < n; x++, in += step)
            out[x] = level[*in];
    }
}

/* Line y of channel c of a placed image, which is as large as at says: black but for outputs from
 * .. to-1. */
struct line {
    const unsigned char *samples;
    ptrdiff_t step;
    int from, to;
};

static struct line line_of(const struct image_view *v, const struct placement *at, int size, int c,
                           int y)
{
    struct line l = {.step = v->step_x};
    int y0, y1;
    preprocess_clip(at->left, at->valid.left, at->valid.width, size, &l.from, &l.to);
    preprocess_clip(at->top, at->valid.top, at->valid.height, size, &y0, &y1);
    if (y < y0 || y >= y1)
        l.to = l.from;
    else
        l.samples = v->data + (c < v->channels ? c : 0) * v->step_c + (at->top + y) * v->step_y +
                    (at->left + l.from) * v->step_x;
    return l;
}

/* u8 samples to normalised floats. */
static void store(const struct image_view *v, const struct placement *at, const float level[3][256],
                  int size, int channels, float *out)
{
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < size; y++, out += size) {
            struct line l = line_of(v, at, size, c, y);
            fill(out, l.from, level[c][0]);
            look_up(l.samples, l.step, level[c], out + l.from, l.to - l.from);
            fill(out + l.to, size - l.to, level[c][0]);
            if (at->is_mirrored)
                mirror(out, size);
        }
}

/* The same as they are. */
static void store_bytes(const struct image_view *v, const struct placement *at, int size,
                        int channels, uint8_t *out)
{
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < size; y++, out += size) {
            struct line l = line_of(v, at, size, c, y);
            int step = at->is_mirrored ? -1 : 1;
            uint8_t *to = out + (at->is_mirrored ? size - 1 - l.from : l.from);
            memset(out, 0, (size_t)size);
            for (int x = l.from; x < l.to; x++, l.samples += l.step, to += step)
                *to = *l.samples;
        }
}

static float *scratch_rows(struct preprocess_scratch *s, size_t n)
{
    if (n > s->rows_capacity) {
        free(s->rows);
        s->rows = mem_zalloc(n, sizeof *s->rows);
        s->rows_capacity = n;
    }
    return s->rows;
}

/* One channel of n pixels. */
static void normalize_row(const float *in, int step, float mean, float deviation, float *out, int n)
{
    for (int x = 0; x < n; x++)
        out[x] = (in[x * step] - mean) / deviation;
}

/* In place. */
VECTOR_CLONES static void normalize_plane(float *x, int n, float mean, float deviation)
{
    for (int i = 0; i < n; i++)
        x[i] = (x[i] - mean) / deviation;
}

/* n interleaved pixels of three channels into rows of three planes. */
static inline __attribute__((always_inline)) void split_rgb(const float *in, const float mean[3],
                                                            const float deviation[3],
                                                            int is_normalized, float *out,
                                                            size_t plane, int n)
{
    const lane_numbers r0 = {0, 3, 6, 0}, r1 = {0, 1, 2, 5}, g0 = {1, 4, 7, 0}, g1 = {0, 1, 2, 6},
                       b0 = {2, 5, 0, 0}, b1 = {0, 1, 4, 7};
    int x = 0;
    for (; x + 4 <= n; x += 4) {
        const float *p = in + 3 * x;
        lanes u = *(const lanes *)p, v = *(const lanes *)(p + 4), w = *(const lanes *)(p + 8);
        lanes r = __builtin_shuffle(__builtin_shuffle(u, v, r0), w, r1);
        lanes g = __builtin_shuffle(__builtin_shuffle(u, v, g0), w, g1);
        lanes b = __builtin_shuffle(__builtin_shuffle(u, v, b0), w, b1);
        if (is_normalized) {
            r = (r - mean[0]) / deviation[0];
            g = (g - mean[1]) / deviation[1];
            b = (b - mean[2]) / deviation[2];
        }
        *(lanes *)(out + x) = r;
        *(lanes *)(out + plane + x) = g;
        *(lanes *)(out + 2 * plane + x) = b;
    }
    for (int c = 0; c < 3; c++)
        for (int i = x; i < n; i++)
            out[c * plane + i] =
                is_normalized ? (in[3 * i + c] - mean[c]) / deviation[c] : in[3 * i + c];
}

VECTOR_CLONES static void normalize_rgb(const float *in, const float mean[3],
                                        const float deviation[3], float *out, size_t plane, int n)
{
    split_rgb(in, mean, deviation, 1, out, plane, n);
}

VECTOR_CLONES static void copy_rgb(const float *in, float *out, size_t plane, int n)
{
    split_rgb(in, NULL, NULL, 0, out, plane, n);
}

/* Floats of 0 to 1, or normalised. */
static void sample_float(const struct preprocess *p, const struct image_view *v,
                         const struct placement *at, int size, int channels, int normalized,
                         struct preprocess_scratch *s, float *out)
{
    static const float zeros[3] = {0, 0, 0}, ones[3] = {1, 1, 1};
    const float *mean = normalized ? p->mean : zeros, *deviation = normalized ? p->deviation : ones;
    size_t rows = resize_float_rows(at->source, size, v->channels);
    size_t pixels = (size_t)size * (size_t)size;
    float *scratch = scratch_rows(s, rows + pixels * (size_t)v->channels),
          *resized = scratch + rows;
    resize_float(v, at->source, size, RESIZE_BILINEAR, scratch, resized);
    for (int y = 0; y < size; y++, resized += size * v->channels) {
        float *row = out + y * size;
        if (channels == 3 && v->channels == 3 && normalized)
            normalize_rgb(resized, mean, deviation, row, pixels, size);
        else if (channels == 3 && v->channels == 3)
            copy_rgb(resized, row, pixels, size);
        else
            for (int c = 0; c < channels; c++)
                normalize_row(resized + (c < v->channels ? c : 0), v->channels, mean[c],
                              deviation[c], row + (size_t)c * pixels, size);
    }
    for (int i = 0; at->is_mirrored && i < channels * size; i++)
        mirror(out + i * size, size);
}

/* Crops of a random resized crop that need no resampling. */
static struct image_view cut(const struct image_view *v, struct box b)
{
    struct image_view part = *v;
    part.data += b.top * v->step_y + b.left * v->step_x;
    part.height = b.height;
    part.width = b.width;
    return part;
}

/* What is kept of a resampled image, in s->resized. */
static struct image_view resized_view(const struct preprocess_scratch *s, int channels)
{
    int width = s->resized.width;
    return (struct image_view){s->resized.rgb, width, s->resized.height,
                               channels,       1,     (ptrdiff_t)width * channels,
                               channels};
}

/* A crop resampled to bytes. */
static struct image_view resample_crop(const struct image_view *v, struct box source, int size,
                                       struct preprocess_scratch *s)
{
    struct image_view part = cut(v, source);
    image_resize_buffer(&s->resized, size, size);
    resize_u8(&part, size, size, (struct box){0, 0, size, size}, RESIZE_BILINEAR, s->resized.rgb);
    return resized_view(s, v->channels);
}

/* Resamples what the window needs; afterwards the window is counted from the resampled part's
 * corner. */
static struct image_view resample(const struct image_view *v, struct placement *at, int size,
                                  struct preprocess_scratch *s)
{
    int x0, x1, y0, y1;
    preprocess_clip(at->left, at->valid.left, at->valid.width, size, &x0, &x1);
    preprocess_clip(at->top, at->valid.top, at->valid.height, size, &y0, &y1);
    struct box w = {at->top + y0, at->left + x0, y1 - y0, x1 - x0};
    image_resize_buffer(&s->resized, w.width, w.height);
    resize_u8(v, at->width, at->height, w, RESIZE_BICUBIC, s->resized.rgb);
    at->top -= w.top;
    at->left -= w.left;
    at->valid = (struct box){0, 0, w.height, w.width};
    return resized_view(s, v->channels);
}

static int contains(struct box b, int row, int column)
{
    return row >= b.top && row < b.top + b.height && column >= b.left && column < b.left + b.width;
}

static void sample_mask(const struct image_view *m, const struct placement *at, int size,
                        uint8_t *out)
{
    double step_y = (double)at->source.height / at->height,
           step_x = (double)at->source.width / at->width;
    for (int y = 0; y < size; y++, out += size)
        for (int x = 0; x < size; x++) {
            int column = at->left + (at->is_mirrored ? size - 1 - x : x), row = at->top + y;
            int inside = contains(at->valid, row, column);
            int sy = at->source.top + (int)((row + 0.5) * step_y),
                sx = at->source.left + (int)((column + 0.5) * step_x);
            out[x] = inside ? m->data[sy * m->step_y + sx * m->step_x] : DATASET_IGNORE;
        }
}

/* The padding comes after the normalisation: it is 0, and its labels are ignored. */
static void sample_scene(const struct preprocess *p, const struct image_view *view,
                         const struct image_view *mask, int size, int channels, struct rng *r,
                         struct preprocess_scratch *s, float *out, uint8_t *mask_out)
{
    struct scene_options o = p->scene;
    if (!o.short_side)
        o.short_side = size;
    struct scene_window w = scene_cut(&o, view, mask, size, r, &s->scene);
    for (int c = 0; c < channels; c++)
        for (int y = 0; y < size; y++, out += size) {
            const unsigned char *row = s->scene.window.rgb + (ptrdiff_t)y * w.width * w.channels;
            int n = y < w.height ? w.width : 0;
            look_up(row + (c < w.channels ? c : 0), w.channels, p->train_level[c], out, n);
            fill(out + n, size - n, 0);
        }
    for (int y = 0; mask && y < size; y++, mask_out += size) {
        int n = y < w.height ? w.width : 0;
        memcpy(mask_out, s->scene.labels.rgb + (ptrdiff_t)(n ? y : 0) * w.width, (size_t)n);
        memset(mask_out + n, DATASET_IGNORE, (size_t)(size - n));
    }
}

/* The view that at is about, resampled where its size is another one; to bytes. */
static struct image_view placed_view(const struct image_view *view, struct placement *at, int size,
                                     struct preprocess_scratch *s)
{
    int resampled = at->source.height != size || at->source.width != size;
    if (at->is_rrc)
        return resampled ? resample_crop(view, at->source, size, s) : cut(view, at->source);
    if (at->height != view->height || at->width != view->width)
        return resample(view, at, size, s);
    return *view;
}

/* The image where it was placed, before colours and shapes change. */
static void sample_image(const struct preprocess *p, const struct image_view *view,
                         struct placement *at, int size, int channels, const float level[3][256],
                         struct preprocess_scratch *s, float *out)
{
    int resampled = at->source.height != size || at->source.width != size;
    if (at->is_rrc && resampled && !augment_on_bytes(&p->augment)) {
        sample_float(p, view, at, size, channels, level != p->unit_level, s, out);
        return;
    }
    struct image_view v = placed_view(view, at, size, s);
    store(&v, at, level, size, channels, out);
}

int preprocess_gives_bytes(const struct preprocess *p, int train)
{
    if (!train || p->crop == CROP_SCENE)
        return !train;
    return augment_is_on(&p->augment) ? augment_on_bytes(&p->augment) : p->crop != CROP_RRC;
}

const float (*preprocess_table(const struct preprocess *p, int train))[256]
{
    return train ? p->train_level : p->eval_level;
}

void preprocess_bytes(const struct preprocess *p, const struct image_view *view, int size,
                      int channels, struct rng *r, struct preprocess_scratch *s, uint8_t *out)
{
    ASSERT(preprocess_gives_bytes(p, r != NULL));
    struct placement at = preprocess_place(p, view->height, view->width, size, r);
    struct image_view v = placed_view(view, &at, size, s);
    store_bytes(&v, &at, size, channels, out);
    if (!r || !augment_is_on(&p->augment))
        return;
    void *scratch = scratch_rows(s, (size_t)(channels * size * size));
    struct augment_bytes im = {out, scratch, channels, size, size};
    augment_apply_bytes(&p->augment, &im, r);
}

static void augment(const struct preprocess *p, int size, int channels, struct rng *r,
                    struct preprocess_scratch *s, float *out)
{
    int n = size * size;
    struct augment_image im = {out, scratch_rows(s, (size_t)(channels * n)), channels, size, size};
    augment_apply(&p->augment, &im, r);
    for (int c = 0; c < channels; c++)
        normalize_plane(out + c * n, n, p->mean[c], p->deviation[c]);
}

void preprocess_sample(const struct preprocess *p, const struct image_view *view,
                       const struct image_view *mask, int size, int channels, struct rng *r,
                       struct preprocess_scratch *s, float *out, uint8_t *mask_out)
{
    if (r && p->crop == CROP_SCENE) {
        sample_scene(p, view, mask, size, channels, r, s, out, mask_out);
        return;
    }
    struct placement at = preprocess_place(p, view->height, view->width, size, r);
    int is_augmented = r && augment_is_on(&p->augment);
    if (mask)
        sample_mask(mask, &at, size, mask_out);
    sample_image(p, view, &at, size, channels,
                 is_augmented ? p->unit_level
                 : r          ? p->train_level
                              : p->eval_level,
                 s, out);
    if (is_augmented)
        augment(p, size, channels, r, s, out);
}
