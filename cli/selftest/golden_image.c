/* Golden files about images: decoding, resampling, crops, augmentation and mixing, each through the
 * code that the input pipeline uses. */
#include "base/number.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"
#include "data/augment.h"
#include "data/codec.h"
#include "data/geometry.h"
#include "data/mix.h"
#include "data/preprocess.h"
#include "data/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shared ---------------------------------------------------------------------------------- */

struct image_case {
    const struct safetensors *file;
    const json_t *json;
    struct comparison *result;
    struct error *err;
};

typedef int image_check(struct image_case *g);

static void run_case(struct selftest *t, const char *name, const struct safetensors *file,
                     json_t *json, image_check *check)
{
    struct error err = {0};
    struct comparison result = {0};
    struct image_case g = {file, json, &result, &err};
    int rc = check(&g);
    if (!rc && !result.compared)
        rc = error_set(&err, "holds nothing that could be compared");
    golden_verdict(t, name, "data", rc, &result, &err);
}

/* |got - want| <= tolerance (0: equal) wherever tie, repeated for every plane, is 0; up to `spare`
 * values may be off. */
struct allowance {
    double tolerance, spare;
    const struct safetensors_tensor *tie;
};

static void compare_all(struct image_case *g, const char *name, const float *got, const float *want,
                        int64_t n, struct allowance a)
{
    int64_t off = 0, first = -1;
    g->result->compared++;
    for (int64_t i = 0; i < n; i++) {
        if (a.tie && a.tie->data[i % a.tie->count])
            continue;
        if (!(fabs((double)got[i] - want[i]) <= a.tolerance)) {
            off++;
            first = first < 0 ? i : first;
        }
    }
    if (off <= a.spare * (double)n)
        return;
    g->result->worst = INFINITY;
    snprintf(g->result->what, sizeof g->result->what,
             "%s: %lld of %lld values off, value %lld is %.9g, stored %.9g", name, (long long)off,
             (long long)n, (long long)first, got[first], want[first]);
}

static const struct safetensors_tensor *tensor(struct image_case *g, const char *name)
{
    const struct safetensors_tensor *t = safetensors_find(g->file, name);
    if (!t)
        error_set(g->err, "has no %s", name);
    return t;
}

static float *floats(const struct safetensors_tensor *t)
{
    float *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_float(t, x);
    return x;
}

static double *doubles(const struct safetensors_tensor *t)
{
    double *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_double(t, x);
    return x;
}

static int compare_floats(struct image_case *g, const char *name, const float *got, int64_t n,
                          struct allowance a)
{
    const struct safetensors_tensor *t = tensor(g, name);
    if (!t)
        return -1;
    if (t->count != n)
        return error_set(g->err, "%s has %lld values, not %lld", name, (long long)t->count,
                         (long long)n);
    float *want = floats(t);
    compare_all(g, name, got, want, n, a);
    free(want);
    return 0;
}

static float *of_bytes(const unsigned char *x, int64_t n)
{
    float *out = mem_alloc(sizeof *out * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++)
        out[i] = x[i];
    return out;
}

static int compare_bytes(struct image_case *g, const char *name, const unsigned char *got,
                         int64_t n)
{
    float *x = of_bytes(got, n);
    int rc = compare_floats(g, name, x, n, (struct allowance){0});
    free(x);
    return rc;
}

static void compare_number(struct image_case *g, const char *name, double got, double want,
                           double tolerance)
{
    g->result->compared++;
    if (fabs(got - want) <= tolerance)
        return;
    g->result->worst = INFINITY;
    snprintf(g->result->what, sizeof g->result->what, "%s is %.17g, stored %.17g", name, got, want);
}

