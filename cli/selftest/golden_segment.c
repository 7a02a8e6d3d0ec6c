/* Golden files about segmentation beside its models: resizing and colours of training, windows,
 * sliding inference, the loss at the size of the labels, intersections over unions. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"
#include "data/dataset.h"
#include "data/photometric.h"
#include "data/resize_taps.h"
#include "model/segment.h"
#include "train/confusion.h"
#include "train/network.h"
#include "train/slide.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shared ---------------------------------------------------------------------------------- */

/* All values of a tensor of the file; NULL and the reason where it lacks it. */
static double *stored(const struct safetensors *f, const char *name, int64_t *n, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(f, name);
    if (!t) {
        error_set(err, "has no %s", name);
        return NULL;
    }
    double *x = mem_alloc(sizeof *x * (size_t)(t->count + 1));
    safetensors_read_double(t, x);
    if (n)
        *n = t->count;
    return x;
}

static unsigned char *stored_bytes(const struct safetensors *f, const char *name, int64_t *n,
                                   struct error *err)
{
    int64_t count = 0;
    double *x = stored(f, name, &count, err);
    if (!x)
        return NULL;
    unsigned char *bytes = mem_alloc((size_t)count + 1);
    for (int64_t i = 0; i < count; i++)
        bytes[i] = (unsigned char)x[i];
    free(x);
    if (n)
        *n = count;
    return bytes;
}

/* Largest difference, of which allowed are fine. */
static int compare_within(struct comparison *c, const struct safetensors *f, const char *name,
                          const double *got, int64_t n, double allowed, struct error *err)
{
    int64_t count = 0;
    double *want = stored(f, name, &count, err);
    if (!want)
        return -1;
    if (count != n) {
        free(want);
        return error_set(err, "%s has %lld values, not %lld", name, (long long)count, (long long)n);
    }
    c->compared++;
    for (int64_t i = 0; i < n; i++) {
        double off = fabs(got[i] - want[i]);
        double error = isnan(got[i]) && isnan(want[i]) ? 0
                       : isnan(off)                    ? INFINITY
                       : allowed > 0                   ? off / allowed
                       : off > 0                       ? INFINITY
                                                       : 0;
        if (!(error <= c->worst)) {
            c->worst = error;
            snprintf(c->what, sizeof c->what, "%s: value %lld is %.9g, stored %.9g", name,
                     (long long)i, got[i], want[i]);
        }
    }
    free(want);
    return 0;
}

static int compare_bytes(struct comparison *c, const struct safetensors *f, const char *name,
                         const unsigned char *got, int64_t n, double allowed, struct error *err)
{
    double *x = mem_alloc(sizeof *x * (size_t)(n + 1));
    for (int64_t i = 0; i < n; i++)
        x[i] = got[i];
    int rc = compare_within(c, f, name, x, n, allowed, err);
    free(x);
    return rc;
}

/* ---- resizing and colours -------------------------------------------------------------------- */

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
    int rc = compare_bytes(c, f, t->name, out, (int64_t)height * width * (linear ? 3 : 1),
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
        rc = compare_bytes(c, f, k->name, x, n, k->allowed, err);
    }
    free(x);
    return rc;
}

