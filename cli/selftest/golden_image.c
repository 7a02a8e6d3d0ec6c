/* Golden files about images: decoding, resampling, crops and mixing, each through the code that the
 * input pipeline uses. */
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "cli/selftest/golden_case.h"
#include "data/codec.h"
#include "data/geometry.h"
#include "data/mix.h"
#include "data/preprocess.h"
#include "data/resize.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- decoding -------------------------------------------------------------------------------- */

static int check_codec(struct golden_case *g)
{
    const struct safetensors_tensor *bytes = case_tensor(g, "bytes");
    struct image im = {0};
    int rc = !bytes || codec_decode(bytes->data, bytes->bytes, g->file->path, &im, g->err);
    if (!rc)
        rc = case_compare_bytes(g, "rgb", im.rgb, (int64_t)im.width * im.height * 3);
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

static int check_resized(struct golden_case *g, const struct image_view *v, const char *name,
                         enum resize_filter filter)
{
    const struct safetensors_tensor *t = case_tensor(g, name);
    unsigned char *out = mem_alloc((size_t)t->count + 1);
    int height = (int)t->dim[0], width = (int)t->dim[1];
    resize_u8(v, width, height, (struct box){0, 0, height, width}, filter, out);
    int rc = case_compare_bytes(g, name, out, t->count);
    free(out);
    return rc;
}

static int check_pil_resize(struct golden_case *g)
{
    const char *filter = json_string_value(json_object_get(g->json, "filter"));
    const struct safetensors_tensor *image = case_tensor(g, "image");
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

static int check_geometry(struct golden_case *g)
{
    const struct safetensors_tensor *t = case_tensor(g, "h_w_S_C_nh_nw_top_left");
    if (!t)
        return -1;
    double *x = case_doubles(t);
    for (int64_t i = 0; i < t->dim[0]; i++) {
        const double *row = x + i * 8;
        int h, w;
        geometry_short_side((int)row[0], (int)row[1], (int)row[2], &h, &w);
        case_compare_number(g, "height", h, row[4], 0);
        case_compare_number(g, "width", w, row[5], 0);
        case_compare_number(g, "top", geometry_center(h, (int)row[3]), row[6], 0);
        case_compare_number(g, "left", geometry_center(w, (int)row[3]), row[7], 0);
    }
    free(x);
    return 0;
}

static int check_rrc_tensor(struct golden_case *g)
{
    static const char *const names[] = {"bilinear", "bicubic"};
    const json_t *boxes = json_object_get(g->json, "boxes");
    const struct safetensors_tensor *image = case_tensor(g, "image_u8");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < 2 * json_array_size(boxes) && !rc; i++) {
        const json_t *o = json_array_get(boxes, i / 2);
        struct box b = {(int)golden_number(o, "top"), (int)golden_number(o, "left"),
                        (int)golden_number(o, "h"), (int)golden_number(o, "w")};
        struct image_view v = case_planar_view(image);
        int size = (int)golden_number(o, "size");
        char name[64];
        snprintf(name, sizeof name, "box%d.%s_aa", (int)(i / 2), names[i % 2]);
        float *x = case_cropped(&v, b, size, i % 2 ? RESIZE_BICUBIC : RESIZE_BILINEAR);
        rc =
            case_compare(g, name, x, 3 * size * size, (struct golden_allowance){.tolerance = 5e-6});
        free(x);
    }
    return rc;
}

/* ---- the evaluation path --------------------------------------------------------------------- */

#define NORM_FIRST_ROW 100 /* of the crop: where the stored rows begin */

/* Mean and deviation of the case. */
static struct preprocess normalization(const struct golden_case *g)
{
    struct preprocess p = {0};
    for (size_t c = 0; c < 3; c++) {
        p.mean[c] = (float)json_number_value(json_array_get(json_object_get(g->json, "mean"), c));
        p.deviation[c] =
            (float)json_number_value(json_array_get(json_object_get(g->json, "std"), c));
    }
    return p;
}

/* Normalised (3,n) back to bytes (n,3). */
static void bytes_of(const struct preprocess *p, const float *x, int n, unsigned char *out)
{
    for (int i = 0; i < 3 * n; i++) {
        int c = i % 3;
        out[i] = (unsigned char)lrintf((x[c * n + i / 3] * p->deviation[c] + p->mean[c]) * 255);
    }
}

static int compare_eval(struct golden_case *g, const struct preprocess *p, const float *x, int size)
{
    const struct safetensors_tensor *rows = case_tensor(g, "norm_rows");
    int n = size * size;
    if (!rows || rows->rank != 3 || rows->dim[1] > size - NORM_FIRST_ROW)
        return error_set(g->err, "has no norm_rows of that size");
    int some = (int)rows->dim[1] * size;
    float *part = mem_alloc(sizeof *part * 3 * (size_t)some);
    unsigned char *crop = mem_alloc(3 * (size_t)n);
    for (int c = 0; c < 3; c++)
        memcpy(part + c * some, x + c * n + NORM_FIRST_ROW * size, sizeof *part * (size_t)some);
    bytes_of(p, x, n, crop);
    int rc =
        case_compare(g, "norm_rows", part, 3 * some, (struct golden_allowance){.tolerance = 1e-6});
    if (!rc)
        rc = case_compare_bytes(g, "crop_u8", crop, 3 * n);
    free(part);
    free(crop);
    return rc;
}

static int check_eval(struct golden_case *g)
{
    const struct safetensors_tensor *image = case_tensor(g, "image");
    struct preprocess p = normalization(g);
    struct preprocess_scratch scratch = {0};
    int size = (int)golden_number(g->json, "crop");
    if (!image)
        return -1;
    p.eval_crop_ratio = size / golden_number(g->json, "resize");
    preprocess_levels(&p);
    float *x = mem_alloc(sizeof *x * 3 * (size_t)(size * size));
    struct image_view v = stored_view(image);
    preprocess_sample(&p, &v, NULL, size, 3, NULL, &scratch, x, NULL);
    int rc = compare_eval(g, &p, x, size);
    preprocess_scratch_release(&scratch);
    free(x);
    return rc;
}

/* ---- crops, mirror, normalisation ------------------------------------------------------------ */

/* The evaluation's centre crop of an image whose short side stays: back from normalised values. */
static int check_crop(struct golden_case *g, const struct preprocess *like,
                      const struct image_view *v, const char *name)
{
    const struct safetensors_tensor *want = case_tensor(g, name);
    struct preprocess p = *like;
    struct preprocess_scratch scratch = {0};
    if (!want)
        return -1;
    int size = (int)want->dim[0], n = size * size;
    p.eval_crop_ratio = (double)size / (v->height < v->width ? v->height : v->width);
    float *x = mem_alloc(sizeof *x * 3 * (size_t)n);
    unsigned char *bytes = mem_alloc(3 * (size_t)n);
    preprocess_sample(&p, v, NULL, size, 3, NULL, &scratch, x, NULL);
    bytes_of(&p, x, n, bytes);
    int rc = case_compare_bytes(g, name, bytes, 3 * n);
    preprocess_scratch_release(&scratch);
    free(x);
    free(bytes);
    return rc;
}

/* A mirrored training image: of one that is not square the centre is seen. */
static int check_mirror(struct golden_case *g, const struct preprocess *like,
                        const struct image_view *v)
{
    const struct safetensors_tensor *want = case_tensor(g, "hflip");
    struct preprocess p = *like;
    struct preprocess_scratch scratch = {0};
    struct rng r = {0};
    if (!want || v->width < v->height)
        return error_set(g->err, "has no hflip of a wide image");
    int size = v->height, first = (v->width - size) / 2, n = size * size, off = 0;
    float *x = mem_alloc(sizeof *x * 3 * (size_t)n);
    unsigned char *bytes = mem_alloc(3 * (size_t)n);
    p.flip = 1;
    for (uint64_t i = 0; i < 64; i++) { /* until a draw mirrors */
        struct rng ahead;
        rng_init(&r, 0, "selftest.mirror", i, 0);
        ahead = r;
        if (rng_u32(&ahead) >> 31)
            break;
    }
    preprocess_sample(&p, v, NULL, size, 3, &r, &scratch, x, NULL);
    bytes_of(&p, x, n, bytes);
    for (int i = 0; i < 3 * n; i++) {
        int y = i / 3 / size, column = first + i / 3 % size;
        off += bytes[i] != want->data[(y * v->width + column) * 3 + i % 3];
    }
    case_compare_number(g, "hflip, values off", off, 0, 0);
    preprocess_scratch_release(&scratch);
    free(x);
    free(bytes);
    return 0;
}

static int check_levels(struct golden_case *g, const struct preprocess *p,
                        const struct image_view *v)
{
    int n = v->width * v->height;
    float *unit = mem_alloc(sizeof *unit * 3 * (size_t)n),
          *x = mem_alloc(sizeof *x * 3 * (size_t)n), *y = mem_alloc(sizeof *y * 3 * (size_t)n);
    for (int i = 0; i < 3 * n; i++) {
        int c = i / n, level = v->data[i % n * 3 + c];
        unit[i] = p->unit_level[c][level];
        x[i] = p->train_level[c][level];
        y[i] = p->eval_level[c][level];
    }
    struct golden_allowance near = {.tolerance = 1e-6};
    int rc = case_compare(g, "to_float_chw", unit, 3 * n,
                          (struct golden_allowance){.tolerance = 1e-7}) ||
             case_compare(g, "normalized_chw", x, 3 * n, near) ||
             case_compare(g, "normalized_chw", y, 3 * n, near);
    free(unit);
    free(x);
    free(y);
    return rc ? -1 : 0;
}

static int check_crop_flip(struct golden_case *g)
{
    const struct safetensors_tensor *image = case_tensor(g, "image");
    if (!image)
        return -1;
    struct image_view v = stored_view(image);
    struct preprocess p = normalization(g);
    preprocess_levels(&p);
    int rc = check_levels(g, &p, &v) || check_mirror(g, &p, &v) ? -1 : 0;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++)
        if (!strncmp(g->file->tensors[i].name, "crop_", 5))
            rc = check_crop(g, &p, &v, g->file->tensors[i].name);
    return rc;
}

