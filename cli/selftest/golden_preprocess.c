/* Golden files about whole samples: the evaluation's path, training's crops, mirror and
 * normalisation. */
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "cli/selftest/golden_case.h"
#include "data/preprocess.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

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
    struct image_view v = case_stored_view(image);
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
    struct image_view v = case_stored_view(image);
    struct preprocess p = normalization(g);
    preprocess_levels(&p);
    int rc = check_levels(g, &p, &v) || check_mirror(g, &p, &v) ? -1 : 0;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++)
        if (!strncmp(g->file->tensors[i].name, "crop_", 5))
            rc = check_crop(g, &p, &v, g->file->tensors[i].name);
    return rc;
}

GOLDEN_RUN(eval)
GOLDEN_RUN(crop_flip)

const struct golden_kind golden_preprocess_kinds[] = {
    {"eval_pipeline", run_eval}, {"crop_flip_normalize", run_crop_flip}, {NULL, NULL}};
