/* The list of operations with their magnitudes, and the flavours of arithmetic. */
#include "data/augment.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/augment_ops.h"

/* As float32 tables are made: from both ends towards the middle. */
static double linear(double from, double to, int bin)
{
    float a = (float)from, b = (float)to, step = (b - a) / (AUGMENT_BINS - 1);
    if (bin < AUGMENT_BINS / 2)
        return fmaf(step, (float)bin, a);
    return fmaf(-step, (float)(AUGMENT_BINS - 1 - bin), b);
}

static double shear_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 0.3, bin);
}

static double translate_x_of(int bin, int height, int width)
{
    (void)height;
    return linear(0, 150.0 / 331 * width, bin);
}

static double translate_y_of(int bin, int height, int width)
{
    (void)width;
    return linear(0, 150.0 / 331 * height, bin);
}

static double rotate_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 30, bin);
}

static double blend_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(0, 0.9, bin);
}

static double posterize_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return nearbyint(8 - bin / ((AUGMENT_BINS - 1) / 4.0));
}

static double solarize_of(int bin, int height, int width)
{
    (void)height;
    (void)width;
    return linear(1, 0, bin);
}

#define OP(name, doc, is_signed, magnitude)                                                        \
    const struct augmentation augmentation_##name = {{#name, doc, NULL}, is_signed,                \
                                                     magnitude,          augment_float_##name,     \
                                                     augment_u8_##name,  augment_pil_##name};
OP(Identity, "nothing", 0, NULL)
OP(ShearX, "rows shifted in proportion to their height", 1, shear_of)
OP(ShearY, "columns shifted in proportion to their place", 1, shear_of)
OP(TranslateX, "moved sideways", 1, translate_x_of)
OP(TranslateY, "moved up or down", 1, translate_y_of)
OP(Rotate, "turned about the centre, degrees", 1, rotate_of)
OP(Brightness, "scaled by 1 + magnitude", 1, blend_of)
OP(Color, "away from or towards gray", 1, blend_of)
OP(Contrast, "away from or towards the mean gray", 1, blend_of)
OP(Sharpness, "away from or towards a blurred image", 1, blend_of)
OP(Posterize, "cut to that many bits", 0, posterize_of)
OP(Solarize, "inverted from a threshold on", 0, solarize_of)
OP(AutoContrast, "each channel stretched to 0 .. 1", 0, NULL)
OP(Equalize, "each channel's histogram made even", 0, NULL)
OP(Invert, "inverted", 0, NULL)
#undef OP

static const struct augmentation *const list[] = {
#define AUGMENTATION(name) &augmentation_##name,
#include "data/augmentations.def"
#undef AUGMENTATION
};

#define LIST_SIZE ((int)(sizeof list / sizeof *list))

const struct augmentation *augmentation_at(int i)
{
    return i >= 0 && i < LIST_SIZE ? list[i] : NULL;
}

const struct augmentation *augmentation_named(const char *name)
{
    for (int i = 0; i < LIST_SIZE; i++)
        if (!strcmp(list[i]->choice.name, name))
            return list[i];
    return strcmp(name, augmentation_Invert.choice.name) ? NULL : &augmentation_Invert;
}

/* ---- flavours -------------------------------------------------------------------------------- */

static void run_float(const struct augmentation *a, struct augment_image *im,
                      struct augment_bytes *bytes, double m)
{
    (void)bytes;
    a->apply(im, m);
}

static void run_u8(const struct augmentation *a, struct augment_image *im,
                   struct augment_bytes *bytes, double m)
{
    (void)im;
    a->apply_u8(bytes, m);
}

static void run_pil(const struct augmentation *a, struct augment_image *im,
                    struct augment_bytes *bytes, double m)
{
    (void)im;
    a->apply_pil(bytes, m);
}

static const struct augment_flavour flavours[] = {
    {{"tensor-float", "floats in [0, 1], as the authors of ViTTM train", NULL}, 0, run_float},
    {{"tensor-u8", "8-bit tensors", NULL}, 1, run_u8},
    {{"pil", "Pillow's 8-bit images", NULL}, 1, run_pil},
};

const struct augment_flavour *augment_flavour_at(int i)
{
    return i >= 0 && i < (int)(sizeof flavours / sizeof *flavours) ? &flavours[i] : NULL;
}

/* Images in bytes are in `bytes`, whose sides im has too. */
static void draw_and_run(struct augment_image *im, struct augment_bytes *bytes,
                         const struct augment_flavour *flavour, int ops, int bin, struct rng *r)
{
    for (int i = 0; i < ops; i++) {
        const struct augmentation *a = list[rng_below(r, LIST_SIZE)];
        double m = a->magnitude ? a->magnitude(bin, im->height, im->width) : 0;
        flavour->run(a, im, bytes, a->is_signed && rng_u32(r) >> 31 ? -m : m);
    }
}

static struct augment_bytes to_bytes(const struct augment_image *im)
{
    size_t n = AUGMENT_SIZE(im);
    struct augment_bytes b = {.channels = im->channels, .height = im->height, .width = im->width};
    b.x = mem_alloc(2 * n);
    b.scratch = b.x + n;
    for (size_t i = 0; i < n; i++)
        b.x[i] = (unsigned char)(int)(im->x[i] * 255 + 0.5f);
    return b;
}

static void from_bytes(struct augment_bytes *b, struct augment_image *im)
{
    for (size_t i = 0, n = AUGMENT_SIZE(im); i < n; i++)
        im->x[i] = (float)b->x[i] * (float)(1.0 / 255);
    free(b->x);
}

void augment_rand(struct augment_image *im, const struct augment_flavour *flavour, int ops, int bin,
                  struct rng *r)
{
    struct augment_bytes bytes = {0};
    if (flavour->is_bytes)
        bytes = to_bytes(im);
    draw_and_run(im, &bytes, flavour, ops, bin, r);
    if (flavour->is_bytes)
        from_bytes(&bytes, im);
}

void augment_rand_bytes(struct augment_bytes *im, const struct augment_flavour *flavour, int ops,
                        int bin, struct rng *r)
{
    struct augment_image sides = {.height = im->height, .width = im->width};
    ASSERT(flavour->is_bytes);
    draw_and_run(&sides, im, flavour, ops, bin, r);
}
