/* Sliding inference of a segmenter: every window, their mean, resized, mirrored. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"
#include "cli/selftest/selftest.h"
#include "train/network.h"
#include "train/slide.h"

#include <stdlib.h>
#include <string.h>

struct slide_case {
    struct network net;
    struct comparison *c;
    const struct safetensors *file;
    int height, width, stride, out_height, out_width;
    double tolerance;
};

static int load_params(const struct slide_case *s, struct error *err)
{
    const struct plan *p = s->net.plan;
    for (int i = 0; i < p->n_params; i++) {
        const struct tensor *t = p->params[i];
        double *x = golden_stored(s->file, "param/", t->name, shape_count(t->shape));
        if (!x)
            return error_set(err, "has no parameter %s of the model's shape", t->name);
        s->net.device->backend->write_double(s->net.program, t, x);
        free(x);
    }
    return 0;
}

static int compare_scores(const struct slide_case *s, const char *name, const struct scores *x,
                          struct error *err)
{
    int64_t pixels = (int64_t)x->height * x->width, n = pixels * x->classes;
    double *rows = mem_alloc(sizeof *rows * (size_t)n),
           *planes = mem_alloc(sizeof *rows * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        rows[i] = (double)x->v[i];
    segment_to_pixels(rows, planes, x->classes, pixels, 1);
    int rc = segment_compare(s->c, s->file, name, planes, n, s->tolerance, err);
    free(planes);
    free(rows);
    return rc;
}

static int compare_classes(const struct slide_case *s, const char *name, const struct scores *x,
                           struct error *err)
{
    int64_t pixels = (int64_t)x->height * x->width;
    unsigned char *best = mem_alloc((size_t)pixels);
    scores_argmax(x, best);
    int rc = segment_compare_bytes(s->c, s->file, name, best, pixels, 0, err);
    free(best);
    return rc;
}

/* The image or its mirror image, window by window; sum gets the mean of the windows. */
static void slide_image(struct slide_case *s, const float *image, struct scores *sum)
{
    struct slider slider;
    scores_init(sum, s->height, s->width, s->net.classes);
    slider_open(&slider, &s->net, s->stride);
    slider_add(&slider, image, s->height, s->width, sum);
    slider_flush(&slider);
    slider_average(&slider, sum);
    slider_close(&slider);
}

static void mirror(const float *in, float *out, int64_t rows, int width)
{
    for (int64_t r = 0; r < rows; r++)
        for (int x = 0; x < width; x++)
            out[r * width + x] = in[r * width + width - 1 - x];
}

/* Every window by itself, and where it lies. */
static int compare_windows(struct slide_case *s, const float *image, struct error *err)
{
    int size = (int)s->net.image->shape.dim[3], n;
    struct box boxes[64];
    struct scores window = {0}, all = {0};
    double anchors[128];
    float *cut = mem_alloc(sizeof *cut * (size_t)(3 * size * size));
    n = slide_windows(s->height, s->width, size, s->stride, boxes);
    scores_init(&all, n * size, size, s->net.classes);
    int whole_width = s->width, whole_height = s->height;
    for (int i = 0; i < n; i++) {
        anchors[2 * i] = boxes[i].top;
        anchors[2 * i + 1] = boxes[i].left;
        for (int c = 0; c < 3; c++)
            for (int y = 0; y < size; y++)
                memcpy(cut + (c * size + y) * size,
                       image + ((int64_t)c * whole_height + boxes[i].top + y) * whole_width +
                           boxes[i].left,
                       sizeof *cut * (size_t)size);
        s->height = s->width = size;
        slide_image(s, cut, &window);
        s->height = whole_height;
        s->width = whole_width;
        float *planes = all.v + (int64_t)i * size * size * window.classes;
        for (int64_t p = 0; p < (int64_t)size * size; p++) /* as they are stored */
            for (int k = 0; k < window.classes; k++)
                planes[k * (int64_t)size * size + p] = window.v[p * window.classes + k];
    }
    int64_t count = (int64_t)n * size * size * window.classes;
    double *x = mem_alloc(sizeof *x * (size_t)count);
    for (int64_t i = 0; i < count; i++)
        x[i] = (double)all.v[i];
    int rc = segment_compare(s->c, s->file, "output/window_logits", x, count, s->tolerance, err) ||
                     segment_compare(s->c, s->file, "output/anchors", anchors, 2 * n, 0, err)
                 ? -1
                 : 0;
    free(x);
    scores_release(&all);
    scores_release(&window);
    free(cut);
    return rc;
}

