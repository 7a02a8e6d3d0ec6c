/* A data set of files. Images are decoded when they are read. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/find.h"
#include "data/image_cache.h"
#include "data/image_list.h"

struct folder_set {
    struct dataset base;
    struct image_list list;
};

static int folder_open(const struct dataset_kind *k, struct dataset **out, const struct config *c,
                       enum split split, struct error *err)
{
    static const float mean[3] = {0.485f, 0.456f, 0.406f}, deviation[3] = {0.229f, 0.224f, 0.225f};
    struct strbuf path = STRBUF_INIT;
    struct folder_set *d = mem_zalloc(1, sizeof *d);
    d->base.kind = k;
    *out = &d->base;
    const char *key = split == SPLIT_TRAIN ? "data.train_folder" : "data.val_folder";
    int rc =
        find_subfolder(k, c, key, &path, err) || image_list_read_classes(&d->list, path.text, err)
            ? -1
            : 0;
    if (rc == 0 && k->known_classes && d->list.n_classes != k->known_classes)
        rc = error_env(
            err, "%s: %d class folders, %s has %d (data.dataset: image_folder takes any number)",
            path.text, d->list.n_classes, k->choice.name, k->known_classes);
    strbuf_release(&path);
    if (rc)
        return -1;
    d->base = (struct dataset){
        .kind = k, .split = split, .total = d->list.n, .classes = d->list.n_classes, .channels = 3};
    d->list.cache = image_cache_new(c, d->list.n);
    memcpy(d->base.mean, mean, sizeof mean);
    memcpy(d->base.deviation, deviation, sizeof deviation);
    return 0;
}

static int image_folder_open(struct dataset **d, const struct config *c, enum split split,
                             struct error *err)
{
    return folder_open(&dataset_image_folder, d, c, split, err);
}

static int imagenet1k_open(struct dataset **d, const struct config *c, enum split split,
                           struct error *err)
{
    return folder_open(&dataset_imagenet1k, d, c, split, err);
}

static int imagenet21k_open(struct dataset **d, const struct config *c, enum split split,
                            struct error *err)
{
    return folder_open(&dataset_imagenet21k, d, c, split, err);
}

static void folder_close(struct dataset *base)
{
    struct folder_set *d = (struct folder_set *)base;
    image_list_release(&d->list);
    free(d);
}

static int folder_label(const struct dataset *base, int64_t i)
{
    return ((const struct folder_set *)base)->list.labels[i];
}

static const char *folder_class_name(const struct dataset *base, int k)
{
    return ((const struct folder_set *)base)->list.classes[k];
}

static int folder_read_part(const struct dataset *base, int64_t i,
                            const struct codec_window *window, struct image *scratch,
                            struct image_view *view, struct error *err)
{
    return image_list_load(&((const struct folder_set *)base)->list, i, window, scratch, view, err);
}

static int folder_read(const struct dataset *base, int64_t i, int size, struct image *scratch,
                       struct image_view *view, struct error *err)
{
    (void)size;
    return folder_read_part(base, i, NULL, scratch, view, err);
}

static int folder_hash(const struct dataset *base, char hex[65], struct error *err)
{
    (void)err;
    image_list_hash(&((const struct folder_set *)base)->list, hex);
    return 0;
}

#define FOLDER_KEYS(train, val)                                                                    \
    PREPROCESS_KEYS("true", "rrc", "0.875"), IMAGE_CACHE_KEY,                                      \
        {"data.train_folder",                                                                      \
         CONFIG_STRING,                                                                            \
         train,                                                                                    \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "folder of the training classes below data.root"},                                        \
        {"data.val_folder",                                                                        \
         CONFIG_STRING,                                                                            \
         val,                                                                                      \
         0,                                                                                        \
         0,                                                                                        \
         NULL,                                                                                     \
         0,                                                                                        \
         "folder of the evaluation classes below data.root"},                                      \
    {                                                                                              \
        0                                                                                          \
    }

static const struct config_key keys[] = {FOLDER_KEYS("train", "val")};
static const struct config_key keys21k[] = {FOLDER_KEYS("imagenet21k_train", "imagenet21k_val")};

#define FOLDER_METHODS                                                                             \
    .close = folder_close, .label = folder_label, .class_name = folder_class_name,                 \
    .read = folder_read, .read_part = folder_read_part, .hash = folder_hash

const struct dataset_kind dataset_image_folder = {
    .choice = {"image_folder",
               "your own JPEG and PNG files: ROOT/train/CLASS/… and ROOT/val/CLASS/…", keys},
    .open = image_folder_open,
    FOLDER_METHODS,
};

const struct dataset_kind dataset_imagenet1k = {
    .choice = {"imagenet1k", "ImageNet-1K (image-net.org): ROOT/train/WNID/… and ROOT/val/WNID/…",
               keys},
    .folder = "imagenet1k",
    .probe = "train",
    .train_images = 1281167,
    .val_images = 50000,
    .known_classes = 1000,
    .open = imagenet1k_open,
    FOLDER_METHODS,
};

const struct dataset_kind dataset_imagenet21k = {
    .choice =
        {"imagenet21k",
         "ImageNet-21K-P, winter 2021: ROOT/imagenet21k_train/WNID/… and ROOT/imagenet21k_val/…",
         keys21k},
    .folder = "imagenet21k",
    .probe = "imagenet21k_train",
    .train_images = 11060223,
    .val_images = 522500,
    .known_classes = 10450,
    .open = imagenet21k_open,
    FOLDER_METHODS,
};
