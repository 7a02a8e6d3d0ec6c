/* Accuracy of segmentation (mmseg's IoUMetric): areas of every class are added up over a whole data
 * set before anything is divided. Pixels that are ignored count for nothing. */
#ifndef TRAIN_CONFUSION_H
#define TRAIN_CONFUSION_H

#include <stddef.h>
#include <stdint.h>

struct confusion {
    int classes;
    int64_t *intersect, *predicted, *labelled; /* pixels of each class */
};

/* What a class without any pixel, labelled or predicted, is in the mean: left out (mmseg), or 0
 * (the official evaluation of the ADE20K benchmark). */
enum absent { ABSENT_SKIP, ABSENT_ZERO };

void confusion_init(struct confusion *c, int classes);
void confusion_release(struct confusion *c);
/* n pixels; labels may be SEGMENT_IGNORE, predictions are below classes. */
void confusion_add(struct confusion *c, const unsigned char *predicted, const unsigned char *labels,
                   size_t n);

/* Percent. NAN where there is nothing to divide by. */
double confusion_iou(const struct confusion *c, int k); /* intersection over union of class k */
double confusion_class_acc(const struct confusion *c, int k); /* share of its labelled pixels */
double confusion_miou(const struct confusion *c, enum absent absent);
double confusion_mean_acc(const struct confusion *c); /* over classes that are labelled anywhere */
double confusion_pixel_acc(const struct confusion *c);
/* Of the class with most labelled pixels alone: the pixel accuracy and the mIoU that predicting it
 * everywhere gives. */
double confusion_majority_acc(const struct confusion *c);
double confusion_majority_miou(const struct confusion *c);

#endif
