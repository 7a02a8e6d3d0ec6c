/* Operations on images (C,H,W), in place, before normalisation: RandAugment (Cubuk et al., 2020)
 * with the arithmetic of float tensors, of 8-bit tensors or of Pillow, and 3-augment (DeiT III,
 * Touvron et al., ECCV 2022) on floats. What is random comes from the caller's generator. */
#ifndef DATA_AUGMENT_H
#define DATA_AUGMENT_H

#include "base/config.h"

struct rng;

#define AUGMENT_BINS 31 /* magnitudes are bins 0 .. 30 */

/* Floats in [0, 1]. x is contiguous; scratch is as large. channels is 3 or 1 (gray). */
struct augment_image {
    float *x, *scratch;
    int channels, height, width;
};

/* The same in bytes. */
struct augment_bytes {
    unsigned char *x, *scratch;
    int channels, height, width;
};

struct augmentation {
    struct config_choice choice;
    int is_signed; /* half of the draws negate the magnitude */
    /* The magnitude of a bin for an image of this size; NULL: it has none. */
    double (*magnitude)(int bin, int height, int width);
    void (*apply)(struct augment_image *im, double magnitude); /* float tensors */
    void (*apply_u8)(struct augment_bytes *im, double magnitude);
    void (*apply_pil)(struct augment_bytes *im, double magnitude);
};

#define AUGMENTATION(name) extern const struct augmentation augmentation_##name;
#include "data/augmentations.def"
#undef AUGMENTATION
extern const struct augmentation augmentation_Invert; /* no part of RandAugment */

/* The i-th of the list, NULL past the last; by name (Invert too), or NULL. */
const struct augmentation *augmentation_at(int i);
const struct augmentation *augmentation_named(const char *name);

/* Whose arithmetic RandAugment follows. */
struct augment_flavour {
    struct config_choice choice;
    int is_bytes; /* works on bytes: images are resampled to bytes before it */
    void (*run)(const struct augmentation *a, struct augment_image *im, struct augment_bytes *bytes,
                double magnitude);
};
const struct augment_flavour *augment_flavour_at(int i);

/* RandAugment: `ops` operations drawn with replacement, all of one bin. Flavours of bytes round the
 * image's values to 255ths first. */
void augment_rand(struct augment_image *im, const struct augment_flavour *flavour, int ops, int bin,
                  struct rng *r);

/* The same of an image in bytes, with a flavour of bytes: what augment_rand makes of its 255ths, in
 * bytes. */
void augment_rand_bytes(struct augment_bytes *im, const struct augment_flavour *flavour, int ops,
                        int bin, struct rng *r);

/* 3-augment: blur, solarize or gray, then brightness, contrast, saturation and hue in any order. */
void augment_three(struct augment_image *im, struct rng *r);

/* Its parts. Gaussian blur of 7 x 7 with reflected borders (both sides at least 4); delta is a part
 * of the colour circle. The last two leave gray images alone. */
void augment_blur(struct augment_image *im, double sigma);
void augment_grayscale(struct augment_image *im);
void augment_hue(struct augment_image *im, double delta);

#endif
