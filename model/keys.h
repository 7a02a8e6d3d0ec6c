/* Keys that several families declare. */
#ifndef MODEL_KEYS_H
#define MODEL_KEYS_H

#include "base/config.h"

/* One stack of equal encoder blocks. */
#define MODEL_TOWER_KEYS                                                                           \
    {.name = "model.dim",                                                                          \
     .type = CONFIG_INT,                                                                           \
     .fallback = "768",                                                                            \
     .min = 1,                                                                                     \
     .max = 65536,                                                                                 \
     .doc = "token width"},                                                                        \
        {.name = "model.depth",                                                                    \
         .type = CONFIG_INT,                                                                       \
         .fallback = "12",                                                                         \
         .min = 1,                                                                                 \
         .max = 1000,                                                                              \
         .doc = "number of encoder blocks"},                                                       \
        {.name = "model.heads",                                                                    \
         .type = CONFIG_INT,                                                                       \
         .fallback = "12",                                                                         \
         .min = 1,                                                                                 \
         .max = 1024,                                                                              \
         .doc = "attention heads, of blocks and of multi-head read-write heads"},                  \
    {                                                                                              \
        .name = "model.mlp_ratio", .type = CONFIG_FLOAT, .fallback = "4", .min = 0.01, .max = 64,  \
        .doc = "hidden width of a block's MLP over its width"                                      \
    }

#define MODEL_PATCH_KEY                                                                            \
    {                                                                                              \
        .name = "model.patch", .type = CONFIG_INT, .fallback = "16", .min = 1, .max = 1024,        \
        .doc = "side of a patch, pixels"                                                           \
    }

#define MODEL_TABLE_SIZE_KEY                                                                       \
    {                                                                                              \
        .name = "model.table_image_size", .type = CONFIG_INT, .fallback = "0", .min = 0,           \
        .max = 4096,                                                                               \
        .doc =                                                                                     \
            "image side that the position tables are for, resampled to image_size (0: image_size)" \
    }

/* nn_block's layer_scale where the key is true. */
#define MODEL_LAYER_SCALE_INIT 1e-6
#define MODEL_LAYER_SCALE_KEY                                                                      \
    {                                                                                              \
        .name = "model.layer_scale", .type = CONFIG_BOOL, .fallback = "false",                     \
        .doc = "learned gains on both branches of a block, initially 1e-6 (DeiT III)"              \
    }

#define MODEL_NORM_EPS_KEY                                                                         \
    {                                                                                              \
        .name = "model.norm_eps", .type = CONFIG_FLOAT, .fallback = "1e-6", .min = 1e-12,          \
        .max = 1, .doc = "epsilon of the layer norms"                                              \
    }

/* Of families with two classifiers, memory_logits and process_logits. */
#define MODEL_EVAL_HEAD_KEY                                                                        \
    {                                                                                              \
        .name = "train.eval_head", .type = CONFIG_CHOICE, .fallback = "memory",                    \
        .choice = model_eval_head_choice,                                                          \
        .doc = "whose accuracy val/top1 is, which images count as right, and by which "            \
               "train.select finds the best epoch"                                                 \
    }
const struct config_choice *model_eval_head_choice(int i);

#endif
