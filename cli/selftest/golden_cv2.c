/* Resizing and colours of a segmentation's training, as OpenCV has them. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"
#include "data/photometric.h"
#include "data/resize_taps.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void swap_red_blue(unsigned char *x, int64_t pixels)
{
    for (int64_t i = 0; i < pixels; i++, x += 3) {
        unsigned char t = x[0];
        x[0] = x[2];
        x[2] = t;
    }
}

/* linear_HxW of the image, nearest_HxW of its first channel: colours keep their order in both. */
static int check_resize(struct comparison *c, const struct safetensors *f,
                        const struct safetensors_tensor *t, const struct image_view *image,
                        struct error *err)
{
    int height, width, linear = !strncmp(t->name, "linear_", 7);
    const char *size = strchr(t->name, '_');
    if (!size || sscanf(size, "_%dx%d", &height, &width) != 2)
        return error_set(err, "%s: a name with a size is expected", t->name);
    unsigned char *out = mem_alloc((size_t)height * (size_t)width * 3);
    if (linear)
        resize_linear(image, width, height, out);
    else
        resize_nearest(image, width, height, out);
    int rc = segment_compare_bytes(c, f, t->name, out, (int64_t)height * width * (linear ? 3 : 1),
                                   linear ? 1 : 0, err);
    free(out);
    return rc;
}

typedef void distortion(unsigned char *rgb, size_t pixels, double value);

static void brighten(unsigned char *rgb, size_t pixels, double value)
{
    photometric_linear(rgb, 3 * pixels, 1, value);
}

static void contrast(unsigned char *rgb, size_t pixels, double value)
{
    photometric_linear(rgb, 3 * pixels, value, 0);
}

static void shift_hue(unsigned char *rgb, size_t pixels, double value)
{
    photometric_hue(rgb, pixels, (int)value);
}

static void to_hsv(unsigned char *rgb, size_t pixels, double value)
{
    (void)value;
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        unsigned char hsv[3];
        photometric_to_hsv(rgb, hsv);
        rgb[0] = hsv[2]; /* swapped back below */
        rgb[1] = hsv[1];
        rgb[2] = hsv[0];
    }
}

static void there_and_back(unsigned char *rgb, size_t pixels, double value)
{
    (void)value;
    for (size_t i = 0; i < pixels; i++, rgb += 3) {
        unsigned char hsv[3];
        photometric_to_hsv(rgb, hsv);
        photometric_to_rgb(hsv, rgb);
    }
}

static const struct colour_case {
    const char *name, *value; /* the tensor, and which number of the case it takes */
    distortion *distort;
    double allowed; /* levels */
} colours[] = {
    {"brightness", "beta", brighten, 0},
    {"contrast", "alpha", contrast, 0},
    {"saturation", "sat", photometric_saturation, 1},
    {"hue", "hue", shift_hue, 1},
    {"hsv", NULL, to_hsv, 1},
    {"bgr_from_hsv", NULL, there_and_back, 1},
};

static int check_colours(struct comparison *c, const struct safetensors *f, const json_t *json,
                         const unsigned char *bgr, int64_t n, struct error *err)
{
    unsigned char *x = mem_alloc((size_t)n + 1);
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof colours / sizeof *colours; i++) {
        const struct colour_case *k = &colours[i];
        double value = k->value ? json_number_value(json_object_get(json, k->value)) : 0;
        memcpy(x, bgr, (size_t)n);
        swap_red_blue(x, n / 3);
        k->distort(x, (size_t)n / 3, value);
        swap_red_blue(x, n / 3);
        rc = segment_compare_bytes(c, f, k->name, x, n, k->allowed, err);
    }
    free(x);
    return rc;
}

int segment_check_cv2(struct comparison *c, const struct safetensors *f, const json_t *json,
                      struct error *err)
{
    int64_t n = 0;
    unsigned char *bgr = segment_stored_bytes(f, "image_bgr", &n, err);
    if (!bgr)
        return -1;
    const struct safetensors_tensor *image = safetensors_find(f, "image_bgr");
    int height = (int)image->dim[0], width = (int)image->dim[1];
    struct image_view v = {bgr, width, height, 3, 1, (ptrdiff_t)width * 3, 3};
    int rc = check_colours(c, f, json, bgr, n, err);
    for (size_t i = 0; !rc && i < f->n_tensors; i++)
        if (!strncmp(f->tensors[i].name, "linear_", 7) ||
            !strncmp(f->tensors[i].name, "nearest_", 8))
            rc = check_resize(c, f, &f->tensors[i], &v, err);
    free(bgr);
    return rc;
}
