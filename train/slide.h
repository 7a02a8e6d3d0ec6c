/* Sliding-window inference (Strudel et al. 2021; mmseg's slide_inference): windows of the network's
 * size cover an image, and where they overlap their scores are averaged. */
#ifndef TRAIN_SLIDE_H
#define TRAIN_SLIDE_H

#include "data/resize.h"
#include "train/scores.h"

struct network;

/* Along one side: how many windows cover it, one every stride pixels, and where the i-th lies. The
 * last one is moved back inside; a side shorter than a window is one window of its length. */
int slide_count(int side, int window, int stride);
struct slide_span {
    int start, length;
};
struct slide_span slide_span(int i, int side, int window, int stride);

/* The windows of an image in the order of evaluation, row by row; to out unless it is NULL. Returns
 * how many. */
int slide_windows(int height, int width, int window, int stride, struct box *out);

/* Windows on their way through a network, a batch at a time, whatever images they are from. */
struct slider {
    struct network *net; /* a forward network with train.objective segment */
    int stride;
    /* the rest is its own */
    int size, channels, batch, classes, used;
    float *input, *output; /* (B,C,S,S), (B,S,S,K) */
    struct slider_place {
        struct scores *to;
        struct box box;
    } * places;
    int64_t windows; /* run so far */
};

void slider_open(struct slider *s, struct network *net, int stride);
void slider_close(struct slider *s);
/* image (C,height,width), normalised: its windows will be added to sum, which the caller has made
 * by scores_init and leaves alone until slider_flush. */
void slider_add(struct slider *s, const float *image, int height, int width, struct scores *sum);
/* Runs what is left. */
void slider_flush(struct slider *s);
/* Divides sums by the number of windows over each pixel. */
void slider_average(const struct slider *s, struct scores *sum);

#endif
