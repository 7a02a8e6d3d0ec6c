#include "train/loss.h"

#include "model/model.h"

#include <stddef.h>
#include <string.h>

static const struct config_choice reductions[] = {
    {"sum", "terms are summed over classes, the authors' way: about K times the mean", NULL},
    {"mean", "terms are averaged over classes", NULL}};

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

const struct config_key loss_keys[] = {
    {.name = "train.loss",
     .type = CONFIG_CHOICE,
     .fallback = "ce",
     .choice = loss_choice,
     .doc = "what training minimises, mean over the batch; the sum of it where there are two "
            "classifiers"},
    {0}};

void loss_options(const struct config *c, struct model_options *o)
{
    o->bce = !strcmp(config_string(c, "train.loss"), "bce");
    o->bce_mean = o->bce && !strcmp(config_string(c, "train.bce_reduction"), "mean");
}
