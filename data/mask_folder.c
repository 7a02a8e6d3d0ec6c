/* Images with a mask beside each: ADE20K, and any pair of folders laid out alike. The mask of
 * IMAGES/a/b.jpg is MASKS/a/b.png. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/ade20k.h"
#include "data/dataset.h"
#include "data/find.h"
#include "data/image_cache.h"
#include "data/image_list.h"
#include "data/mask.h"

struct mask_set {
    struct dataset base;
    struct image_list list;
    char *masks; /* their folder */
    struct mask_rule rule;
    const char *const *names; /* of the classes, or NULL */
    char (*numbers)[12];      /* what names are made of otherwise */
};

static void mask_path(const struct mask_set *d, int64_t i, struct strbuf *path)
{
    const char *name = d->list.paths[i], *dot = strrchr(name, '.');
    strbuf_addf(path, "%s/%.*s.png", d->masks, (int)(dot - name), name);
}

/* All of them, before training starts. */
static int check_masks(const struct mask_set *d, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    int rc = 0;
    for (int64_t i = 0; i < d->list.n && rc == 0; i++) {
        strbuf_clear(&path);
        mask_path(d, i, &path);
        if (!file_exists(path.text))
            rc = error_env(err, "%s/%s: its mask %s is not there", d->list.root, d->list.paths[i],
                           path.text);
    }
    strbuf_release(&path);
    return rc;
}

static int find_folders(struct mask_set *d, const struct config *c, enum split split,
                        struct error *err)
{
    struct strbuf images = STRBUF_INIT, masks = STRBUF_INIT;
    int is_train = split == SPLIT_TRAIN;
    int rc = find_subfolder(d->base.kind, c, is_train ? "data.train_images" : "data.val_images",
                            &images, err) ||
                     find_subfolder(d->base.kind, c,
                                    is_train ? "data.train_masks" : "data.val_masks", &masks, err)
                 ? -1
                 : image_list_read(&d->list, images.text, err);
    strbuf_release(&images);
    d->masks = strbuf_detach(&masks);
    return rc;
}

static int pairs_open(struct mask_set *d, const struct dataset_kind *k, const struct config *c,
                      enum split split, struct error *err)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    d->base =
        (struct dataset){.kind = k, .split = split, .mask_classes = d->rule.classes, .channels = 3};
    memcpy(d->base.mean, mean, sizeof mean);
    memcpy(d->base.deviation, deviation, sizeof deviation);
    if (find_folders(d, c, split, err) || check_masks(d, err))
        return -1;
    d->base.total = d->list.n;
    d->list.cache = image_cache_new(c, d->list.n);
    return 0;
}

static int ade20k_open(struct dataset **out, const struct config *c, enum split split,
                       struct error *err)
{
    struct mask_set *d = mem_zalloc(1, sizeof *d);
    d->rule = ade20k_rule;
    d->names = ade20k_names;
    *out = &d->base;
    return pairs_open(d, &dataset_ade20k, c, split, err);
}

enum { ZERO_CLASS, ZERO_IGNORE };

static const struct config_choice zeros[] = {
    [ZERO_CLASS] = {"class", "0 is the first class", NULL},
    [ZERO_IGNORE] = {"ignore", "0 is no class, 1 the first", NULL},
};

static const struct config_choice *zero_choice(int i)
{
    return i >= 0 && i < (int)(sizeof zeros / sizeof *zeros) ? &zeros[i] : NULL;
}

static int mask_folder_open(struct dataset **out, const struct config *c, enum split split,
                            struct error *err)
{
    struct mask_set *d = mem_zalloc(1, sizeof *d);
    int classes = (int)config_int(c, "data.mask_classes");
    d->rule = (struct mask_rule){.set = "data.mask_classes",
                                 .classes = classes,
                                 .zero_is_none =
                                     config_choice(c, "data.mask_zero") == &zeros[ZERO_IGNORE],
                                 .labels = LABELS_GRAY_OR_PALETTE};
    d->numbers = mem_alloc((size_t)classes * sizeof *d->numbers);
    for (int i = 0; i < classes; i++)
        snprintf(d->numbers[i], sizeof d->numbers[i], "%d", i);
    *out = &d->base;
    return pairs_open(d, &dataset_mask_folder, c, split, err);
}

