/* Drawing is in three steps: the scene is drawn at random, then background and noise are laid down,
 * then the shapes, each within its own square, antialiased by the distance to its outline. */
#include "data/shapes.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/strbuf.h"
#include "data/shapes_outline.h"

#define VERSION         "shapes 1" /* goes into the hash: change it with anything that changes a pixel */
#define MAX_DISTRACTORS 3
#define MAX_LINES       2
#define USUAL_HUE       0.35 /* share of figures that have the hue of their class */
#define TILT            0.6  /* radians to either side */

struct color {
    float c[3]; /* 0 .. 255 */
};

struct figure {
    int class;
    float x, y, radius, cosine, sine; /* of the unit square */
    struct color color;
    float shade; /* how much darker the color is at the far side */
};

struct line {
    float x, y, nx, ny, half_width;
    struct color color;
};

struct scene {
    struct color corner[3]; /* top left, its change to the right and down */
    float noise;
    struct line lines[MAX_LINES];
    int n_lines;
    struct figure figures[MAX_DISTRACTORS + 1]; /* the last is the large one */
    int n_figures;
};

static struct color random_color(struct rng *r, float hue, double darkest, double brightest)
{
    float saturation = (float)rng_range(r, 0.2, 0.95),
          value = (float)rng_range(r, darkest, brightest);
    struct color out;
    for (int i = 0; i < 3; i++) {
        float k = fabsf(fmodf(hue + 2 * (float)i, 6) - 3) - 1; /* 1 near its own hue, 0 opposite */
        k = k < 0 ? 0 : k > 1 ? 1 : k;
        out.c[i] = value * (1 - saturation + saturation * k);
    }
    return out;
}

static float any_hue(struct rng *r)
{
    return (float)rng_range(r, 0, 6);
}

/* Each class has a hue that it takes more often than others, as bananas are mostly yellow: a first
 * hint, of which alone no classifier gets far. */
static float class_hue(struct rng *r, int class)
{
    float usual = 6 * ((float)class + (float)rng_uniform(r)) / SHAPES_CLASSES, other = any_hue(r);
    return rng_uniform(r) < USUAL_HUE ? usual : other;
}

static float luminance(struct color a)
{
    return 0.3f * a.c[0] + 0.6f * a.c[1] + 0.1f * a.c[2];
}

static struct color background_at(const struct scene *s, float x, float y)
{
    struct color out;
    for (int i = 0; i < 3; i++)
        out.c[i] = s->corner[0].c[i] + x * s->corner[1].c[i] + y * s->corner[2].c[i];
    return out;
}

/* Figures are brighter than what is behind them. */
static struct color figure_color(struct rng *r, int class, struct color behind, float least)
{
    struct color best = random_color(r, class_hue(r, class), 110, 255);
    for (int i = 0; i < 8 && luminance(best) < luminance(behind) + least; i++) {
        struct color other = random_color(r, class_hue(r, class), 110, 255);
        if (luminance(other) > luminance(best))
            best = other;
    }
    return best;
}

static void random_background(struct scene *s, struct rng *r)
{
    struct color corner[3];
    float strength = (float)rng_range(r, 0.2, 0.7);
    for (int k = 0; k < 3; k++)
        corner[k] = random_color(r, any_hue(r), 15, 150);
    s->corner[0] = corner[0];
    for (int i = 0; i < 3; i++) {
        s->corner[1].c[i] = strength * (corner[1].c[i] - corner[0].c[i]);
        s->corner[2].c[i] = strength * (corner[2].c[i] - corner[0].c[i]);
    }
    s->noise = (float)rng_range(r, 2, 22);
}

static void random_figure(struct scene *s, struct rng *r, int class, double radius, float contrast)
{
    struct figure *f = &s->figures[s->n_figures++];
    double angle = rng_range(r, -TILT, TILT), margin = 0.95 * radius;
    *f = (struct figure){.class = class, .radius = (float)radius};
    f->x = (float)rng_range(r, margin, 1 - margin);
    f->y = (float)rng_range(r, margin, 1 - margin);
    f->cosine = (float)cos(angle);
    f->sine = (float)sin(angle);
    f->color = figure_color(r, class, background_at(s, f->x, f->y), contrast);
    f->shade = (float)rng_range(r, 0, 0.35);
}