static int check_cv2(struct comparison *c, const struct safetensors *f, const json_t *json,
                     struct error *err)
{
    int64_t n = 0;
    unsigned char *bgr = stored_bytes(f, "image_bgr", &n, err);
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

/* ---- windows --------------------------------------------------------------------------------- */

/* A row is height, width, crop, crop, stride, stride and one window; windows of a size follow each
 * other in the order of evaluation. */
static int check_windows(struct comparison *c, const struct safetensors *f, const json_t *json,
                         struct error *err)
{
    enum { COLUMNS = 10 };
    int64_t n = 0;
    (void)json;
    double *rows = stored(f, "h_w_ch_cw_sh_sw_y1_x1_y2_x2", &n, err);
    double *got = rows ? mem_alloc(sizeof *got * (size_t)n) : NULL;
    if (!rows)
        return -1;
    memcpy(got, rows, sizeof *got * (size_t)n);
    for (int64_t r = 0; r < n / COLUMNS;) {
        const double *row = rows + r * COLUMNS;
        int height = (int)row[0], width = (int)row[1], window[2] = {(int)row[2], (int)row[3]};
        int stride[2] = {(int)row[4], (int)row[5]}, cols = slide_count(width, window[1], stride[1]);
        int windows = cols * slide_count(height, window[0], stride[0]);
        for (int i = 0; i < windows && r < n / COLUMNS; i++, r++) {
            struct slide_span y = slide_span(i / cols, height, window[0], stride[0]);
            struct slide_span x = slide_span(i % cols, width, window[1], stride[1]);
            double *out = got + r * COLUMNS;
            memcpy(out, row, 6 * sizeof *out);
            out[6] = y.start;
            out[7] = x.start;
            out[8] = y.start + y.length;
            out[9] = x.start + x.length;
        }
    }
    int rc = compare_within(c, f, "h_w_ch_cw_sh_sw_y1_x1_y2_x2", got, n, 0, err);
    free(rows);
    free(got);
    return rc;
}

/* ---- intersections over unions -----------------------------------------------------------------
 */

/* What a class is called in the two kinds of files, and the accumulated sums. */
struct miou_names {
    const char *intersect, *uni, *predicted, *labelled, *iou, *class_acc, *miou, *mean_acc,
        *all_acc;
    double whole; /* what the last three call the whole: 1, or 100 */
};

static double sum_of(const struct confusion *m, const char *which, int k)
{
    if (!strcmp(which, "intersect"))
        return (double)m->intersect[k];
    if (!strcmp(which, "predicted"))
        return (double)m->predicted[k];
    if (!strcmp(which, "labelled"))
        return (double)m->labelled[k];
    return (double)(m->predicted[k] + m->labelled[k] - m->intersect[k]);
}

static int compare_sums(struct comparison *c, const struct safetensors *f,
                        const struct confusion *m, const char *name, const char *which,
                        struct error *err)
{
    double *x = mem_alloc(sizeof *x * (size_t)m->classes);
    for (int k = 0; k < m->classes; k++)
        x[k] = sum_of(m, which, k);
    int rc = name ? compare_within(c, f, name, x, m->classes, 0, err) : 0;
    free(x);
    return rc;
}

static int compare_shares(struct comparison *c, const struct safetensors *f,
                          const struct confusion *m, const char *name,
                          double (*value)(const struct confusion *m, int k), struct error *err)
{
    double *x = mem_alloc(sizeof *x * (size_t)m->classes);
    for (int k = 0; k < m->classes; k++)
        x[k] = value(m, k) / 100;
    int rc = compare_within(c, f, name, x, m->classes, 1e-7, err);
    free(x);
    return rc;
}

static int compare_share(struct comparison *c, const struct safetensors *f, const char *name,
                         double percent, double whole, struct error *err)
{
    double x = percent / 100 * whole;
    return compare_within(c, f, name, &x, 1, 1e-7 * whole, err);
}

static int compare_confusion(struct comparison *c, const struct safetensors *f,
                             const struct confusion *m, const struct miou_names *names,
                             struct error *err)
{
    return compare_sums(c, f, m, names->intersect, "intersect", err) ||
                   compare_sums(c, f, m, names->uni, "union", err) ||
                   compare_sums(c, f, m, names->predicted, "predicted", err) ||
                   compare_sums(c, f, m, names->labelled, "labelled", err) ||
                   compare_shares(c, f, m, names->iou, confusion_iou, err) ||
                   compare_shares(c, f, m, names->class_acc, confusion_class_acc, err) ||
                   compare_share(c, f, names->miou, confusion_miou(m, ABSENT_SKIP), names->whole,
                                 err) ||
                   compare_share(c, f, names->mean_acc, confusion_mean_acc(m), names->whole, err) ||
                   compare_share(c, f, names->all_acc, confusion_pixel_acc(m), names->whole, err)
               ? -1
               : 0;
}

/* Stored values of a mask file to labels: 0 is no class, k the class k - 1. */
static void reduce_zero(unsigned char *x, int64_t n)
{
    for (int64_t i = 0; i < n; i++)
        x[i] = x[i] == 0 || x[i] == DATASET_IGNORE ? DATASET_IGNORE : (unsigned char)(x[i] - 1);
}

static int check_confusion(struct comparison *c, const struct safetensors *f, const char *raw,
                           const char *reduced, int classes, const struct miou_names *names,
                           struct error *err)
{
    int64_t n = 0, n_pred = 0;
    unsigned char *labels = stored_bytes(f, raw, &n, err);
    unsigned char *pred = labels ? stored_bytes(f, "pred", &n_pred, err) : NULL;
    struct confusion m;
    confusion_init(&m, classes);
    int rc = pred && n == n_pred ? 0 : -1;
    if (!rc) {
        reduce_zero(labels, n);
        rc = compare_bytes(c, f, reduced, labels, n, 0, err);
    }
    for (int64_t part = 0; !rc && part < 3; part++) /* as if it were three images */
        confusion_add(&m, pred + n / 3 * part, labels + n / 3 * part, (size_t)(n / 3));
    if (!rc)
        rc = compare_confusion(c, f, &m, names, err);
    confusion_release(&m);
    free(pred);
    free(labels);
    return rc;
}

static int check_miou(struct comparison *c, const struct safetensors *f, const json_t *json,
                      struct error *err)
{
    static const struct miou_names names = {"intersect", "union", NULL,   "label_area", "iou",
                                            "acc",       "mIoU",  "mAcc", "aAcc",       100};
    int classes = (int)json_integer_value(json_object_get(json, "num_classes"));
    return check_confusion(c, f, "gt_png_values", "gt_reduced", classes, &names, err);
}

static int check_miou_step(struct comparison *c, const struct safetensors *f, const json_t *config,
                           struct error *err)
{
    static const struct miou_names names = {
        "output/intersect", "output/union", "output/pred_area", "output/label_area", "output/iou",
        "output/class_acc", "output/miou",  "output/mean_acc",  "output/pixel_acc",  1};
    int classes = (int)json_integer_value(json_object_get(config, "classes"));
    return check_confusion(c, f, "label_raw", "label", classes, &names, err);
}

/* ---- the loss at the size of the labels
 * ------------------------------------------------------------ */

/* (B,K,h,w) to (B,h,w,K) and back, as the files have it. */
static void to_pixels(const double *from, double *to, int64_t classes, int64_t pixels, int back)
{
    for (int64_t p = 0; p < pixels; p++)
        for (int64_t k = 0; k < classes; k++) {
            int64_t planes = k * pixels + p, rows = p * classes + k;
            to[back ? planes : rows] = from[back ? rows : planes];
        }
}

struct loss_case {
    int64_t classes, rows, cols, height, width;
};

static struct graph *loss_graph(const struct loss_case *s)
{
    struct graph *g = graph_new();
    struct tensor *x =
        graph_param(g, "x", SHAPE(1, s->rows, s->cols, s->classes), (struct init){INIT_ZERO, 0});
    struct tensor *t = graph_input(g, "target", SHAPE(1, s->height, s->width), TENSOR_INT);
    struct grid to = {s->height, s->width};
    struct tensor *scores = segment_upsample(g, x, to, to);
    struct label_loss_attr a = {.ignore = SEGMENT_IGNORE, .over_all = 1};
    struct tensor *y = graph_param(g, "y", scores->shape, (struct init){INIT_ZERO, 0});
    graph_output(g, "resized", scores);
    graph_output(g, "loss", op_label_cross_entropy(g, y, t, a));
    return g;
}

static int compare_result(struct comparison *c, const struct backend *b, struct program *p,
                          const struct plan *plan, const struct safetensors *f, const char *name,
                          const char *output, int64_t classes, struct error *err)
{
    const struct tensor *t = graph_output_find(plan->graph, output);
    int64_t n = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n), *planes = mem_alloc(sizeof *x * (size_t)n);
    b->read_double(p, t, x);
    to_pixels(x, planes, classes, n / classes, 1);
    int rc = compare_within(c, f, name, planes, n, 5e-6, err);
    free(planes);
    free(x);
    return rc;
}