static double number(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static int element(const json_t *array, size_t i)
{
    return (int)json_integer_value(json_array_get(array, i));
}

/* ---- decoding -------------------------------------------------------------------------------- */

static int check_codec(struct image_case *g)
{
    const struct safetensors_tensor *bytes = tensor(g, "bytes");
    struct image im = {0};
    int rc = !bytes || codec_decode(bytes->data, bytes->bytes, g->file->path, &im, g->err);
    if (!rc)
        rc = compare_bytes(g, "rgb", im.rgb, (int64_t)im.width * im.height * 3);
    image_release(&im);
    return rc ? -1 : 0;
}

/* ---- resampling ------------------------------------------------------------------------------ */

/* A stored image (H,W,3), or (H,W). */
static struct image_view stored_view(const struct safetensors_tensor *t)
{
    int channels = t->rank == 3 ? (int)t->dim[2] : 1, width = (int)t->dim[1];
    return (struct image_view){
        t->data, width, (int)t->dim[0], channels, 1, (ptrdiff_t)width * channels, channels};
}

static int check_resized(struct image_case *g, const struct image_view *v, const char *name,
                         enum resize_filter filter)
{
    const struct safetensors_tensor *t = tensor(g, name);
    unsigned char *out = mem_alloc((size_t)t->count + 1);
    int height = (int)t->dim[0], width = (int)t->dim[1];
    resize_u8(v, width, height, (struct box){0, 0, height, width}, filter, out);
    int rc = compare_bytes(g, name, out, t->count);
    free(out);
    return rc;
}

static int check_pil_resize(struct image_case *g)
{
    const char *filter = json_string_value(json_object_get(g->json, "filter"));
    const struct safetensors_tensor *image = tensor(g, "image");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++) {
        const char *name = g->file->tensors[i].name;
        if (!strcmp(name, "image"))
            continue;
        struct image_view v = stored_view(image);
        rc = check_resized(g, &v, name,
                           strncmp(filter ? filter : name, "bicubic", 7) ? RESIZE_BILINEAR
                                                                         : RESIZE_BICUBIC);
    }
    return rc;
}

static int check_geometry(struct image_case *g)
{
    const struct safetensors_tensor *t = tensor(g, "h_w_S_C_nh_nw_top_left");
    if (!t)
        return -1;
    double *x = doubles(t);
    for (int64_t i = 0; i < t->dim[0]; i++) {
        const double *row = x + i * 8;
        int h, w;
        geometry_short_side((int)row[0], (int)row[1], (int)row[2], &h, &w);
        compare_number(g, "height", h, row[4], 0);
        compare_number(g, "width", w, row[5], 0);
        compare_number(g, "top", geometry_center(h, (int)row[3]), row[6], 0);
        compare_number(g, "left", geometry_center(w, (int)row[3]), row[7], 0);
    }
    free(x);
    return 0;
}

static struct image_view planar_view(const struct safetensors_tensor *t)
{
    int height = (int)t->dim[1], width = (int)t->dim[2];
    return (struct image_view){t->data, width, height, 3, (ptrdiff_t)width * height, width, 1};
}

/* (size,size,3) -> (3,size,size). */
static void to_planes(const float *in, int size, float *out)
{
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < size * size; i++)
            out[c * size * size + i] = in[i * 3 + c];
}

/* A box of v resampled to (3,size,size), values 0 to 1. */
static float *cropped(const struct image_view *v, struct box b, int size, enum resize_filter filter)
{
    size_t n = 3 * (size_t)size * (size_t)size;
    float *rows = mem_alloc(sizeof *rows * (resize_float_rows(b, size, 3) + 1));
    float *mixed = mem_alloc(sizeof *mixed * n), *out = mem_alloc(sizeof *out * n);
    resize_float(v, b, size, filter, rows, mixed);
    to_planes(mixed, size, out);
    free(rows);
    free(mixed);
    return out;
}

static int check_rrc_tensor(struct image_case *g)
{
    static const char *const names[] = {"bilinear", "bicubic"};
    const json_t *boxes = json_object_get(g->json, "boxes");
    const struct safetensors_tensor *image = tensor(g, "image_u8");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < 2 * json_array_size(boxes) && !rc; i++) {
        const json_t *o = json_array_get(boxes, i / 2);
        struct box b = {(int)number(o, "top"), (int)number(o, "left"), (int)number(o, "h"),
                        (int)number(o, "w")};
        struct image_view v = planar_view(image);
        int size = (int)number(o, "size");
        char name[64];
        snprintf(name, sizeof name, "box%d.%s_aa", (int)(i / 2), names[i % 2]);
        float *x = cropped(&v, b, size, i % 2 ? RESIZE_BICUBIC : RESIZE_BILINEAR);
        rc = compare_floats(g, name, x, 3 * size * size, (struct allowance){.tolerance = 5e-6});
        free(x);
    }
    return rc;
}

