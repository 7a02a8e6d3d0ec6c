/* Training losses: a configuration says what a model is trained to minimise. */
#ifndef TRAIN_LOSS_H
#define TRAIN_LOSS_H

#include "base/config.h"

struct model_options;

/* Root table of the schema: train.loss, train.head_loss. */
extern const struct config_key loss_keys[];

/* A training loss of a labelled image as an evaluation reports it, beside the cross entropy. */
struct loss_score {
    const char *name;                                          /* "bce" in val/bce */
    double (*of)(const float *logits, int classes, int label); /* without smoothing, in double */
    int mean;                                                  /* over the classes */
};

/* That of train.loss; NULL where it is the cross entropy itself. */
const struct loss_score *loss_score(const struct config *c);

/* Fills the loss of a training network's options: bce, and its scale. */
void loss_options(const struct config *c, struct model_options *o);

#endif
