/* Golden files about data and training rather than models: their metadata "case" is a JSON object
 * whose "kind" says what they hold. */
#ifndef CLI_SELFTEST_GOLDEN_KIND_H
#define CLI_SELFTEST_GOLDEN_KIND_H

#include "train/safetensors.h"

#include <jansson.h>

struct selftest;

/* Runs one file and counts its verdicts. */
struct golden_kind {
    const char *kind;
    void (*run)(struct selftest *t, const char *name, const struct safetensors *file,
                json_t *case_json);
};

/* Arrays end in a NULL kind. */
extern const struct golden_kind golden_augment_kinds[];    /* RandAugment, 3-augment, samples */
extern const struct golden_kind golden_format_kinds[];     /* files of data sets */
extern const struct golden_kind golden_image_kinds[];      /* images, their files, resampling */
extern const struct golden_kind golden_mix_kinds[];        /* mixing, erasing, drawn rectangles */
extern const struct golden_kind golden_preprocess_kinds[]; /* from an image to a sample */
extern const struct golden_kind golden_resample_kinds[];   /* resampled weights */
extern const struct golden_kind golden_segment_kinds[];    /* resizing, windows, mIoU */
extern const struct golden_kind golden_train_kinds[]; /* losses, optimiser, schedules, metrics */

/* A file that has a case: run, counted and 1; 0 for any other file. */
int golden_data(struct selftest *t, const char *name, const struct safetensors *file);

#endif
