/* Segmenting whole images with a network that sees windows of one size, as papers evaluate it:
 * the image is resized so that its shorter side fills a window, windows slide over it, their scores
 * are averaged, resized to the original image, and every pixel gets the class with the highest one.
 * With several scales or mirrored images the probabilities of all passes are averaged instead. */
#ifndef TRAIN_SEGMENTATION_H
#define TRAIN_SEGMENTATION_H

#include "base/config.h"
#include "train/confusion.h"
#include "train/slide.h"

struct dataset;
struct error;
struct evaluate_options;
struct evaluation;
struct image_view;
struct metrics;
struct network;
struct preprocess;

#define SEGMENT_SCALES_MAX 16

/* How images are segmented: the keys train.segment.* that are not of the loss. */
struct segment_protocol {
    int stride;                /* pixels between windows; 0: a window's side */
    int short_side, long_side; /* an image is fitted into; short_side 0: a window's side */
    double scales[SEGMENT_SCALES_MAX];
    int n_scales, flip;
    enum absent absent;
};

/* Refuses scales that are too many. */
int segment_protocol_init(struct segment_protocol *p, const struct config *c, struct error *err);

/* One image on its way: its passes (scales, mirrored or not), resized and normalised, and the sums
 * of their windows. Zero-initialise, release. */
struct segment_image {
    int height, width; /* original */
    int n_passes;
    struct segment_pass {
        int height, width, mirrored;
        float *values; /* (C,height,width) */
        size_t capacity;
        struct scores sum;
    } passes[2 * SEGMENT_SCALES_MAX];
    struct scores scores; /* of the original's pixels: logits of one pass, else probabilities */
};
void segment_image_release(struct segment_image *im);

/* n must outlive it. Owned by the caller. */
struct segmenter {
    const struct segment_protocol *protocol;
    const struct preprocess *preprocess; /* how samples are normalised */
    struct slider slider;
};
void segmenter_open(struct segmenter *s, struct network *n, const struct segment_protocol *p,
                    const struct preprocess *preprocess);
void segmenter_close(struct segmenter *s);

/* Resizes and normalises. */
void segmenter_prepare(const struct segmenter *s, struct segment_image *im,
                       const struct image_view *view);
/* Queues all windows of a prepared image; they have run after slider_flush. */
void segmenter_add(struct segmenter *s, struct segment_image *im);
/* classes (height,width) of the original; fills im->scores. */
void segmenter_decide(const struct segmenter *s, struct segment_image *im, unsigned char *classes);

/* All three for one picture. */
void segmenter_run(struct segmenter *s, struct segment_image *im, unsigned char *classes);

/* evaluate() of train/evaluate.h for such networks: areas and loss over the data set's masks. */
int segmentation_evaluate(struct evaluation *e, struct network *n, const struct dataset *d,
                          const struct evaluate_options *o, struct error *err);
/* val/miou, val/pixel_acc, val/mean_acc, and what the most frequent class alone would give:
 * val/majority_miou, val/majority_acc; val/loss of a single pass. prefix as evaluation_metrics has
 * it.
 */
void segmentation_metrics(const struct evaluation *e, const char *prefix, struct metrics *m);

#endif
