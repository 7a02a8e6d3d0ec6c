/* Training that starts from weights: train.weights and the rules beside it. */
#ifndef TRAIN_WEIGHTS_START_H
#define TRAIN_WEIGHTS_START_H

#include "train/weights_import.h"

struct config;
struct error;
struct network;

/* The keys train.weights…, for train_keys. */
#define WEIGHTS_KEYS                                                                               \
    {.name = "train.weights",                                                                      \
     .type = CONFIG_STRING,                                                                        \
     .fallback = "",                                                                               \
     .flags = CONFIG_CONTENT,                                                                      \
     .doc = "safetensors file that training starts from (empty: random)"},                         \
        {.name = "train.weights_patch",                                                            \
         .type = CONFIG_CHOICE,                                                                    \
         .fallback = "pinv",                                                                       \
         .choice = weights_kernel_choice,                                                          \
         .doc = "how patch kernels of weights are resized"},                                       \
        {.name = "train.weights_spread",                                                           \
         .type = CONFIG_BOOL,                                                                      \
         .fallback = "false",                                                                      \
         .doc = "a ViT's patch embedding also starts a ViTTM's memory and process embeddings, "    \
                "resized"},                                                                        \
        {.name = "train.weights_replace_head",                                                     \
         .type = CONFIG_BOOL,                                                                      \
         .fallback = "false",                                                                      \
         .doc = "classifiers start anew though those of the weights would fit"},                   \
    {                                                                                              \
        .name = "train.weights_strict", .type = CONFIG_BOOL, .fallback = "true",                   \
        .doc = "refuse weights with tensors too many or missing that no rule explains"             \
    }

/* train.weights_… of a configuration. */
struct weights_rules weights_rules_of(const struct config *c);

/* Puts train.weights, where set, over the initial values of n; scratch is made for n. What was done
 * goes to stderr, a line a kind of tensor. */
int weights_start(struct network *n, struct weights *scratch, const struct config *c,
                  struct error *err);

/* Whether weights_start would work, found out without a device: before anything runs. */
int weights_check(const struct config *c, struct error *err);

/* Opens a file for weights_import: refuses what torch.save wrote and what its digest does not fit.
 */
int weights_open(struct safetensors *s, const char *path, struct error *err);

#endif