/* ---- the evaluation path --------------------------------------------------------------------- */

#define NORM_FIRST_ROW 100 /* of the crop: where the stored rows begin */

static int compare_eval(struct image_case *g, const struct preprocess *p, const float *x, int size)
{
    const struct safetensors_tensor *rows = tensor(g, "norm_rows");
    int n = size * size;
    if (!rows || rows->rank != 3 || rows->dim[1] > size - NORM_FIRST_ROW)
        return error_set(g->err, "has no norm_rows of that size");
    int some = (int)rows->dim[1] * size;
    float *part = mem_alloc(sizeof *part * 3 * (size_t)some);
    unsigned char *crop = mem_alloc(3 * (size_t)n);
    for (int c = 0; c < 3; c++) {
        memcpy(part + c * some, x + c * n + NORM_FIRST_ROW * size, sizeof *part * (size_t)some);
        for (int i = 0; i < n; i++)
            crop[3 * i + c] =
                (unsigned char)lrintf((x[c * n + i] * p->deviation[c] + p->mean[c]) * 255);
    }
    int rc = compare_floats(g, "norm_rows", part, 3 * some, (struct allowance){.tolerance = 1e-6});
    if (!rc)
        rc = compare_bytes(g, "crop_u8", crop, 3 * n);
    free(part);
    free(crop);
    return rc;
}

static int check_eval(struct image_case *g)
{
    const struct safetensors_tensor *image = tensor(g, "image");
    struct preprocess p = {0};
    struct preprocess_scratch scratch = {0};
    int size = (int)number(g->json, "crop");
    if (!image)
        return -1;
    for (size_t c = 0; c < 3; c++) {
        p.mean[c] = (float)json_number_value(json_array_get(json_object_get(g->json, "mean"), c));
        p.deviation[c] =
            (float)json_number_value(json_array_get(json_object_get(g->json, "std"), c));
    }
    p.eval_crop_ratio = size / number(g->json, "resize");
    preprocess_levels(&p);
    float *x = mem_alloc(sizeof *x * 3 * (size_t)(size * size));
    struct image_view v = stored_view(image);
    preprocess_sample(&p, &v, NULL, size, 3, NULL, &scratch, x, NULL);
    int rc = compare_eval(g, &p, x, size);
    preprocess_scratch_release(&scratch);
    free(x);
    return rc;
}

/* ---- drawn rectangles ------------------------------------------------------------------------ */

typedef int try_size(int height, int width, double share, double aspect, int *h, int *w);

