/* The registry and what is common to all kinds: the subset, preprocessing, data roots. */
#include "data/dataset.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/strbuf.h"

static const struct dataset_kind *const kinds[] = {
#define DATASET(name) &dataset_##name,
#include "data/datasets.def"
#undef DATASET
};

const struct dataset_kind *dataset_kind_at(int i)
{
    return i >= 0 && i < (int)(sizeof kinds / sizeof *kinds) ? kinds[i] : NULL;
}

const struct dataset_kind *dataset_kind_named(const char *name)
{
    const struct dataset_kind *k;
    for (int i = 0; (k = dataset_kind_at(i)); i++)
        if (!strcmp(k->choice.name, name))
            return k;
    return NULL;
}

static const struct config_choice *kind_choice(int i)
{
    const struct dataset_kind *k = dataset_kind_at(i);
    return k ? &k->choice : NULL;
}

static const struct config_choice bad_policies[] = {
    {"error", "an image that cannot be read ends the run", NULL},
    {"skip", "training replaces it by the next readable one and counts it", NULL},
};

static const struct config_choice *bad_policy(int i)
{
    return i >= 0 && i < 2 ? &bad_policies[i] : NULL;
}

const struct config_key data_keys[] = {
    {"data.dataset", CONFIG_CHOICE, "cifar10", 0, 0, kind_choice, 0,
     "the images to train on and evaluate"},
    {"data.root", CONFIG_STRING, "auto", 0, 0, NULL, CONFIG_UNHASHED,
     "folder that holds the data set; auto: $VITTM_DATA, then ~/.cache/vittm (or "
     "$XDG_CACHE_HOME/vittm)"},
    {"data.train_size", CONFIG_INT, "0", 0, 1e9, NULL, 0,
     "training images used, a fixed random subset; 0: all"},
    {"data.val_size", CONFIG_INT, "0", 0, 1e9, NULL, 0,
     "evaluation images used, a fixed random subset; 0: all"},
    {"data.normalize", CONFIG_CHOICE, "auto", 0, 0, preprocess_normalize_choice, 0,
     "mean and deviation that pixels are normalised with"},
    {"data.augment.policy", CONFIG_CHOICE, "none", 0, 0, augment_policy_choice, 0,
     "training: operations on colours and shapes after crop and mirror"},
    {"data.on_bad", CONFIG_CHOICE, "error", 0, 0, bad_policy, 0,
     "what becomes of a training image that cannot be read"},
    {0}};

const char *split_name(enum split split)
{
    return split == SPLIT_TRAIN ? "train" : "val";
}

const char *dataset_root(int i, char *text, int size)
{
    const char *data = getenv("VITTM_DATA");
    int has_data = data && *data;
    if (i == has_data)
        return file_cache_folder(text, (size_t)size);
    if (i > has_data)
        return NULL;
    snprintf(text, (size_t)size, "%s", data);
    return text;
}

static const char *size_key(const struct dataset *d)
{
    return d->split == SPLIT_TRAIN ? "data.train_size" : "data.val_size";
}

static int choose_subset(struct dataset *d, const struct config *c, struct error *err)
{
    int64_t n = config_int(c, size_key(d));
    d->count = n ? n : d->total;
    if (d->total > INT32_MAX)
        return error_set(err, "%s: more than %d images", dataset_name(d), INT32_MAX);
    if (n > d->total)
        return config_error(c, err, size_key(d), "%s has %lld %s images", dataset_name(d),
                            (long long)d->total, split_name(d->split));
    if (d->count == d->total)
        return 0;
    struct rng r;
    rng_init(&r, 0, "data.subset", (uint64_t)d->split, (uint64_t)d->total);
    d->subset = mem_alloc((size_t)d->total * sizeof *d->subset);
    rng_permutation(&r, d->subset, d->total);
    d->subset = mem_realloc(d->subset, (size_t)d->count, sizeof *d->subset);
    return 0;
}

