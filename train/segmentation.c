#include "train/segmentation.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "data/resize_taps.h"
#include "model/segment.h"
#include "train/evaluate.h"
#include "train/metrics.h"
#include "train/network.h"

_Static_assert(SEGMENT_IGNORE == DATASET_IGNORE, "masks and losses ignore the same label");

int segment_protocol_init(struct segment_protocol *p, const struct config *c, struct error *err)
{
    const double *scales;
    *p = (struct segment_protocol){
        .stride = (int)config_int(c, "train.segment.stride"),
        .short_side = (int)config_int(c, "train.segment.short_side"),
        .long_side = (int)config_int(c, "train.segment.long_side"),
        .n_scales = config_floats(c, "train.segment.scales", &scales),
        .flip = config_bool(c, "train.segment.flip"),
        .absent = segment_absent_is_zero(c) ? ABSENT_ZERO : ABSENT_SKIP,
    };
    if (p->n_scales < 1 || p->n_scales > SEGMENT_SCALES_MAX)
        return config_error(c, err, "train.segment.scales", "needs 1 to %d numbers",
                            SEGMENT_SCALES_MAX);
    memcpy(p->scales, scales, sizeof *scales * (size_t)p->n_scales);
    return 0;
}

void segment_image_release(struct segment_image *im)
{
    for (size_t i = 0; i < sizeof im->passes / sizeof *im->passes; i++) {
        free(im->passes[i].values);
        scores_release(&im->passes[i].sum);
    }
    scores_release(&im->scores);
    *im = (struct segment_image){0};
}

void segmenter_open(struct segmenter *s, struct network *n, const struct segment_protocol *p,
                    const struct preprocess *preprocess)
{
    *s = (struct segmenter){.protocol = p, .preprocess = preprocess};
    slider_open(&s->slider, n, p->stride ? p->stride : (int)n->image->shape.dim[3]);
}

void segmenter_close(struct segmenter *s)
{
    slider_close(&s->slider);
}

/* ---- one image ------------------------------------------------------------------------------- */

/* Interleaved u8 to normalised planes; gray fills all of them. */
static void normalize(const struct segmenter *s, const unsigned char *pixels, int channels,
                      struct segment_pass *p)
{
    float *out = p->values;
    for (int c = 0; c < s->slider.channels; c++) {
        const float *level = s->preprocess->eval_level[c < channels ? c : 0];
        for (int y = 0; y < p->height; y++)
            for (int x = 0; x < p->width; x++) {
                int at = p->mirrored ? p->width - 1 - x : x;
                *out++ =
                    level[pixels[((int64_t)y * p->width + at) * channels + (c < channels ? c : 0)]];
            }
    }
}

static void prepare_pass(const struct segmenter *s, const struct image_view *view, double scale,
                         struct segment_pass *p)
{
    const struct segment_protocol *o = s->protocol;
    int short_side = o->short_side ? o->short_side : s->slider.size;
    resize_fit(view->height, view->width, (int)(o->long_side * scale), (int)(short_side * scale),
               &p->height, &p->width);
    size_t pixels = (size_t)p->height * (size_t)p->width;
    unsigned char *resized = mem_alloc(pixels * (size_t)view->channels);
    resize_linear(view, p->width, p->height, resized);
    if (pixels * (size_t)s->slider.channels > p->capacity) {
        free(p->values);
        p->capacity = pixels * (size_t)s->slider.channels;
        p->values = mem_alloc(sizeof *p->values * p->capacity);
    }
    normalize(s, resized, view->channels, p);
    free(resized);
}

void segmenter_prepare(const struct segmenter *s, struct segment_image *im,
                       const struct image_view *view)
{
    const struct segment_protocol *o = s->protocol;
    im->height = view->height;
    im->width = view->width;
    im->n_passes = 0;
    for (int i = 0; i < o->n_scales; i++)
        for (int mirrored = 0; mirrored <= o->flip; mirrored++) {
            struct segment_pass *p = &im->passes[im->n_passes++];
            p->mirrored = mirrored;
            prepare_pass(s, view, o->scales[i], p);
        }
}

void segmenter_add(struct segmenter *s, struct segment_image *im)
{
    for (int i = 0; i < im->n_passes; i++) {
        struct segment_pass *p = &im->passes[i];
        scores_init(&p->sum, p->height, p->width, s->slider.classes);
        slider_add(&s->slider, p->values, p->height, p->width, &p->sum);
    }
}

static void resize_sum(const struct segment_image *im, struct segment_pass *p, struct scores *out)
{
    if (p->height == im->height && p->width == im->width) {
        scores_release(out);
        *out = p->sum;
        p->sum = (struct scores){0};
    } else {
        scores_resize(&p->sum, im->height, im->width, out);
    }
}

void segmenter_decide(const struct segmenter *s, struct segment_image *im, unsigned char *classes)
{
    struct scores resized = {0};
    if (im->n_passes > 1)
        scores_init(&im->scores, im->height, im->width, s->slider.classes);
    for (int i = 0; i < im->n_passes; i++) {
        struct segment_pass *p = &im->passes[i];
        slider_average(&s->slider, &p->sum);
        resize_sum(im, p, im->n_passes > 1 ? &resized : &im->scores);
        if (im->n_passes > 1)
            scores_add_softmax(&im->scores, &resized, p->mirrored, 1.0 / im->n_passes);
    }
    scores_argmax(&im->scores, classes);
    scores_release(&resized);
}