static void random_line(struct scene *s, struct rng *r)
{
    struct line *l = &s->lines[s->n_lines++];
    double angle = rng_range(r, 0, M_PI);
    l->x = (float)rng_uniform(r);
    l->y = (float)rng_uniform(r);
    l->nx = (float)cos(angle);
    l->ny = (float)sin(angle);
    l->half_width = (float)rng_range(r, 0.008, 0.025);
    l->color = random_color(r, any_hue(r), 40, 220);
}

/* Distractors have other classes than the large figure and at most a third of its radius. */
static int random_scene(struct scene *s, struct rng *r)
{
    int class = (int)rng_below(r, SHAPES_CLASSES);
    int n_lines = (int)rng_below(r, MAX_LINES + 1),
        n_distractors = (int)rng_below(r, MAX_DISTRACTORS + 1);
    double radius = rng_range(r, 0.24, 0.44);
    s->n_lines = s->n_figures = 0;
    random_background(s, r);
    for (int i = 0; i < n_lines; i++)
        random_line(s, r);
    for (int i = 0; i < n_distractors; i++) {
        int other = (class + 1 + (int)rng_below(r, SHAPES_CLASSES - 1)) % SHAPES_CLASSES;
        random_figure(s, r, other, radius * rng_range(r, 0.2, 0.34), 20);
    }
    random_figure(s, r, class, radius, 50);
    return class;
}

static unsigned char to_byte(float v)
{
    return (unsigned char)(v < 0 ? 0 : v > 255 ? 255 : v + 0.5f);
}

static void mix(float *pixel, const float *color, float share)
{
    for (int i = 0; i < 3; i++)
        pixel[i] += share * (color[i] - pixel[i]);
}

static float clamp01(float v)
{
    return v < 0 ? 0 : v > 1 ? 1 : v;
}

static void draw_background(const struct scene *s, int size, float *out)
{
    float step = 1 / (float)size;
    for (int y = 0; y < size; y++) {
        struct color row = background_at(s, 0.5f * step, ((float)y + 0.5f) * step);
        for (int x = 0; x < size; x++, out += 3)
            for (int i = 0; i < 3; i++)
                out[i] = row.c[i] + (float)x * step * s->corner[1].c[i];
    }
}

static void draw_line(const struct line *l, int size, float *out)
{
    float step = 1 / (float)size;
    for (int y = 0; y < size; y++)
        for (int x = 0; x < size; x++, out += 3) {
            float dx = ((float)x + 0.5f) * step - l->x, dy = ((float)y + 0.5f) * step - l->y;
            float d = fabsf(dx * l->nx + dy * l->ny) - l->half_width;
            if (d < step)
                mix(out, l->color.c, clamp01(0.5f - d * (float)size));
        }
}

/* The share of each pixel that the figure covers, pixel by pixel in its square. */
static void draw_figure(const struct figure *f, int size, float *rgb, unsigned char *mask)
{
    float (*distance)(float, float) = shapes_outlines[f->class].distance;
    float n = (float)size, scale = 1 / f->radius, pixels = f->radius * n;
    int x0 = (int)fmaxf((f->x - f->radius) * n - 1, 0),
        x1 = (int)fminf((f->x + f->radius) * n + 2, n);
    int y0 = (int)fmaxf((f->y - f->radius) * n - 1, 0),
        y1 = (int)fminf((f->y + f->radius) * n + 2, n);
    for (int y = y0; y < y1; y++)
        for (int x = x0; x < x1; x++) {
            float dx = (((float)x + 0.5f) / n - f->x) * scale,
                  dy = (((float)y + 0.5f) / n - f->y) * scale;
            if (dx * dx + dy * dy > 1.21f + 2 / pixels)
                continue;
            float u = f->cosine * dx + f->sine * dy, v = f->cosine * dy - f->sine * dx;
            float share = clamp01(0.5f - distance(u, v) * pixels);
            if (share <= 0)
                continue;
            float light = 1 - f->shade * 0.5f * (1 + dy);
            float color[3] = {light * f->color.c[0], light * f->color.c[1], light * f->color.c[2]};
            mix(rgb + 3 * ((ptrdiff_t)y * size + x), color, share);
            if (mask && share >= 0.5f)
                mask[(ptrdiff_t)y * size + x] = (unsigned char)(1 + f->class);
        }
}

