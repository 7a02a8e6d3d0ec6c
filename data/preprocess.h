/* From a decoded image to the model's input tensor, as upstream does it:
 *
 *   evaluation   resize the short side (Pillow bicubic on u8), centre crop, x/255, (x - mean)/std
 *   training     crop (none, pad, random resized crop or a scene's window), flip, x*(1/255),
 *                augmentation of colours and shapes (data/augment_policy.h), (x - mean)/std
 *
 * All that is random comes from the caller's generator, in a fixed order. */
#ifndef DATA_PREPROCESS_H
#define DATA_PREPROCESS_H

#include <stdint.h>

#include "base/config.h"
#include "data/augment_policy.h"
#include "data/image.h"
#include "data/scene.h"

struct dataset;
struct error;
struct rng;
struct box;

enum crop_kind { CROP_NONE, CROP_PAD, CROP_RRC, CROP_SCENE };

struct preprocess {
    float mean[3], deviation[3];
    float train_level[3][256], eval_level[3][256]; /* u8 sample -> normalised value, by channel */
    float unit_level[3][256];                      /* the same before normalisation */
    struct augment_settings augment;
    int flip;
    enum crop_kind crop;
    int pad;                    /* CROP_PAD: pixels of black on each side */
    double scale[2], ratio[2];  /* CROP_RRC: share of the area, width / height */
    struct scene_options scene; /* CROP_SCENE; short_side 0: the image size */
    double eval_crop_ratio;     /* image size / short side before the centre crop */
};

/* The keys that every data set has, with its own defaults: rows of its table. */
#define PREPROCESS_KEYS(flip, crop, crop_ratio)                                                    \
    {                                                                                              \
        "data.augment.flip",                                                                       \
        CONFIG_BOOL,                                                                               \
        flip,                                                                                      \
        0,                                                                                         \
        0,                                                                                         \
        NULL,                                                                                      \
        0,                                                                                         \
        "training: mirror half of the images"},                                                    \
        {"data.augment.crop",                                                                      \
         CONFIG_CHOICE,                                                                            \
         crop,                                                                                     \
         0,                                                                                        \
         0,                                                                                        \
         preprocess_crop_choice,                                                                   \
         0,                                                                                        \
         "training: which part of an image is seen"},                                              \
    {                                                                                              \
        "data.eval.crop_ratio", CONFIG_FLOAT, crop_ratio, 0.1, 1, NULL, 0,                         \
            "evaluation: image size / short side before the centre crop"                           \
    }

const struct config_choice *preprocess_crop_choice(int i);
const struct config_choice *preprocess_normalize_choice(int i);

/* Reads data.normalize, data.augment.* and data.eval.*; d supplies its own mean and deviation. */
int preprocess_init(struct preprocess *p, const struct config *c, const struct dataset *d,
                    struct error *err);

/* The level tables, from mean and deviation. */
void preprocess_levels(struct preprocess *p);

/* What one thread needs to prepare samples; zero-initialise, release. */
struct preprocess_scratch {
    struct image image, mask, resized;
    struct scene_scratch scene;
    float *rows;
    size_t rows_capacity;
};
void preprocess_scratch_release(struct preprocess_scratch *s);

/* One image into out (channels,size,size). channels is 3, or 1 where the view has one; a view of
 * one channel fills three alike. mask (one plane of the image's size, or NULL) goes through the
 * same geometry into mask_out (size,size), nearest neighbour, DATASET_IGNORE outside. r NULL means
 * evaluation. */
void preprocess_sample(const struct preprocess *p, const struct image_view *view,
                       const struct image_view *mask, int size, int channels, struct rng *r,
                       struct preprocess_scratch *s, float *out, uint8_t *mask_out);

/* Whether training (or evaluation) has samples in bytes up to where they are normalised: it cuts,
 * resamples to bytes, flips, augments bytes, and does nothing to floats (a random resized crop does
 * where no augmentation asks for bytes). Then preprocess_bytes gives the samples as they are before
 * normalisation, and preprocess_sample's result is table[channel][sample] of preprocess_table, bit
 * for bit. */
int preprocess_gives_bytes(const struct preprocess *p, int train);
const float (*preprocess_table(const struct preprocess *p, int train))[256];
void preprocess_bytes(const struct preprocess *p, const struct image_view *view, int size,
                      int channels, struct rng *r, struct preprocess_scratch *s, uint8_t *out);

/* The part of an image of width x height that preprocess_sample looks at, given the same arguments;
 * r is left as it was. */
struct box preprocess_window(const struct preprocess *p, int width, int height, int size,
                             const struct rng *r);

/* The box of a random resized crop. */
struct box preprocess_rrc_box(const struct preprocess *p, int height, int width, struct rng *r);

#endif