/* ---- drawn rectangles ------------------------------------------------------------------------ */

typedef int try_size(int height, int width, double share, double aspect, int *h, int *w);

/* Row by row: the first of ten draws that is accepted, and its place. */
static int check_draws(struct golden_case *g, try_size *accept, int is_rrc)
{
    static const char *const names[] = {"H_W",    "area_frac", "aspect",
                                        "u_left", "u_top",     "top_left_h_w_try"};
    double *x[6] = {0};
    int64_t rows = 0;
    int rc = 0;
    for (int i = 0; i < 6 && !rc; i++) {
        const struct safetensors_tensor *t = case_tensor(g, names[i]);
        rc = t ? 0 : -1;
        x[i] = t ? case_doubles(t) : NULL;
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
        case_compare_number(g, "try", found, want[4], 0);
        if (found < 0 && !is_rrc)
            continue;
        case_compare_number(g, "top", b.top, want[0], 0);
        case_compare_number(g, "left", b.left, want[1], 0);
        case_compare_number(g, "height", b.height, want[2], 0);
        case_compare_number(g, "width", b.width, want[3], 0);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}

static int check_rrc_params(struct golden_case *g)
{
    return check_draws(g, geometry_rrc_size, 1);
}

static int check_erase_params(struct golden_case *g)
{
    return check_draws(g, mix_erase_size, 0);
}

static int check_cutmix_boxes(struct golden_case *g)
{
    const struct safetensors_tensor *boxes = case_tensor(g, "W_H_rx_ry_x1_y1_x2_y2"),
                                    *lambdas = case_tensor(g, "lam_lamadj");
    if (!boxes || !lambdas)
        return -1;
    double *x = case_doubles(boxes), *l = case_doubles(lambdas);
    for (int64_t i = 0; i < boxes->dim[0]; i++) {
        const double *row = x + 8 * i;
        double lambda = l[2 * i];
        struct box b = mix_cutmix_box(&lambda, (int)row[2], (int)row[3], (int)row[1], (int)row[0]);
        case_compare_number(g, "x1", b.left, row[4], 0);
        case_compare_number(g, "y1", b.top, row[5], 0);
        case_compare_number(g, "x2", b.left + b.width, row[6], 0);
        case_compare_number(g, "y2", b.top + b.height, row[7], 0);
        case_compare_number(g, "lambda", lambda, l[2 * i + 1], 1e-12);
    }
    free(x);
    free(l);
    return 0;
}

/* ---- batches --------------------------------------------------------------------------------- */

/* Follows p with the file's images and compares; labels too where there are any. */
static int follow(struct golden_case *g, struct mix_plan *p,
                  const struct safetensors_tensor *images, double tolerance)
{
    int batch = (int)images->dim[0], classes = (int)golden_number(g->json, "num_classes");
    float *in = case_floats(images), *out = mem_alloc(sizeof *out * (size_t)(images->count + 1));
    mix_apply(p, batch, (int)images->dim[1], (int)images->dim[2], (int)images->dim[3], in, out);
    int rc = case_compare(g, "out_images", out, images->count,
                          (struct golden_allowance){.tolerance = tolerance});
    free(in);
    free(out);
    const struct safetensors_tensor *t = safetensors_find(g->file, "labels");
    if (rc || !t)
        return rc;
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)(t->count + 1));
    float *targets = mem_alloc(sizeof *targets * (size_t)(batch * classes + 1));
    rc = safetensors_read_int32(t, labels, g->err);
    if (!rc) {
        mix_targets(p, labels, batch, classes, 0, targets);
        rc = case_compare(g, "out_targets", targets, batch * classes,
                          (struct golden_allowance){.tolerance = 1e-6});
    }
    free(labels);
    free(targets);
    return rc;
}