static int compare_slide(struct slide_case *s, const float *image, struct error *err)
{
    struct scores sum = {0}, resized = {0}, probs = {0}, flipped = {0}, both = {0};
    int classes = s->net.classes, rc;
    float *other = mem_alloc(sizeof *other * (size_t)(3 * s->height * s->width));
    scores_init(&probs, s->out_height, s->out_width, classes);
    scores_init(&flipped, s->out_height, s->out_width, classes);
    scores_init(&both, s->out_height, s->out_width, classes);
    slide_image(s, image, &sum);
    rc = compare_scores(s, "output/merged_logits", &sum, err);
    scores_resize(&sum, s->out_height, s->out_width, &resized);
    scores_add_softmax(&probs, &resized, 0, 1);
    scores_add_softmax(&both, &resized, 0, 0.5);
    rc = rc || compare_classes(s, "output/pred_mmseg", &resized, err);
    mirror(image, other, 3 * s->height, s->width);
    slide_image(s, other, &sum);
    scores_resize(&sum, s->out_height, s->out_width, &resized);
    scores_add_softmax(&flipped, &resized, 1, 1);
    scores_add_softmax(&both, &resized, 1, 0.5);
    rc = rc || compare_scores(s, "output/probs", &probs, err) ||
         compare_scores(s, "output/probs_flip", &flipped, err) ||
         compare_scores(s, "output/probs_tta", &both, err) ||
         compare_classes(s, "output/pred", &probs, err) ||
         compare_classes(s, "output/pred_tta", &both, err) || compare_windows(s, image, err);
    scores_release(&sum);
    scores_release(&resized);
    scores_release(&probs);
    scores_release(&flipped);
    scores_release(&both);
    free(other);
    return rc ? -1 : 0;
}

static int64_t nth(const json_t *list, size_t i)
{
    return json_integer_value(json_array_get(list, i));
}

static int run_slide(struct comparison *c, const struct device *device, const struct safetensors *f,
                     const json_t *config, const struct config *model, struct error *err)
{
    const json_t *slide = json_object_get(config, "slide"),
                 *size = json_object_get(slide, "image_shape"),
                 *out = json_object_get(slide, "ori_shape");
    struct slide_case s = {.c = c,
                           .file = f,
                           .height = (int)nth(size, 0),
                           .width = (int)nth(size, 1),
                           .out_height = (int)nth(out, 0),
                           .out_width = (int)nth(out, 1),
                           .stride = (int)json_integer_value(json_object_get(slide, "stride")),
                           .tolerance = 1e-5};
    struct network_options o = {.batch = 4};
    int64_t n = 0;
    if (network_open(&s.net, model, device, &o, err))
        return -1;
    double *x = golden_values(f, "input", &n, err);
    int rc = x ? load_params(&s, err) : -1;
    if (!rc && n != 3 * (int64_t)s.height * s.width)
        rc = error_set(err, "the input does not have the size of slide.image_shape");
    if (!rc) {
        float *image = mem_alloc(sizeof *image * (size_t)n);
        for (int64_t i = 0; i < n; i++)
            image[i] = (float)x[i];
        rc = compare_slide(&s, image, err);
        free(image);
    }
    free(x);
    network_close(&s.net);
    return rc;
}

void segment_check_slide(struct selftest *t, const char *name, const struct safetensors *f,
                         const json_t *config)
{
    struct error err = {0};
    struct config *model = golden_config(f, &err);
    if (!model)
        selftest_fail(t, name, "%s", err.msg);
    for (int i = 0; model && t->backends[i]; i++) {
        struct comparison c = {0};
        struct device device;
        err = (struct error){0};
        int rc = device_open(&device, t->backends[i]->choice.name, t->threads, &err) ||
                         run_slide(&c, &device, f, config, model, &err)
                     ? -1
                     : 0;
        golden_verdict(t, name, t->backends[i]->choice.name, rc, &c, &err);
    }
    if (model)
        config_free(model);
}
