/* Golden files about augmentation: the operations of RandAugment in every flavour, 3-augment, and
 * the whole chain of a training sample. */
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "cli/selftest/golden_case.h"
#include "data/augment.h"
#include "data/mix.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int check_space(struct golden_case *g)
{
    for (size_t i = 0; i < g->file->n_tensors; i++) {
        const struct safetensors_tensor *t = &g->file->tensors[i];
        char name[32] = "";
        int height = 224, width = 224;
        sscanf(t->name, "%31[^_]_%dx%d", name, &height, &width);
        const struct augmentation *a = augmentation_named(name);
        if (!a || !a->magnitude)
            return error_set(g->err, "%s is no operation with a magnitude", t->name);
        double *want = case_doubles(t);
        for (int k = 0; k < (int)t->count; k++)
            case_compare_number(g, t->name, a->magnitude(k, height, width), want[k], 1e-6);
        free(want);
    }
    return 0;
}

/* u8 (3,H,W) as an image of 0 to 1. */
static struct augment_image opened(const struct safetensors_tensor *t)
{
    struct augment_image im = {case_floats(t), NULL, 3, (int)t->dim[1], (int)t->dim[2]};
    for (int64_t i = 0; i < t->count; i++)
        im.x[i] *= (float)(1.0 / 255);
    im.scratch = mem_alloc(sizeof *im.scratch * (size_t)(t->count + 1));
    return im;
}

static void closed(struct augment_image *im)
{
    free(im->x);
    free(im->scratch);
}

/* Runs one operation on an image and compares. */
typedef int run_job(struct golden_case *g, const struct augmentation *a, double magnitude,
                    const struct safetensors_tensor *image, const char *out,
                    const struct safetensors_tensor *tie);

static int job_float(struct golden_case *g, const struct augmentation *a, double magnitude,
                     const struct safetensors_tensor *image, const char *out,
                     const struct safetensors_tensor *tie)
{
    struct augment_image im = opened(image);
    a->apply(&im, magnitude);
    int rc = case_compare(g, out, im.x, image->count,
                          (struct golden_allowance){.tolerance = 2e-6, .tie = tie});
    closed(&im);
    return rc;
}

/* Planes, or with channels last. */
static int job_bytes(struct golden_case *g, void (*apply)(struct augment_bytes *im, double m),
                     double magnitude, const struct safetensors_tensor *image, int is_last,
                     const char *out, const struct safetensors_tensor *tie)
{
    int channels = (int)image->dim[is_last ? 2 : 0], height = (int)image->dim[!is_last];
    int n = (int)image->count, plane = n / channels;
    unsigned char *x = mem_alloc(2 * (size_t)n + 1), *back = mem_alloc((size_t)n + 1);
    struct augment_bytes im = {x, x + n, channels, height, plane / height};
    for (int i = 0; i < n; i++)
        x[is_last ? i % channels * plane + i / channels : i] = image->data[i];
    apply(&im, magnitude);
    for (int i = 0; i < n; i++)
        back[i] = x[is_last ? i % channels * plane + i / channels : i];
    float *got = case_of_bytes(back, n);
    int rc = case_compare(g, out, got, n, (struct golden_allowance){.tie = tie});
    free(got);
    free(back);
    free(x);
    return rc;
}

static int job_u8(struct golden_case *g, const struct augmentation *a, double magnitude,
                  const struct safetensors_tensor *image, const char *out,
                  const struct safetensors_tensor *tie)
{
    return job_bytes(g, a->apply_u8, magnitude, image, 0, out, tie);
}