static void pairs_close(struct dataset *base)
{
    struct mask_set *d = (struct mask_set *)base;
    image_list_release(&d->list);
    free(d->masks);
    free(d->numbers);
    free(d);
}

static const char *pairs_class_name(const struct dataset *base, int k)
{
    const struct mask_set *d = (const struct mask_set *)base;
    return d->names ? d->names[k] : d->numbers[k];
}

static int pairs_read_part(const struct dataset *base, int64_t i, const struct codec_window *window,
                           struct image *scratch, struct image_view *view, struct error *err)
{
    return image_list_load(&((const struct mask_set *)base)->list, i, window, scratch, view, err);
}

static int pairs_read(const struct dataset *base, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    (void)size;
    return pairs_read_part(base, i, NULL, scratch, view, err);
}

static int pairs_mask(const struct dataset *base, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    const struct mask_set *d = (const struct mask_set *)base;
    struct strbuf path = STRBUF_INIT;
    (void)size;
    mask_path(d, i, &path);
    int rc = mask_read(path.text, &d->rule, scratch, err);
    strbuf_release(&path);
    if (rc == 0)
        *view = (struct image_view){
            scratch->rgb, scratch->width, scratch->height, 1, 0, scratch->width, 1};
    return rc;
}

static void pairs_mask_name(const struct dataset *base, int64_t i, struct strbuf *out)
{
    mask_path((const struct mask_set *)base, i, out);
}

static int pairs_hash(const struct dataset *base, char hex[65], struct error *err)
{
    (void)err;
    image_list_hash(&((const struct mask_set *)base)->list, hex);
    return 0;
}

#define TEXT_KEY(name, fallback, doc)                                                              \
    {                                                                                              \
        name, CONFIG_STRING, fallback, 0, 0, NULL, 0, doc                                          \
    }

#define PAIR_KEYS                                                                                  \
    PREPROCESS_KEYS("true", "rrc", "0.875"), IMAGE_CACHE_KEY,                                      \
        TEXT_KEY("data.train_images", "images/training",                                           \
                 "folder of the training images below data.root"),                                 \
        TEXT_KEY("data.train_masks", "annotations/training",                                       \
                 "folder of their masks: NAME.png for NAME.jpg"),                                  \
        TEXT_KEY("data.val_images", "images/validation",                                           \
                 "folder of the evaluation images below data.root"),                               \
        TEXT_KEY("data.val_masks", "annotations/validation", "folder of their masks")

static const struct config_key ade20k_keys[] = {PAIR_KEYS, {0}};
static const struct config_key folder_keys[] = {
    PAIR_KEYS,
    {"data.mask_classes", CONFIG_INT, NULL, 1, 255, NULL, CONFIG_REQUIRED,
     "classes of a pixel, those that do not count left out"},
    {"data.mask_zero", CONFIG_CHOICE, "class", 0, 0, zero_choice, 0,
     "what 0 means in a mask; 255 is always no class"},
    {0}};

#define PAIR_METHODS                                                                               \
    .close = pairs_close, .class_name = pairs_class_name, .read = pairs_read,                      \
    .read_part = pairs_read_part, .mask = pairs_mask, .mask_name = pairs_mask_name,                \
    .hash = pairs_hash

const struct dataset_kind dataset_ade20k = {
    .choice = {"ade20k",
               "ADE20K scene parsing, 150 classes a pixel: images/SPLIT/… and annotations/SPLIT/…",
               ade20k_keys},
    .folder = "ADEChallengeData2016",
    .probe = "annotations",
    .train_images = 20210,
    .val_images = 2000,
    .known_classes = ADE20K_CLASSES,
    .open = ade20k_open,
    PAIR_METHODS,
};

const struct dataset_kind dataset_mask_folder = {
    .choice = {"mask_folder", "your own images with a mask each: JPEG or PNG and an 8-bit PNG",
               folder_keys},
    .open = mask_folder_open,
    PAIR_METHODS,
};