/* Row by row: the first of ten draws that is accepted, and its place. */
static int check_draws(struct image_case *g, try_size *accept, int is_rrc)
{
    static const char *const names[] = {"H_W",    "area_frac", "aspect",
                                        "u_left", "u_top",     "top_left_h_w_try"};
    double *x[6] = {0};
    int64_t rows = 0;
    int rc = 0;
    for (int i = 0; i < 6 && !rc; i++) {
        const struct safetensors_tensor *t = tensor(g, names[i]);
        rc = t ? 0 : -1;
        x[i] = t ? doubles(t) : NULL;
        rows = t ? t->dim[0] : 0;
    }
    for (int64_t i = 0; i < rows && !rc; i++) {
        int height = (int)x[0][2 * i], width = (int)x[0][2 * i + 1], found = -1;
        const double *want = x[5] + 5 * i;
        struct box b = {0};
        for (int k = 0; k < 10 && found < 0; k++) {
            int64_t at = 10 * i + k;
            if (!accept(height, width, x[1][at], x[2][at], &b.height, &b.width))
                continue;
            found = k;
            b.top = (int)(x[4][at] * (height - b.height + 1));
            b.left = (int)(x[3][at] * (width - b.width + 1));
        }
        if (found < 0)
            b = is_rrc ? geometry_rrc_fallback(height, width, 3.0 / 4, 4.0 / 3) : (struct box){0};
        compare_number(g, "try", found, want[4], 0);
        if (found < 0 && !is_rrc)
            continue;
        compare_number(g, "top", b.top, want[0], 0);
        compare_number(g, "left", b.left, want[1], 0);
        compare_number(g, "height", b.height, want[2], 0);
        compare_number(g, "width", b.width, want[3], 0);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}

static int check_rrc_params(struct image_case *g)
{
    return check_draws(g, geometry_rrc_size, 1);
}

static int check_erase_params(struct image_case *g)
{
    return check_draws(g, mix_erase_size, 0);
}

static int check_cutmix_boxes(struct image_case *g)
{
    const struct safetensors_tensor *boxes = tensor(g, "W_H_rx_ry_x1_y1_x2_y2"),
                                    *lambdas = tensor(g, "lam_lamadj");
    if (!boxes || !lambdas)
        return -1;
    double *x = doubles(boxes), *l = doubles(lambdas);
    for (int64_t i = 0; i < boxes->dim[0]; i++) {
        const double *row = x + 8 * i;
        double lambda = l[2 * i];
        struct box b = mix_cutmix_box(&lambda, (int)row[2], (int)row[3], (int)row[1], (int)row[0]);
        compare_number(g, "x1", b.left, row[4], 0);
        compare_number(g, "y1", b.top, row[5], 0);
        compare_number(g, "x2", b.left + b.width, row[6], 0);
        compare_number(g, "y2", b.top + b.height, row[7], 0);
        compare_number(g, "lambda", lambda, l[2 * i + 1], 1e-12);
    }
    free(x);
    free(l);
    return 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Follows p with the file's images and compares; labels too where there are any. */
static int follow(struct image_case *g, struct mix_plan *p, const struct safetensors_tensor *images,
                  double tolerance)
{
    int batch = (int)images->dim[0], classes = (int)number(g->json, "num_classes");
    float *in = floats(images), *out = mem_alloc(sizeof *out * (size_t)(images->count + 1));
    mix_apply(p, batch, (int)images->dim[1], (int)images->dim[2], (int)images->dim[3], in, out);
    int rc = compare_floats(g, "out_images", out, images->count,
                            (struct allowance){.tolerance = tolerance});
    free(in);
    free(out);
    const struct safetensors_tensor *t = safetensors_find(g->file, "labels");
    if (rc || !t)
        return rc;
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)(t->count + 1));
    float *targets = mem_alloc(sizeof *targets * (size_t)(batch * classes + 1));
    rc = safetensors_read_int32(t, labels, g->err);
    if (!rc) {
        mix_targets(p, labels, batch, classes, targets);
        rc = compare_floats(g, "out_targets", targets, batch * classes,
                            (struct allowance){.tolerance = 1e-6});
    }
    free(labels);
    free(targets);
    return rc;
}

static int check_mix(struct image_case *g)
{
    const struct safetensors_tensor *images = tensor(g, "images"), *perm = tensor(g, "perm");
    const json_t *b = json_object_get(g->json, "box_x1y1x2y2");
    struct mix_plan p;
    if (!images || !perm || perm->count != images->dim[0])
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    p.kind = b ? MIX_CUTMIX : MIX_MIXUP;
    p.lambda = number(g->json, b ? "lam_adjusted" : "lam");
    if (b)
        p.box = (struct box){element(b, 1), element(b, 0), element(b, 3) - element(b, 1),
                             element(b, 2) - element(b, 0)};
    int rc = safetensors_read_int32(perm, p.partner, g->err);
    if (!rc)
        rc = follow(g, &p, images, b ? 0 : 1e-6);
    mix_plan_release(&p);
    return rc;
}

static int check_erase(struct image_case *g)
{
    const struct safetensors_tensor *images = tensor(g, "images");
    struct mix_plan p;
    if (!images)
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    for (int64_t i = 0; i < images->dim[0]; i++)
        p.erased[i] = (struct box){(int)number(g->json, "top"), (int)number(g->json, "left"),
                                   (int)number(g->json, "h"), (int)number(g->json, "w")};
    int rc = follow(g, &p, images, 0);
    mix_plan_release(&p);
    return rc;
}

/* ---- augmentation ---------------------------------------------------------------------------- */