static int job_pil(struct golden_case *g, const struct augmentation *a, double magnitude,
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

static int check_job(struct golden_case *g, const struct augmentation *a, const json_t *job,
                     int kind)
{
    const char *key = json_string_value(json_object_get(job, "key"));
    char image[64], tie[64], out[64];
    snprintf(image, sizeof image, "%s.%s", key, job_kinds[kind].image);
    snprintf(tie, sizeof tie, "%s.tie", key);
    snprintf(out, sizeof out, "%s.out", key);
    const struct safetensors_tensor *t = safetensors_find(g->file, image);
    t = t ? t : case_tensor(g, job_kinds[kind].image);
    return t ? job_kinds[kind].run(g, a, golden_number(job, "magnitude"), t, out,
                                   safetensors_find(g->file, tie))
             : -1;
}

static int find_flavour(struct golden_case *g)
{
    const char *name = json_string_value(json_object_get(g->json, "flavour"));
    for (int i = 0; name && i < (int)(sizeof job_kinds / sizeof *job_kinds); i++)
        if (!strncmp(name, job_kinds[i].name, strlen(job_kinds[i].name)))
            return i;
    return error_set(g->err, "RandAugment on %s is not known", name ? name : "unnamed data");
}

static int check_randaug(struct golden_case *g)
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
        augmentation_Brightness.apply(im, golden_number(o, "brightness") - 1);
    else if (part == 'c')
        augmentation_Contrast.apply(im, golden_number(o, "contrast") - 1);
    else if (part == 's')
        augmentation_Color.apply(im, golden_number(o, "saturation") - 1);
    else if (part == 'h')
        augment_hue(im, golden_number(o, "hue"));
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

static int check_three(struct golden_case *g)
{
    const struct safetensors_tensor *image = case_tensor(g, "image_u8");
    int rc = image ? 0 : -1;
    for (size_t i = 0; i < g->file->n_tensors && !rc; i++) {
        const char *name = g->file->tensors[i].name;
        if (!strcmp(name, "image_u8"))
            continue;
        int coarse = !strcmp(name, "hue") || !strncmp(name, "jitter", 6);
        struct augment_image im = opened(image);
        three_part(&im, g->json, name);
        rc = case_compare(g, name, im.x, image->count,
                          (struct golden_allowance){.tolerance = coarse ? 1e-5 : 5e-6});
        closed(&im);
    }
    return rc;
}

/* ---- the whole chain ------------------------------------------------------------------------- */

static void mirror(float *x, int size)
{
    for (int row = 0; row < 3 * size; row++, x += size)
        for (int a = 0, b = size - 1; a < b; a++, b--) {
            float t = x[a];
            x[a] = x[b];
            x[b] = t;
        }
}

static int run_ops(struct golden_case *g, const json_t *ops, struct augment_image *im)
{
    for (size_t i = 0; i < json_array_size(ops); i++) {
        const json_t *o = json_array_get(ops, i);
        const char *name = json_string_value(json_object_get(o, "op"));
        const struct augmentation *a = name ? augmentation_named(name) : NULL;
        if (!a)
            return error_set(g->err, "operation %zu is not known", i);
        double m =
            a->magnitude ? a->magnitude((int)golden_number(o, "bin"), im->height, im->width) : 0;
        a->apply(im, a->is_signed ? m * golden_number(o, "sign") : m);
    }
    return 0;
}

/* Photo i with its box, mirror, operations and normalisation: into out (3,size,size). */
static int run_sample(struct golden_case *g, size_t i, int size, float *out)
{
    const json_t *o = json_array_get(json_object_get(g->json, "samples"), i),
                 *box = json_object_get(o, "rrc");
    char name[16];
    snprintf(name, sizeof name, "src%zu", i);
    const struct safetensors_tensor *photo = case_tensor(g, name);
    if (!photo)
        return -1;
    struct image_view v = case_planar_view(photo);
    struct box b = {case_element(box, 0), case_element(box, 1), case_element(box, 2),
                    case_element(box, 3)};
    float *x = case_cropped(&v, b, size, RESIZE_BILINEAR);
    struct augment_image im = {x, mem_alloc(sizeof *x * (size_t)(3 * size * size)), 3, size, size};
    if (json_is_true(json_object_get(o, "flip")))
        mirror(x, size);
    int rc = run_ops(g, json_object_get(o, "ops"), &im);
    for (int k = 0; k < 3 * size * size; k++) {
        size_t c = (size_t)(k / size / size);
        const json_t *mean = json_array_get(json_object_get(g->json, "mean"), c),
                     *deviation = json_array_get(json_object_get(g->json, "std"), c);
        out[k] = (x[k] - (float)json_number_value(mean)) / (float)json_number_value(deviation);
    }
    closed(&im);
    return rc;
}

/* Pixels of (batch,size,size) that float rounding decides; from sample i and its partner too. */
static int compare_batch(struct golden_case *g, const char *name, const float *x, int batch,
                         int pixels, const int32_t *partner)
{
    const struct safetensors_tensor *want = case_tensor(g, name), *tie = case_tensor(g, "tie");
    if (!want || !tie || want->count != (int64_t)batch * 3 * pixels)
        return error_set(g->err, "has no %s with ties", name);
    float *stored = case_floats(want);
    for (int64_t i = 0; i < want->count; i++) {
        int64_t b = i / 3 / pixels, p = i % pixels;
        if (tie->data[b * pixels + p] || (partner && tie->data[partner[b] * pixels + p]))
            stored[i] = x[i];
    }
    case_compare_values(g, name, x, stored, want->count,
                        (struct golden_allowance){.tolerance = 5e-5, .spare = 1e-3});
    free(stored);
    return 0;
}

static int run_batch(struct golden_case *g, const float *x, int batch, int size)
{
    const json_t *e = json_object_get(g->json, "erase_top_left_h_w");
    const struct safetensors_tensor *t = case_tensor(g, "labels");
    int classes = (int)golden_number(g->json, "num_classes");
    float *out = mem_alloc(sizeof *out * (size_t)(batch * 3 * size * size)),
          *targets = mem_alloc(sizeof *targets * (size_t)(batch * classes));
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)batch);
    struct mix_plan p;
    mix_plan_init(&p, batch);
    mix_plan_all(&p, batch, (struct mix_draw){MIX_MIXUP, golden_number(g->json, "mixup_lam"), {0}});
    for (int i = 0; i < batch; i++) {
        p.partner[i] = (i + batch - 1) % batch;
        p.erased[i] = (struct box){case_element(e, 0), case_element(e, 1), case_element(e, 2),
                                   case_element(e, 3)};
    }
    int rc = t && t->count == batch ? safetensors_read_int32(t, labels, g->err) : -1;
    if (!rc) {
        mix_apply(&p, batch, 3, size, size, x, out);
        mix_targets(&p, labels, batch, classes, 0, targets);
        rc = compare_batch(g, "after_erase_mixup", out, batch, size * size, p.partner) ||
                     case_compare(g, "targets", targets, batch * classes,
                                  (struct golden_allowance){.tolerance = 1e-6})
                 ? -1
                 : 0;
    }
    mix_plan_release(&p);
    free(out);
    free(targets);
    free(labels);
    return rc;
}

static int check_pipeline(struct golden_case *g)
{
    int batch = (int)json_array_size(json_object_get(g->json, "samples")), rc = 0;
    int size = (int)golden_number(g->json, "size"), each = 3 * size * size;
    float *x = mem_alloc(sizeof *x * (size_t)(batch * each + 1));
    for (int i = 0; i < batch && !rc; i++)
        rc = run_sample(g, (size_t)i, size, x + i * each);
    if (!rc)
        rc = compare_batch(g, "after_sample", x, batch, size * size, NULL) ||
                     run_batch(g, x, batch, size)
                 ? -1
                 : 0;
    free(x);
    return rc;
}

/* ---- the table ------------------------------------------------------------------------------- */

GOLDEN_RUN(space)
GOLDEN_RUN(three)
GOLDEN_RUN(randaug)
GOLDEN_RUN(pipeline)

const struct golden_kind golden_augment_kinds[] = {
    {"randaug_space", run_space},
    {"randaug", run_randaug},
    {"three_augment", run_three},
    {"train_pipeline", run_pipeline},
    {NULL, NULL},
};