int dataset_open(struct dataset **out, const struct config *c, enum split split, struct error *err)
{
    const struct dataset_kind *k = (const struct dataset_kind *)config_choice(c, "data.dataset");
    struct dataset *d = NULL;
    *out = NULL;
    int rc = k->open(&d, c, split, err);
    if (rc == 0) {
        ASSERT(d->kind == k && d->split == split && d->total > 0);
        ASSERT(!k->label == !d->classes && !k->mask == !d->mask_classes);
        d->skip_bad = config_choice(c, "data.on_bad") == &bad_policies[1];
        rc = preprocess_init(&d->preprocess, c, d, err) || choose_subset(d, c, err) ? -1 : 0;
    }
    if (rc)
        dataset_close(d);
    else
        *out = d;
    return rc;
}

void dataset_close(struct dataset *d)
{
    if (!d)
        return;
    free(d->subset);
    d->kind->close(d);
}

static int64_t number(const struct dataset *d, int64_t i)
{
    ASSERT(i >= 0 && i < d->count);
    return d->subset ? d->subset[i] : i;
}

const char *dataset_name(const struct dataset *d)
{
    return d->kind->choice.name;
}

int64_t dataset_count(const struct dataset *d)
{
    return d->count;
}

int dataset_classes(const struct dataset *d)
{
    return d->classes;
}

const char *dataset_class_name(const struct dataset *d, int k)
{
    ASSERT(k >= 0 && k < (d->classes ? d->classes : d->mask_classes));
    return d->kind->class_name(d, k);
}

const char *dataset_mask_class_name(const struct dataset *d, int k)
{
    ASSERT(k >= 0 && k < d->mask_classes);
    return (d->kind->mask_class_name ? d->kind->mask_class_name : d->kind->class_name)(d, k);
}

int dataset_has_labels(const struct dataset *d)
{
    return d->kind->label != NULL;
}

int dataset_label(const struct dataset *d, int64_t i)
{
    return d->kind->label ? d->kind->label(d, number(d, i)) : 0;
}

int dataset_has_masks(const struct dataset *d)
{
    return d->kind->mask != NULL;
}

int dataset_mask_classes(const struct dataset *d)
{
    return d->mask_classes;
}

int dataset_read(const struct dataset *d, int64_t i, int size, struct image *scratch,
                 struct image_view *view, struct error *err)
{
    return d->kind->read(d, number(d, i), size, scratch, view, err);
}

int dataset_read_part(const struct dataset *d, int64_t i, int size,
                      const struct codec_window *window, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    return d->kind->read_part ? d->kind->read_part(d, number(d, i), window, scratch, view, err)
                              : dataset_read(d, i, size, scratch, view, err);
}

int dataset_read_mask(const struct dataset *d, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    ASSERT(d->kind->mask);
    return d->kind->mask(d, number(d, i), size, scratch, view, err);
}

int dataset_check_pair(const struct dataset *d, int64_t i, const struct image_view *image,
                       const struct image_view *mask, struct error *err)
{
    struct strbuf name = STRBUF_INIT;
    if (image->width == mask->width && image->height == mask->height)
        return 0;
    if (d->kind->mask_name)
        d->kind->mask_name(d, number(d, i), &name);
    else
        strbuf_addf(&name, "%s, image %lld", dataset_name(d), (long long)i);
    error_env(err, "%s: a mask of %d x %d pixels for an image of %d x %d", name.text, mask->width,
              mask->height, image->width, image->height);
    strbuf_release(&name);
    return -1;
}

int dataset_hash(const struct dataset *d, char hex[65], struct error *err)
{
    char content[65];
    struct strbuf s = STRBUF_INIT;
    if (d->kind->hash(d, content, err))
        return -1;
    strbuf_addf(&s, "%s %s %lld of %lld %s", dataset_name(d), split_name(d->split),
                (long long)d->count, (long long)d->total, content);
    file_sha256_bytes(s.text, s.len, hex);
    strbuf_release(&s);
    return 0;
}
