/* Intersections over unions. */
#include "base/memory.h"
#include "cli/selftest/golden_segment.h"
#include "data/dataset.h"
#include "train/confusion.h"

#include <stdlib.h>
#include <string.h>

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
    int rc = name ? segment_compare(c, f, name, x, m->classes, 0, err) : 0;
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
    int rc = segment_compare(c, f, name, x, m->classes, 1e-7, err);
    free(x);
    return rc;
}

static int compare_share(struct comparison *c, const struct safetensors *f, const char *name,
                         double percent, double whole, struct error *err)
{
    double x = percent / 100 * whole;
    return segment_compare(c, f, name, &x, 1, 1e-7 * whole, err);
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
    unsigned char *labels = segment_stored_bytes(f, raw, &n, err);
    unsigned char *pred = labels ? segment_stored_bytes(f, "pred", &n_pred, err) : NULL;
    struct confusion m;
    confusion_init(&m, classes);
    int rc = pred && n == n_pred ? 0 : -1;
    if (!rc) {
        reduce_zero(labels, n);
        rc = segment_compare_bytes(c, f, reduced, labels, n, 0, err);
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

int segment_check_miou(struct comparison *c, const struct safetensors *f, const json_t *json,
                       struct error *err)
{
    static const struct miou_names names = {"intersect", "union", NULL,   "label_area", "iou",
                                            "acc",       "mIoU",  "mAcc", "aAcc",       100};
    int classes = (int)json_integer_value(json_object_get(json, "num_classes"));
    return check_confusion(c, f, "gt_png_values", "gt_reduced", classes, &names, err);
}

int segment_check_miou_step(struct comparison *c, const struct safetensors *f, const json_t *config,
                            struct error *err)
{
    static const struct miou_names names = {
        "output/intersect", "output/union", "output/pred_area", "output/label_area", "output/iou",
        "output/class_acc", "output/miou",  "output/mean_acc",  "output/pixel_acc",  1};
    int classes = (int)json_integer_value(json_object_get(config, "classes"));
    return check_confusion(c, f, "label_raw", "label", classes, &names, err);
}
