#include "train/confusion.h"

#include <math.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/memory.h"
#include "model/segment.h"

void confusion_init(struct confusion *c, int classes)
{
    size_t n = (size_t)classes;
    *c = (struct confusion){classes, mem_zalloc(n, sizeof(int64_t)), mem_zalloc(n, sizeof(int64_t)),
                            mem_zalloc(n, sizeof(int64_t))};
}

void confusion_release(struct confusion *c)
{
    free(c->intersect);
    free(c->predicted);
    free(c->labelled);
    *c = (struct confusion){0};
}

void confusion_add(struct confusion *c, const unsigned char *predicted, const unsigned char *labels,
                   size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (labels[i] == SEGMENT_IGNORE)
            continue;
        ASSERT(labels[i] < c->classes && predicted[i] < c->classes);
        c->labelled[labels[i]]++;
        c->predicted[predicted[i]]++;
        c->intersect[labels[i]] += labels[i] == predicted[i];
    }
}

static double percent(int64_t part, int64_t whole)
{
    return whole ? 100 * (double)part / (double)whole : NAN;
}

double confusion_iou(const struct confusion *c, int k)
{
    return percent(c->intersect[k], c->predicted[k] + c->labelled[k] - c->intersect[k]);
}

double confusion_class_acc(const struct confusion *c, int k)
{
    return percent(c->intersect[k], c->labelled[k]);
}

static double mean_over_classes(const struct confusion *c,
                                double (*value)(const struct confusion *c, int k),
                                enum absent absent)
{
    double sum = 0;
    int n = 0;
    for (int k = 0; k < c->classes; k++) {
        double v = value(c, k);
        if (isnan(v) && absent == ABSENT_SKIP)
            continue;
        sum += isnan(v) ? 0 : v;
        n++;
    }
    return n ? sum / n : NAN;
}

double confusion_miou(const struct confusion *c, enum absent absent)
{
    return mean_over_classes(c, confusion_iou, absent);
}

double confusion_mean_acc(const struct confusion *c)
{
    return mean_over_classes(c, confusion_class_acc, ABSENT_SKIP);
}

static int64_t total(const struct confusion *c, const int64_t *of)
{
    int64_t sum = 0;
    for (int k = 0; k < c->classes; k++)
        sum += of[k];
    return sum;
}

double confusion_pixel_acc(const struct confusion *c)
{
    return percent(total(c, c->intersect), total(c, c->labelled));
}

static int64_t largest(const struct confusion *c)
{
    int64_t most = 0;
    for (int k = 0; k < c->classes; k++)
        most = c->labelled[k] > most ? c->labelled[k] : most;
    return most;
}

double confusion_majority_acc(const struct confusion *c)
{
    return percent(largest(c), total(c, c->labelled));
}

double confusion_majority_miou(const struct confusion *c)
{
    int present = 0;
    for (int k = 0; k < c->classes; k++)
        present += c->labelled[k] > 0;
    return present ? confusion_majority_acc(c) / present : NAN;
}