static int check_mix(struct golden_case *g)
{
    const struct safetensors_tensor *images = case_tensor(g, "images"),
                                    *perm = case_tensor(g, "perm");
    const json_t *b = json_object_get(g->json, "box_x1y1x2y2");
    struct mix_plan p;
    if (!images || !perm || perm->count != images->dim[0])
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    struct mix_draw draw = {.kind = b ? MIX_CUTMIX : MIX_MIXUP,
                            .lambda = golden_number(g->json, b ? "lam_adjusted" : "lam")};
    if (b)
        draw.box = (struct box){case_element(b, 1), case_element(b, 0),
                                case_element(b, 3) - case_element(b, 1),
                                case_element(b, 2) - case_element(b, 0)};
    mix_plan_all(&p, (int)images->dim[0], draw);
    int rc = safetensors_read_int32(perm, p.partner, g->err);
    if (!rc)
        rc = follow(g, &p, images, b ? 0 : 1e-6);
    mix_plan_release(&p);
    return rc;
}

static int check_erase(struct golden_case *g)
{
    const struct safetensors_tensor *images = case_tensor(g, "images");
    struct mix_plan p;
    if (!images)
        return -1;
    mix_plan_init(&p, (int)images->dim[0]);
    for (int64_t i = 0; i < images->dim[0]; i++)
        p.erased[i] =
            (struct box){(int)golden_number(g->json, "top"), (int)golden_number(g->json, "left"),
                         (int)golden_number(g->json, "h"), (int)golden_number(g->json, "w")};
    int rc = follow(g, &p, images, 0);
    mix_plan_release(&p);
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

GOLDEN_RUN(codec)
GOLDEN_RUN(pil_resize)
GOLDEN_RUN(geometry)
GOLDEN_RUN(eval)
GOLDEN_RUN(crop_flip)
GOLDEN_RUN(rrc_tensor)
GOLDEN_RUN(rrc_params)
GOLDEN_RUN(erase_params)
GOLDEN_RUN(cutmix_boxes)
GOLDEN_RUN(mix)
GOLDEN_RUN(erase)

const struct golden_kind golden_image_kinds[] = {
    {"jpeg", run_codec},
    {"png", run_codec},
    {"pil_resize", run_pil_resize},
    {"pil_resize_gray", run_pil_resize},
    {"resize_crop_geometry", run_geometry},
    {"eval_pipeline", run_eval},
    {"crop_flip_normalize", run_crop_flip},
    {"rrc_tensor", run_rrc_tensor},
    {"rrc_params", run_rrc_params},
    {"erase_params", run_erase_params},
    {"cutmix_box", run_cutmix_boxes},
    {"mixup", run_mix},
    {"cutmix", run_mix},
    {"erase", run_erase},
    {NULL, NULL},
};