static int check_space(struct image_case *g)
{
    for (size_t i = 0; i < g->file->n_tensors; i++) {
        const struct safetensors_tensor *t = &g->file->tensors[i];
        char name[32] = "";
        int height = 224, width = 224;
        sscanf(t->name, "%31[^_]_%dx%d", name, &height, &width);
        const struct augmentation *a = augmentation_named(name);
        if (!a || !a->magnitude)
            return error_set(g->err, "%s is no operation with a magnitude", t->name);
        double *want = doubles(t);
        for (int k = 0; k < (int)t->count; k++)
            compare_number(g, t->name, a->magnitude(k, height, width), want[k], 1e-6);
        free(want);
    }
    return 0;
}

/* u8 (3,H,W) as an image of 0 to 1. */
static struct augment_image opened(const struct safetensors_tensor *t)
{
    struct augment_image im = {floats(t), NULL, 3, (int)t->dim[1], (int)t->dim[2]};
    for (int64_t i = 0; i < t->count; i++)
        im.x[i] *= (float)(1.0 / 255);
    im.scratch = mem_alloc(sizeof *im.scratch * (size_t)(im.height * im.width + 1));
    return im;
}

static void closed(struct augment_image *im)
{
    free(im->x);
    free(im->scratch);
}

/* Runs one operation on an image and compares. */
typedef int run_job(struct image_case *g, const struct augmentation *a, double magnitude,
                    const struct safetensors_tensor *image, const char *out,
                    const struct safetensors_tensor *tie);

static int job_float(struct image_case *g, const struct augmentation *a, double magnitude,
                     const struct safetensors_tensor *image, const char *out,
                     const struct safetensors_tensor *tie)
{
    struct augment_image im = opened(image);
    a->apply(&im, magnitude);
    int rc = compare_floats(g, out, im.x, image->count,
                            (struct allowance){.tolerance = 2e-6, .tie = tie});
    closed(&im);
    return rc;
}

/* Planes, or with channels last. */
static int job_bytes(struct image_case *g, void (*apply)(struct augment_bytes *im, double m),
                     double magnitude, const struct safetensors_tensor *image, int is_last,
                     const char *out, const struct safetensors_tensor *tie)
{
    int channels = (int)image->dim[is_last ? 2 : 0], height = (int)image->dim[!is_last];
    int n = (int)image->count, plane = n / channels;
    unsigned char *x = mem_alloc((size_t)n + (size_t)plane), *back = mem_alloc((size_t)n + 1);
    struct augment_bytes im = {x, x + n, channels, height, plane / height};
    for (int i = 0; i < n; i++)
        x[is_last ? i % channels * plane + i / channels : i] = image->data[i];
    apply(&im, magnitude);
    for (int i = 0; i < n; i++)
        back[i] = x[is_last ? i % channels * plane + i / channels : i];
    float *got = of_bytes(back, n);
    int rc = compare_floats(g, out, got, n, (struct allowance){.tie = tie});
    free(got);
    free(back);
    free(x);
    return rc;
}

static int job_u8(struct image_case *g, const struct augmentation *a, double magnitude,
                  const struct safetensors_tensor *image, const char *out,
                  const struct safetensors_tensor *tie)
{
    return job_bytes(g, a->apply_u8, magnitude, image, 0, out, tie);
}

static int job_pil(struct image_case *g, const struct augmentation *a, double magnitude,
                   const struct safetensors_tensor *image, const char *out,
                   const struct safetensors_tensor *tie)
{
    return job_bytes(g, a->apply_pil, magnitude, image, 1, out, tie);
}

static const struct {
    const char *name, *image; /* the flavour's, as files begin with it; the image's tensor */
    run_job *run;
} job_kinds[] = {
    {"tensor float32", "image_u8", job_float},
    {"tensor uint8", "image_u8", job_u8},
    {"PIL uint8", "image", job_pil},
};

static int check_job(struct image_case *g, const struct augmentation *a, const json_t *job,
                     int kind)
{
    const char *key = json_string_value(json_object_get(job, "key"));
    char image[64], tie[64], out[64];
    snprintf(image, sizeof image, "%s.%s", key, job_kinds[kind].image);
    snprintf(tie, sizeof tie, "%s.tie", key);
    snprintf(out, sizeof out, "%s.out", key);
    const struct safetensors_tensor *t = safetensors_find(g->file, image);
    t = t ? t : tensor(g, job_kinds[kind].image);
    return t ? job_kinds[kind].run(g, a, number(job, "magnitude"), t, out,
                                   safetensors_find(g->file, tie))
             : -1;
}

