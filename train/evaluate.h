/* Evaluation: a forward network over a whole data set. Accuracies count every image once (the
 * authors' micro average), whatever the batch. The loss is plain cross entropy, without label
 * smoothing, in double, whatever training minimises: so runs can be compared. Where train.loss is
 * another, that one is reported beside it, without smoothing too. */
#ifndef TRAIN_EVALUATE_H
#define TRAIN_EVALUATE_H

#include "model/model.h"
#include "train/segmentation.h"

#include <stdint.h>

struct config;
struct dataset;
struct error;
struct loss_score;
struct metrics;
struct network;

/* Hits and loss of one classifier. */
struct score {
    int64_t images, top1, top5;
    double loss; /* sum over images */
    double own;  /* the same of evaluation.own */
};

/* The rank of the label among K logits: how many are larger, or equal and earlier. A logit that is
 * not a number beats nothing, and a label whose logit is none has rank K. */
int score_rank(const float *logits, int classes, int label);
/* -log softmax(logits)[label], in double. */
double score_loss(const float *logits, int classes, int label);
/* Adds count rows (B,K). correct, if not NULL, gets 1 or 0 a row for top-1. */
void score_add(struct score *s, const float *logits, const int32_t *labels, int count, int classes,
               unsigned char *correct);

struct evaluation {
    /* Of each classifier (of masked autoencoding each stream), then of the mean of their logits. */
    struct score scores[MODEL_HEADS_MAX + 1];
    int n_scores; /* without that of the mean */
    int head;     /* whose accuracy is the model's; n_scores: the mean's */
    /* One bit an image, in data-set order, least significant first: whether the model's top-1 is
     * right; NULL where there is none. */
    unsigned char *correct;
    const struct loss_score *own; /* the training loss; NULL: the cross entropy */
    int64_t images;
    double wall_s;
    /* Of a segmenting network, whose scores[0] holds the loss over labelled pixels. */
    struct confusion confusion;
    enum absent absent;
};

struct evaluate_options {
    int loader_threads;
    volatile const int *stop;        /* non-zero ends it early; may be NULL */
    const struct loss_score *own;    /* reported beside the cross entropy; may be NULL */
    const char *head;                /* train.eval_head; NULL: the first classifier */
    struct segment_protocol segment; /* of a segmenting network */
};

/* Runs n (a forward network whose parameters are set) over d. Returns 0; 1 where it was stopped; -1
 * on an error. e must be released after 0 only. */
int evaluate(struct evaluation *e, struct network *n, const struct dataset *d,
             const struct evaluate_options *o, struct error *err);
void evaluation_release(struct evaluation *e);

/* What the configuration says of evaluations. */
int evaluate_options_init(struct evaluate_options *o, const struct config *c, struct error *err);

/* Of segmentation those of segmentation_metrics. Of masked autoencoding val/loss, val/memory_loss
 * and val/process_loss alone. Else val/top1, val/top5 of e->head; val/NAME_top1, val/NAME_top5 of
 * the other classifiers; val/loss, their sum, and each one's own where there are two;
 * val/bce, val/NAME_bce likewise where e->own is bce. prefix comes after "val/", "" or as in
 * val/ema_top1. */
void evaluation_metrics(const struct evaluation *e, const struct network *n, const char *prefix,
                        struct metrics *m);

#endif
