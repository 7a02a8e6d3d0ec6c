/* What a backbone gives to a decoder: tokens that lie on a grid (Strudel et al. 2021). A family
 * that can is a struct model with .features; model/segment.c puts a decoder on top. */
#ifndef MODEL_FEATURES_H
#define MODEL_FEATURES_H

#include "nn/nn.h"

/* tokens (B, rows*cols, C), row-major. The grid covers the image and what was padded to it. */
struct features {
    struct tensor *tokens;
    struct grid grid;
    int64_t height, width; /* pixels that the grid covers */
};

/* The layers of model.decoder.blocks, ascending, the last block among them: writes them to taps
 * (room for depth) and returns how many, or 0 with b->g failed. */
int features_taps(struct builder *b, int64_t depth, int64_t *taps);

/* Refuses merged tokens that are not put back to their places, which they are behind the last block
 * only. 0 or -1. */
int features_check_merges(struct builder *b, int n_taps);

/* Refuses model.decoder.streams of a family that has one stream. 0 or -1. */
int features_one_stream(struct builder *b);

/* How position tables are resampled; read by families with model.table_image_size. */
const struct config_choice *pos_resize_choice(int i);
enum mixing_kind pos_resize_kind(const struct config *c);

#define MODEL_POS_RESIZE_KEY                                                                       \
    {                                                                                              \
        .name = "model.pos_resize", .type = CONFIG_CHOICE, .fallback = "bicubic_aa",               \
        .choice = pos_resize_choice, .doc = "how position tables are resampled to another grid"    \
    }

/* Which stream of a backbone with two of them the decoder sees. */
enum feature_stream {
    FEATURES_AUTO, /* both where their grids agree, else process: the ViTTM authors' rule */
    FEATURES_PROCESS,
    FEATURES_MEMORY,
    FEATURES_BOTH /* process first; the coarser grid is resampled to the finer one */
};
enum feature_stream features_stream(const struct config *c);

/* The keys that every backbone's features read; of train.objective segment. */
#define FEATURES_KEYS                                                                              \
    {.name = "model.decoder.streams",                                                              \
     .type = CONFIG_CHOICE,                                                                        \
     .fallback = "auto",                                                                           \
     .choice = features_stream_choice,                                                             \
     .doc = "which tokens of a ViTTM the decoder sees"},                                           \
        {.name = "model.decoder.blocks",                                                           \
         .type = CONFIG_INTS,                                                                      \
         .fallback = "-1",                                                                         \
         .min = -1000,                                                                             \
         .max = 999,                                                                               \
         .doc = "behind which encoder blocks, negative ones counted from the end; several are "    \
                "joined on channels"},                                                             \
    {                                                                                              \
        .name = "model.backbone_classes", .type = CONFIG_INT, .fallback = "0", .min = 0,           \
        .max = 1000000,                                                                            \
        .doc = "outputs of the backbone's own classifier, which is counted and never read (0: it " \
               "has none); papers' models keep ImageNet's 1000"                                    \
    }
const struct config_choice *features_stream_choice(int i);

#endif