/* A parameter's values, classes innermost, from the planes of the file. */
static int write_rows(const struct backend *b, struct program *p, const struct plan *plan,
                      const char *param, const struct safetensors *f, const char *name,
                      struct error *err)
{
    const struct tensor *t = graph_find(plan->graph, param);
    int64_t n = shape_count(t->shape), classes = shape_last(t->shape);
    double *planes = golden_stored(f, "", name, n);
    if (!planes)
        return error_set(err, "has no %s of its size", name);
    double *x = mem_alloc(sizeof *x * (size_t)n);
    to_pixels(planes, x, classes, n / classes, 0);
    b->write_double(p, t, x);
    free(x);
    free(planes);
    return 0;
}

static int write_labels(const struct backend *b, struct program *p, const struct plan *plan,
                        const struct safetensors *f, struct error *err)
{
    int64_t n = 0;
    double *labels = stored(f, "labels", &n, err);
    int32_t *target = labels ? mem_alloc(sizeof *target * (size_t)n) : NULL;
    for (int64_t i = 0; i < n; i++)
        target[i] = (int32_t)labels[i];
    if (labels)
        b->write(p, graph_find(plan->graph, "target"), target);
    free(target);
    free(labels);
    return labels ? 0 : -1;
}

/* x is resampled, and the loss is of y, the stored result: its gradient is what is stored. */
static int run_loss(struct comparison *c, const struct backend *b, int threads,
                    const struct safetensors *f, const struct loss_case *s, struct error *err)
{
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability can = backend_capability(b);
    struct backend_options bo = {.threads = threads};
    struct plan *plan = plan_compile(loss_graph(s), &po, &can, err);
    struct program *p = plan ? b->load(plan, &bo, err) : NULL;
    int rc = -1;
    if (p && !write_rows(b, p, plan, "x", f, "logits", err) &&
        !write_rows(b, p, plan, "y", f, "resized", err) && !write_labels(b, p, plan, f, err)) {
        b->run(p, 0, 0);
        rc = compare_result(c, b, p, plan, f, "resized", "resized", s->classes, err) ||
                     compare_result(c, b, p, plan, f, "loss", "loss", 1, err) ||
                     compare_result(c, b, p, plan, f, "grad", "grad/y", s->classes, err)
                 ? -1
                 : 0;
    }
    if (p)
        b->unload(p);
    plan_free(plan);
    return rc;
}

