/* Data sets: numbered images with a class label each, a segmentation mask each (dense labels: a
 * class a pixel), or both.
 *
 * A kind of data set (shapes, cifar10, image_folder, …) is a struct dataset_kind, listed in
 * data/datasets.def. It declares the configuration keys that only it reads, with its own defaults.
 * A data set is one split of one kind, opened for reading. After dataset_open nothing that is
 * seen of it changes, so any number of threads may read it at once. */
#ifndef DATA_DATASET_H
#define DATA_DATASET_H

#include <stdint.h>

#include "base/config.h"
#include "data/image.h"
#include "data/preprocess.h"

struct codec_window;
struct error;
struct dataset;
struct import_recipe;
struct strbuf;

enum split { SPLIT_TRAIN, SPLIT_VAL };

/* "train", "val". */
const char *split_name(enum split split);

#define DATASET_IGNORE 255 /* mask value of pixels that count for nothing */

struct dataset_kind {
    struct config_choice choice;
    const char *probe;  /* a file or folder in it by which it is known */
    const char *folder; /* its folder under a data root ("cifar-10-batches-bin"); NULL: built in or
                           the root */
    int train_images, val_images, known_classes; /* of the complete set; 0: the user's own */
    const struct import_recipe *import; /* how `vittm data get` brings it; NULL: it cannot */

    /* Allocates *d (a struct that starts with struct dataset, zeroed by mem_zalloc) and fills
     * total, classes, mask_classes, channels, mean, deviation. On failure *d stays NULL or is what
     * close can free. */
    int (*open)(struct dataset **d, const struct config *c, enum split split, struct error *err);
    void (*close)(struct dataset *d);
    /* The class of sample i; NULL: the kind has masks alone. */
    int (*label)(const struct dataset *d, int64_t i);
    /* Of class k of images; of class k of pixels where the kind has masks alone. */
    const char *(*class_name)(const struct dataset *d, int k);
    /* Of class k of pixels where the kind has both; NULL: class_name says it. */
    const char *(*mask_class_name)(const struct dataset *d, int k);
    /* Sample i as u8. The view points into the data set or into scratch, which is the calling
     * thread's. Kinds that draw their images (shapes) draw them at size x size; the others ignore
     * size. */
    int (*read)(const struct dataset *d, int64_t i, int size, struct image *scratch,
                struct image_view *view, struct error *err);
    /* The same where only a window of the image is wanted, for kinds that save work by it; NULL:
     * none is saved. */
    int (*read_part)(const struct dataset *d, int64_t i, const struct codec_window *window,
                     struct image *scratch, struct image_view *view, struct error *err);
    /* The mask of sample i with the size of its image, one byte a pixel in scratch->rgb (as one
     * plane): 0 .. mask_classes-1 or DATASET_IGNORE. NULL: the kind has none. */
    int (*mask)(const struct dataset *d, int64_t i, int size, struct image *scratch,
                struct image_view *view, struct error *err);
    /* Adds the name of mask i's file, for messages; NULL: masks have no files. */
    void (*mask_name)(const struct dataset *d, int64_t i, struct strbuf *out);
    /* SHA-256 of what the samples are: contents where they are small, names and sizes where not. */
    int (*hash)(const struct dataset *d, char hex[65], struct error *err);
};

/* The common part. Members of kinds see "i" as numbers 0 .. total-1; everybody else sees 0 ..
 * count-1. */
struct dataset {
    const struct dataset_kind *kind;
    enum split split;
    int64_t total, count;
    int32_t *subset;              /* count numbers below total, or NULL where count is total */
    int classes;                  /* of an image; 0: masks alone */
    int mask_classes;             /* of a pixel; 0: no masks */
    int channels;                 /* 3, or 1 for gray sets */
    float mean[3], deviation[3];  /* of its training pixels, on the scale 0 .. 1 */
    int skip_bad;                 /* data.on_bad: skip */
    struct preprocess preprocess; /* what data.normalize, data.augment.* and data.eval.* say */
};

#define DATASET(name) extern const struct dataset_kind dataset_##name;
#include "data/datasets.def"
#undef DATASET

/* The i-th kind, NULL past the last; by name, or NULL. */
const struct dataset_kind *dataset_kind_at(int i);
const struct dataset_kind *dataset_kind_named(const char *name);

/* Root table of every data.* key that is not a kind's own. */
extern const struct config_key data_keys[];

/* Opens the split of data.dataset. data.train_size / data.val_size images of it are used (0: all):
 * the first ones of a permutation that depends on nothing but the split and its size. A data set
 * that is not there is EXIT_ENVIRONMENT with the command that brings it. Ends with dataset_close.
 */
int dataset_open(struct dataset **d, const struct config *c, enum split split, struct error *err);
void dataset_close(struct dataset *d); /* NULL is fine */

const char *dataset_name(const struct dataset *d);
int64_t dataset_count(const struct dataset *d);
int dataset_classes(const struct dataset *d); /* 0 where it has masks alone */
/* "airplane"; of pixels' classes where the set has masks alone. */
const char *dataset_class_name(const struct dataset *d, int k);
const char *dataset_mask_class_name(const struct dataset *d, int k); /* of pixels */
int dataset_has_labels(const struct dataset *d);
int dataset_label(const struct dataset *d, int64_t i); /* 0 where it has masks alone */
int dataset_has_masks(const struct dataset *d);
int dataset_mask_classes(const struct dataset *d); /* 0 where it has none */
/* See struct dataset_kind. An error names the file. */
int dataset_read(const struct dataset *d, int64_t i, int size, struct image *scratch,
                 struct image_view *view, struct error *err);
/* The same, but pixels outside the window (data/codec.h) may be anything. */
int dataset_read_part(const struct dataset *d, int64_t i, int size,
                      const struct codec_window *window, struct image *scratch,
                      struct image_view *view, struct error *err);
int dataset_read_mask(const struct dataset *d, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err);
/* Whether a sample's mask is as large as its image; an error names the mask's file. */
int dataset_check_pair(const struct dataset *d, int64_t i, const struct image_view *image,
                       const struct image_view *mask, struct error *err);

/* 64 hex digits that identify the data: kind, split, subset and content (contents of CIFAR files,
 * names and sizes of image folders). Takes well under a second for sets that fit into memory. */
int dataset_hash(const struct dataset *d, char hex[65], struct error *err);

/* What data.root "auto" means: the i-th folder to look in ($VITTM_DATA, then
 * file_cache_folder), or NULL past the last. Returns text. */
const char *dataset_root(int i, char *text, int size);

#endif
