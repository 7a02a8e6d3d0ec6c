#include "train/loss.h"

#include "model/model.h"

#include <math.h>
#include <stddef.h>
#include <string.h>

static const struct config_choice reductions[] = {
    {"sum", "terms are summed over classes, the authors' way: about K times the mean", NULL},
    {"mean", "terms are averaged over classes", NULL}};

/* softplus(x) is -log(1 - sigmoid(x)); of the label -log(sigmoid(x)) = softplus(x) - x. */
static double bce_of(const float *logits, int classes, int label)
{
    double sum = -(double)logits[label];
    for (int k = 0; k < classes; k++) {
        double x = (double)logits[k];
        sum += fmax(x, 0) + log1p(exp(-fabs(x)));
    }
    return sum;
}

static const struct loss_score bce_scores[] = {{"bce", bce_of, 0}, {"bce", bce_of, 1}};

static const struct config_choice *reduction_choice(int i)
{
    return i < 2 ? &reductions[i] : NULL;
}

static const struct config_key bce_keys[] = {{.name = "train.bce_reduction",
                                              .type = CONFIG_CHOICE,
                                              .fallback = "sum",
                                              .choice = reduction_choice,
                                              .doc = "what happens to the terms of the classes"},
                                             {0}};

static const struct config_choice losses[] = {
    {"ce", "cross entropy over the classes", NULL},
    {"bce", "binary cross entropy of each class with logits", bce_keys}};

static const struct config_choice *loss_choice(int i)
{
    return i < 2 ? &losses[i] : NULL;
}

static const struct config_choice combinations[] = {
    {"sum", "the losses of two classifiers are summed, the authors' way", NULL},
    {"mean", "they are averaged", NULL}};

static const struct config_choice *combination_choice(int i)
{
    return i < 2 ? &combinations[i] : NULL;
}

const struct config_key loss_keys[] = {
    {.name = "train.loss",
     .type = CONFIG_CHOICE,
     .fallback = "ce",
     .choice = loss_choice,
     .doc = "what training minimises, mean over the batch"},
    {.name = "train.head_loss",
     .type = CONFIG_CHOICE,
     .fallback = "sum",
     .choice = combination_choice,
     .doc = "what becomes of the losses where there are two classifiers"},
    {0}};

static int is_bce(const struct config *c)
{
    return !strcmp(config_string(c, "train.loss"), "bce");
}

static int is_mean(const struct config *c)
{
    return is_bce(c) && !strcmp(config_string(c, "train.bce_reduction"), "mean");
}

const struct loss_score *loss_score(const struct config *c)
{
    return is_bce(c) ? &bce_scores[is_mean(c)] : NULL;
}

void loss_options(const struct config *c, struct model_options *o)
{
    o->bce = is_bce(c);
    o->bce_mean = is_mean(c);
    o->mean_heads = config_choice(c, "train.head_loss") == &combinations[1];
}