/* Noise is four bytes of one random word, so that it costs less than the shapes. */
static void add_noise(const struct scene *s, struct rng *r, const float *in, size_t n,
                      unsigned char *out)
{
    float scale = s->noise / 127.5f;
    uint32_t word = 0;
    for (size_t i = 0; i < n; i++, word >>= 8) {
        if (i % 4 == 0)
            word = rng_u32(r);
        out[i] = to_byte(in[i] + scale * ((float)(word & 255) - 127.5f));
    }
}

int shapes_draw(enum split split, int64_t i, int size, unsigned char *rgb, unsigned char *mask)
{
    struct rng r;
    struct scene s;
    size_t pixels = (size_t)size * (size_t)size;
    rng_init(&r, 0, VERSION, (uint64_t)split, (uint64_t)i);
    int class = random_scene(&s, &r);
    if (!rgb && !mask)
        return class;
    float *canvas = mem_alloc(pixels * 3 * sizeof *canvas);
    if (mask)
        memset(mask, 0, pixels);
    draw_background(&s, size, canvas);
    for (int k = 0; k < s.n_lines; k++)
        draw_line(&s.lines[k], size, canvas);
    for (int k = 0; k < s.n_figures; k++)
        draw_figure(&s.figures[k], size, canvas, mask);
    if (rgb)
        add_noise(&s, &r, canvas, 3 * pixels, rgb);
    free(canvas);
    return class;
}

static int shapes_open(struct dataset **out, const struct config *c, enum split split,
                       struct error *err)
{
    static const float mean[3] = {0.301f, 0.311f, 0.294f}, deviation[3] = {0.187f, 0.189f, 0.181f};
    int64_t usual = split == SPLIT_TRAIN ? 50000 : 10000;
    int64_t asked = config_int(c, split == SPLIT_TRAIN ? "data.train_size" : "data.val_size");
    (void)err;
    struct dataset *d = mem_zalloc(1, sizeof *d);
    *d = (struct dataset){.kind = &dataset_shapes,
                          .split = split,
                          .total = asked > usual ? asked : usual,
                          .classes = SHAPES_CLASSES,
                          .mask_classes = SHAPES_CLASSES + 1,
                          .channels = 3};
    memcpy(d->mean, mean, sizeof mean);
    memcpy(d->deviation, deviation, sizeof deviation);
    *out = d;
    return 0;
}

static void shapes_close(struct dataset *d)
{
    free(d);
}

static int shapes_label(const struct dataset *d, int64_t i)
{
    return shapes_draw(d->split, i, 1, NULL, NULL);
}

static const char *shapes_class_name(const struct dataset *d, int k)
{
    (void)d;
    return shapes_outlines[k].name;
}

static const char *shapes_mask_class_name(const struct dataset *d, int k)
{
    return k ? shapes_class_name(d, k - 1) : "background";
}

static int shapes_read(const struct dataset *d, int64_t i, int size, struct image *scratch,
                       struct image_view *view, struct error *err)
{
    (void)err;
    image_resize_buffer(scratch, size, size);
    shapes_draw(d->split, i, size, scratch->rgb, NULL);
    *view = image_view(scratch);
    return 0;
}

static int shapes_mask(const struct dataset *d, int64_t i, int size, struct image *scratch,
                       struct image_view *view, struct error *err)
{
    (void)err;
    image_resize_buffer(scratch, size, size);
    shapes_draw(d->split, i, size, NULL, scratch->rgb);
    *view = (struct image_view){scratch->rgb, size, size, 1, 0, size, 1};
    return 0;
}

static int shapes_hash(const struct dataset *d, char hex[65], struct error *err)
{
    (void)d, (void)err;
    file_sha256_bytes(VERSION, strlen(VERSION), hex);
    return 0;
}

static const struct config_key keys[] = {PREPROCESS_KEYS("true", "none", "1"), {0}};

const struct dataset_kind dataset_shapes = {
    .choice = {"shapes", "built in: drawn shapes in 10 classes, with masks, at any resolution",
               keys},
    .train_images = 50000,
    .val_images = 10000,
    .known_classes = SHAPES_CLASSES,
    .open = shapes_open,
    .close = shapes_close,
    .label = shapes_label,
    .class_name = shapes_class_name,
    .mask_class_name = shapes_mask_class_name,
    .read = shapes_read,
    .mask = shapes_mask,
    .hash = shapes_hash,
};