void segmenter_run(struct segmenter *s, struct segment_image *im, unsigned char *classes)
{
    segmenter_add(s, im);
    slider_flush(&s->slider);
    segmenter_decide(s, im, classes);
}

/* ---- a data set ------------------------------------------------------------------------------ */

/* One image of the group whose windows run together. */
struct member {
    struct segment_image image;
    unsigned char *labels, *classes; /* (height,width) */
};

struct run {
    struct segmenter segmenter;
    struct evaluation *e;
    struct member *members;
    int n_members;
    struct image image, mask; /* being read */
};

static double pixel_losses(const struct scores *s, const unsigned char *labels, int64_t *counted)
{
    int64_t pixels = (int64_t)s->height * s->width;
    double sum = 0;
    for (int64_t i = 0; i < pixels; i++) {
        if (labels[i] == SEGMENT_IGNORE)
            continue;
        sum += score_loss(s->v + i * s->classes, s->classes, labels[i]);
        ++*counted;
    }
    return sum;
}

static void finish_group(struct run *r)
{
    slider_flush(&r->segmenter.slider);
    for (int i = 0; i < r->n_members; i++) {
        struct member *m = &r->members[i];
        size_t pixels = (size_t)m->image.height * (size_t)m->image.width;
        m->classes = mem_alloc(pixels);
        segmenter_decide(&r->segmenter, &m->image, m->classes);
        confusion_add(&r->e->confusion, m->classes, m->labels, pixels);
        if (m->image.n_passes == 1)
            r->e->scores[0].loss +=
                pixel_losses(&m->image.scores, m->labels, &r->e->scores[0].images);
        free(m->classes);
        free(m->labels);
        m->classes = m->labels = NULL;
    }
    r->n_members = 0;
}

static unsigned char *copy_plane(const struct image_view *v)
{
    unsigned char *plane = mem_alloc((size_t)v->width * (size_t)v->height), *out = plane;
    for (int y = 0; y < v->height; y++)
        for (int x = 0; x < v->width; x++)
            *out++ = v->data[y * v->step_y + x * v->step_x];
    return plane;
}

static int add_sample(struct run *r, const struct dataset *d, int64_t i, struct error *err)
{
    struct image_view view, mask;
    struct member *m = &r->members[r->n_members];
    int size = r->segmenter.slider.size;
    if (dataset_read(d, i, size, &r->image, &view, err) ||
        dataset_read_mask(d, i, size, &r->mask, &mask, err) ||
        dataset_check_pair(d, i, &view, &mask, err))
        return -1;
    segmenter_prepare(&r->segmenter, &m->image, &view);
    m->labels = copy_plane(&mask);
    segmenter_add(&r->segmenter, &m->image);
    r->n_members++;
    return 0;
}

static void release(struct run *r)
{
    for (int i = 0; i < r->segmenter.slider.batch; i++) {
        segment_image_release(&r->members[i].image);
        free(r->members[i].labels);
    }
    free(r->members);
    image_release(&r->image);
    image_release(&r->mask);
    segmenter_close(&r->segmenter);
}

int segmentation_evaluate(struct evaluation *e, struct network *n, const struct dataset *d,
                          const struct evaluate_options *o, struct error *err)
{
    struct run r = {.e = e};
    int64_t windows = 0;
    int rc = 0;
    segmenter_open(&r.segmenter, n, &o->segment, &d->preprocess);
    r.members = mem_zalloc((size_t)r.segmenter.slider.batch, sizeof *r.members);
    confusion_init(&e->confusion, n->classes);
    e->absent = o->segment.absent;
    for (int64_t i = 0; !rc && i < e->images; i++) {
        rc = add_sample(&r, d, i, err);
        const struct slider *s = &r.segmenter.slider;
        if (r.n_members == s->batch || s->windows + s->used - windows >= s->batch) {
            finish_group(&r);
            windows = s->windows;
        }
        if (!rc && o->stop && *o->stop)
            rc = 1;
    }
    if (!rc)
        finish_group(&r);
    release(&r);
    return rc;
}

static void set(struct metrics *m, const char *prefix, const char *what, double value)
{
    char name[48];
    snprintf(name, sizeof name, "val/%s%s", prefix, what);
    metrics_set(m, name, value);
}

void segmentation_metrics(const struct evaluation *e, const char *prefix, struct metrics *m)
{
    const struct confusion *c = &e->confusion;
    set(m, prefix, "miou", confusion_miou(c, e->absent));
    set(m, prefix, "pixel_acc", confusion_pixel_acc(c));
    set(m, prefix, "mean_acc", confusion_mean_acc(c));
    set(m, prefix, "loss", e->scores[0].loss / (double)e->scores[0].images);
    metrics_set(m, "val/majority_miou", confusion_majority_miou(c));
    metrics_set(m, "val/majority_acc", confusion_majority_acc(c));
}
