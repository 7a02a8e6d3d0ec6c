/* What the configuration says about preprocessing. */
#include "data/preprocess.h"

#include <string.h>

#include "base/error.h"
#include "data/dataset.h"

static const struct config_key pad_keys[] = {{"data.augment.pad", CONFIG_INT, "4", 1, 1024, NULL, 0,
                                              "black pixels on each side before the random crop"},
                                             {0}};

static const struct config_key rrc_keys[] = {{"data.augment.scale", CONFIG_FLOATS, "[0.08, 1]",
                                              1e-6, 1, NULL, 0, "range of the share of the area"},
                                             {"data.augment.ratio", CONFIG_FLOATS,
                                              "[0.75, 1.3333333333333333]", 1e-3, 1e3, NULL, 0,
                                              "range of width / height"},
                                             {0}};

static const struct config_key scene_keys[] = {
    {"data.augment.resize_ratio", CONFIG_FLOATS, "[0.5, 2]", 1e-2, 100, NULL, 0,
     "range of the ratio by which the size that an image is fitted into is scaled"},
    {"data.augment.long_side", CONFIG_INT, "2048", 1, 65536, NULL, 0,
     "longer side of that size, pixels"},
    {"data.augment.short_side", CONFIG_INT, "0", 0, 65536, NULL, 0,
     "shorter side of that size (0: model.image_size)"},
    {"data.augment.max_class_share", CONFIG_FLOAT, "0.75", 0.01, 1, NULL, 0,
     "a window in which one class has more of the labelled pixels is drawn again, up to 10 times "
     "(1: never)"},
    {"data.augment.photometric", CONFIG_BOOL, "true", 0, 0, NULL, 0,
     "distort brightness, contrast, saturation and hue"},
    {0}};

static const struct config_choice crops[] = {
    [CROP_NONE] = {"none", "the whole image, its centre where it is not square", NULL},
    [CROP_PAD] = {"pad", "a window of the image with a black border, as usual for CIFAR", pad_keys},
    [CROP_SCENE] = {"scene", "segmentation: a random resize, then a window that no class fills",
                    scene_keys},
    [CROP_RRC] = {"rrc", "random resized crop: a random box, resampled", rrc_keys},
};

const struct config_choice *preprocess_crop_choice(int i)
{
    return i >= 0 && i < (int)(sizeof crops / sizeof *crops) ? &crops[i] : NULL;
}

static const struct config_key custom_keys[] = {
    {"data.mean", CONFIG_FLOATS, NULL, -10, 10, NULL, CONFIG_REQUIRED,
     "mean of each channel, on the scale 0 to 1"},
    {"data.std", CONFIG_FLOATS, NULL, 1e-6, 1e6, NULL, CONFIG_REQUIRED,
     "standard deviation of each channel"},
    {0}};

struct normalization {
    struct config_choice choice;
    float mean[3], deviation[3]; /* deviation 0: from elsewhere */
};

static const struct normalization normalizations[] = {
    {{"auto", "mean and deviation of the data set's own training pixels", NULL}, {0}, {0}},
    {{"imagenet", "mean 0.485 0.456 0.406, deviation 0.229 0.224 0.225", NULL},
     {0.485f, 0.456f, 0.406f},
     {0.229f, 0.224f, 0.225f}},
    {{"half", "to -1 .. 1", NULL}, {0.5f, 0.5f, 0.5f}, {0.5f, 0.5f, 0.5f}},
    {{"none", "0 .. 1 as it is", NULL}, {0}, {1, 1, 1}},
    {{"custom", "data.mean and data.std", custom_keys}, {0}, {0}},
};

const struct config_choice *preprocess_normalize_choice(int i)
{
    return i >= 0 && i < (int)(sizeof normalizations / sizeof *normalizations)
               ? &normalizations[i].choice
               : NULL;
}

static int read_channels(const struct config *c, const char *key, int channels, float out[3],
                         struct error *err)
{
    const double *v;
    int n = config_floats(c, key, &v);
    if (n != channels && n != 1)
        return config_error(c, err, key, "needs %d numbers, one a channel, or one for all",
                            channels);
    for (int i = 0; i < 3; i++)
        out[i] = (float)v[n == 1 ? 0 : i % channels];
    return 0;
}

static int read_normalization(struct preprocess *p, const struct config *c, const struct dataset *d,
                              struct error *err)
{
    const struct normalization *n =
        (const struct normalization *)config_choice(c, "data.normalize");
    if (n->choice.keys)
        return read_channels(c, "data.mean", d->channels, p->mean, err) ||
                       read_channels(c, "data.std", d->channels, p->deviation, err)
                   ? -1
                   : 0;
    int own = n->deviation[0] == 0;
    memcpy(p->mean, own ? d->mean : n->mean, sizeof p->mean);
    memcpy(p->deviation, own ? d->deviation : n->deviation, sizeof p->deviation);
    return 0;
}

static int read_scene(struct preprocess *p, const struct config *c, struct error *err)
{
    p->scene = (struct scene_options){
        .long_side = (int)config_int(c, "data.augment.long_side"),
        .short_side = (int)config_int(c, "data.augment.short_side"),
        .max_share = config_float(c, "data.augment.max_class_share"),
        .photometric = config_bool(c, "data.augment.photometric"),
        .flip = p->flip,
    };
    return config_range(c, "data.augment.resize_ratio", p->scene.ratio, err);
}

int preprocess_init(struct preprocess *p, const struct config *c, const struct dataset *d,
                    struct error *err)
{
    if (read_normalization(p, c, d, err))
        return -1;
    augment_settings_init(&p->augment, c);
    p->flip = config_bool(c, "data.augment.flip");
    p->crop = (enum crop_kind)(config_choice(c, "data.augment.crop") - crops);
    p->eval_crop_ratio = config_float(c, "data.eval.crop_ratio");
    if (p->crop == CROP_PAD)
        p->pad = (int)config_int(c, "data.augment.pad");
    if (p->crop == CROP_RRC && (config_range(c, "data.augment.scale", p->scale, err) ||
                                config_range(c, "data.augment.ratio", p->ratio, err)))
        return -1;
    if (p->crop == CROP_SCENE && augment_is_on(&p->augment))
        return config_error(c, err, "data.augment.policy",
                            "data.augment.crop=scene distorts colours itself "
                            "(data.augment.photometric); policy must be none");
    if (p->crop == CROP_SCENE && read_scene(p, c, err))
        return -1;
    preprocess_levels(p);
    return 0;
}