static int find_flavour(struct image_case *g)
{
    const char *name = json_string_value(json_object_get(g->json, "flavour"));
    for (int i = 0; name && i < (int)(sizeof job_kinds / sizeof *job_kinds); i++)
        if (!strncmp(name, job_kinds[i].name, strlen(job_kinds[i].name)))
            return i;
    return error_set(g->err, "RandAugment on %s is not known", name ? name : "unnamed data");
}

static int check_randaug(struct image_case *g)
{
    const char *op = json_string_value(json_object_get(g->json, "op"));
    const struct augmentation *a = op ? augmentation_named(op) : NULL;
    const json_t *jobs = json_object_get(g->json, "jobs");
    int kind = find_flavour(g), rc = kind < 0 ? -1 : 0;
    if (!a)
        return error_set(g->err, "names no known operation");
    for (size_t i = 0; i < json_array_size(jobs) && !rc; i++)
        rc = check_job(g, a, json_array_get(jobs, i), kind);
    return rc;
}

static void jitter(struct augment_image *im, const json_t *o, char part)
{
    if (part == 'b')
        augmentation_Brightness.apply(im, number(o, "brightness") - 1);
    else if (part == 'c')
        augmentation_Contrast.apply(im, number(o, "contrast") - 1);
    else if (part == 's')
        augmentation_Color.apply(im, number(o, "saturation") - 1);
    else if (part == 'h')
        augment_hue(im, number(o, "hue"));
}

/* The number at the end of an operation's name. */
static double number_in(const char *text)
{
    double value;
    return number_float(text, &value) ? NAN : value;
}

static void three_part(struct augment_image *im, const json_t *o, const char *name)
{
    if (!strncmp(name, "blur_", 5))
        augment_blur(im, number_in(name + 5));
    else if (!strncmp(name, "solarize_", 9))
        augmentation_Solarize.apply(im, number_in(name + 9));
    else if (!strcmp(name, "grayscale"))
        augment_grayscale(im);
    else if (!strcmp(name, "hue"))
        jitter(im, o, 'h');
    else
        for (const char *c = name + strlen("jitter"); *c; c++)
            jitter(im, o, *c);
}

static int check_three(struct image_case *g)
{
    const struct safetensors_tensor *image = tensor(g, "image_u8");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++) {
        const char *name = g->file->tensors[i].name;
        if (!strcmp(name, "image_u8"))
            continue;
        int coarse = !strcmp(name, "hue") || !strncmp(name, "jitter", 6);
        struct augment_image im = opened(image);
        three_part(&im, g->json, name);
        rc = compare_floats(g, name, im.x, image->count,
                            (struct allowance){.tolerance = coarse ? 1e-5 : 5e-6});
        closed(&im);
    }
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define RUN(kind)                                                                                  \
    static void run_##kind(struct selftest *t, const char *name, const struct safetensors *file,   \
                           json_t *json)                                                           \
    {                                                                                              \
        run_case(t, name, file, json, check_##kind);                                               \
    }
RUN(codec)
RUN(pil_resize)
RUN(geometry)
RUN(eval)
RUN(rrc_tensor)
RUN(rrc_params)
RUN(erase_params)
RUN(cutmix_boxes)
RUN(mix)
RUN(erase)
RUN(space)
RUN(three)
RUN(randaug)
#undef RUN

const struct golden_kind golden_image_kinds[] = {
    {"jpeg", run_codec},
    {"png", run_codec},
    {"pil_resize", run_pil_resize},
    {"pil_resize_gray", run_pil_resize},
    {"resize_crop_geometry", run_geometry},
    {"eval_pipeline", run_eval},
    {"rrc_tensor", run_rrc_tensor},
    {"rrc_params", run_rrc_params},
    {"erase_params", run_erase_params},
    {"cutmix_box", run_cutmix_boxes},
    {"mixup", run_mix},
    {"cutmix", run_mix},
    {"erase", run_erase},
    {"randaug_space", run_space},
    {"randaug", run_randaug},
    {"three_augment", run_three},
    {NULL, NULL},
};