static void check_loss(struct selftest *t, const char *name, const struct safetensors *f,
                       json_t *json)
{
    const struct safetensors_tensor *x = safetensors_find(f, "logits"),
                                    *y = safetensors_find(f, "labels");
    (void)json;
    for (int i = 0; t->backends[i]; i++) {
        struct comparison c = {0};
        struct error err = {0};
        int rc = x && y && x->rank == 4 && y->rank == 3 ? 0 : error_set(&err, "has no logits");
        if (!rc) {
            struct loss_case s = {x->dim[1], x->dim[2], x->dim[3], y->dim[1], y->dim[2]};
            rc = run_loss(&c, t->backends[i], t->threads, f, &s, &err);
        }
        golden_verdict(t, name, t->backends[i]->choice.name, rc, &c, &err);
    }
}

/* ---- sliding windows ------------------------------------------------------------------------- */

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
    to_pixels(rows, planes, x->classes, pixels, 1);
    int rc = compare_within(s->c, s->file, name, planes, n, s->tolerance, err);
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
    int rc = compare_bytes(s->c, s->file, name, best, pixels, 0, err);
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
    int rc = compare_within(s->c, s->file, "output/window_logits", x, count, s->tolerance, err) ||
                     compare_within(s->c, s->file, "output/anchors", anchors, 2 * n, 0, err)
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
    double *x = stored(f, "input", &n, err);
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

static void check_slide(struct selftest *t, const char *name, const struct safetensors *f,
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

/* ---- the tables ------------------------------------------------------------------------------ */

typedef int host_check(struct comparison *c, const struct safetensors *f, const json_t *json,
                       struct error *err);

static void on_host(struct selftest *t, const char *name, const struct safetensors *f,
                    const json_t *json, host_check *check)
{
    struct comparison c = {0};
    struct error err = {0};
    int rc = check(&c, f, json, &err);
    golden_verdict(t, name, "host", rc, &c, &err);
}

static void run_cv2(struct selftest *t, const char *name, const struct safetensors *f, json_t *json)
{
    on_host(t, name, f, json, check_cv2);
}

static void run_windows(struct selftest *t, const char *name, const struct safetensors *f,
                        json_t *json)
{
    on_host(t, name, f, json, check_windows);
}

static void run_miou(struct selftest *t, const char *name, const struct safetensors *f,
                     json_t *json)
{
    on_host(t, name, f, json, check_miou);
}

const struct golden_kind golden_segment_kinds[] = {
    {"seg_cv2", run_cv2},   {"seg_slide", run_windows},
    {"seg_miou", run_miou}, {"seg_resize_loss", check_loss},
    {NULL, NULL},
};

int golden_segment(struct selftest *t, const char *name, const struct safetensors *file)
{
    json_t *config = golden_json(file);
    const char *task = json_string_value(json_object_get(config, "task"));
    int known = 1;
    if (task && !strcmp(task, "miou"))
        on_host(t, name, file, config, check_miou_step);
    else if (task && !strcmp(task, "sliding_window"))
        check_slide(t, name, file, config);
    else
        known = 0;
    json_decref(config);
    return known;
}
