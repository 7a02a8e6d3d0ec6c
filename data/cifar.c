/* The files are mapped, so that runs side by side share one copy, and checked once when opened. */
#include "data/cifar.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/cifar_import.h"
#include "data/dataset.h"
#include "data/find.h"

static const char *const names10[] = {"airplane", "automobile", "bird",  "cat",  "deer",
                                      "dog",      "frog",       "horse", "ship", "truck"};

static const char *const names100[] = {
    "apple",       "aquarium_fish", "baby",      "bear",       "beaver",       "bed",
    "bee",         "beetle",        "bicycle",   "bottle",     "bowl",         "boy",
    "bridge",      "bus",           "butterfly", "camel",      "can",          "castle",
    "caterpillar", "cattle",        "chair",     "chimpanzee", "clock",        "cloud",
    "cockroach",   "couch",         "crab",      "crocodile",  "cup",          "dinosaur",
    "dolphin",     "elephant",      "flatfish",  "forest",     "fox",          "girl",
    "hamster",     "house",         "kangaroo",  "keyboard",   "lamp",         "lawn_mower",
    "leopard",     "lion",          "lizard",    "lobster",    "man",          "maple_tree",
    "motorcycle",  "mountain",      "mouse",     "mushroom",   "oak_tree",     "orange",
    "orchid",      "otter",         "palm_tree", "pear",       "pickup_truck", "pine_tree",
    "plain",       "plate",         "poppy",     "porcupine",  "possum",       "rabbit",
    "raccoon",     "ray",           "road",      "rocket",     "rose",         "sea",
    "seal",        "shark",         "shrew",     "skunk",      "skyscraper",   "snail",
    "snake",       "spider",        "squirrel",  "streetcar",  "sunflower",    "sweet_pepper",
    "table",       "tank",          "telephone", "television", "tiger",        "tractor",
    "train",       "trout",         "tulip",     "turtle",     "wardrobe",     "whale",
    "willow_tree", "wolf",          "woman",     "worm"};

_Static_assert(sizeof names10 / sizeof *names10 == 10, "CIFAR-10 has 10 classes");
_Static_assert(sizeof names100 / sizeof *names100 == 100, "CIFAR-100 has 100 classes");

const char *const cifar10_train_files[] = {"data_batch_1.bin", "data_batch_2.bin",
                                           "data_batch_3.bin", "data_batch_4.bin",
                                           "data_batch_5.bin", NULL};
const char *const cifar10_val_files[] = {"test_batch.bin", NULL};
static const char *const train100[] = {"train.bin", NULL};
static const char *const val100[] = {"test.bin", NULL};

const struct cifar_format cifar10_format = {"CIFAR-10",        1,      {10, 0}, cifar10_train_files,
                                            cifar10_val_files, names10};
const struct cifar_format cifar100_format = {"CIFAR-100", 2, {20, 100}, train100, val100, names100};

#define MAX_FILES 5

struct cifar {
    struct dataset base;
    const struct cifar_format *format;
    struct file_map files[MAX_FILES];
    int64_t ends[MAX_FILES]; /* records up to and including file i */
    int n_files;
};

size_t cifar_record(const struct cifar_format *f)
{
    return (size_t)f->labels + CIFAR_PIXELS;
}

int cifar_check(const struct cifar_format *f, const char *path, const unsigned char *data,
                size_t size, struct error *err)
{
    size_t record = cifar_record(f);
    if (size == 0 || size % record)
        return error_env(err,
                         "%s: its size of %zu bytes is not a multiple of %zu, the record of %s%s",
                         path, size, record, f->name, size ? "" : ": the file is empty");
    for (size_t i = 0; i < size / record; i++)
        for (int k = 0; k < f->labels; k++)
            if (data[i * record + (size_t)k] >= f->limits[k])
                return error_env(err, "%s: record %zu has label %d (%d classes)", path, i,
                                 data[i * record + (size_t)k], f->limits[k]);
    return 0;
}

static int map_files(struct cifar *d, const char *folder, const char *const *names,
                     struct error *err)
{
    int rc = 0;
    struct strbuf path = STRBUF_INIT;
    for (; *names && rc == 0; names++) {
        struct file_map *m = &d->files[d->n_files];
        ASSERT(d->n_files < MAX_FILES);
        strbuf_clear(&path);
        strbuf_addf(&path, "%s/%s", folder, *names);
        rc = file_map(m, path.text, err);
        if (rc)
            break;
        rc = cifar_check(d->format, path.text, m->data, m->size, err);
        d->base.total += (int64_t)(m->size / cifar_record(d->format));
        d->ends[d->n_files++] = d->base.total;
    }
    strbuf_release(&path);
    return rc;
}

static int cifar_open(const struct dataset_kind *k, const struct cifar_format *f,
                      struct dataset **out, const struct config *c, enum split split,
                      struct error *err)
{
    char *folder;
    if (find_folder(k, c, &folder, err))
        return -1;
    struct cifar *d = mem_zalloc(1, sizeof *d);
    d->base = (struct dataset){
        .kind = k, .split = split, .classes = f->limits[f->labels - 1], .channels = 3};
    d->format = f;
    *out = &d->base;
    int rc = map_files(d, folder, split == SPLIT_TRAIN ? f->train : f->val, err);
    free(folder);
    return rc;
}

static int cifar10_open(struct dataset **d, const struct config *c, enum split split,
                        struct error *err)
{
    static const float mean[3] = {0.4914f, 0.4822f, 0.4465f},
                       deviation[3] = {0.2470f, 0.2435f, 0.2616f};
    if (cifar_open(&dataset_cifar10, &cifar10_format, d, c, split, err))
        return -1;
    memcpy((*d)->mean, mean, sizeof mean);
    memcpy((*d)->deviation, deviation, sizeof deviation);
    return 0;
}

static int cifar100_open(struct dataset **d, const struct config *c, enum split split,
                         struct error *err)
{
    static const float mean[3] = {0.5071f, 0.4865f, 0.4409f},
                       deviation[3] = {0.2673f, 0.2564f, 0.2762f};
    if (cifar_open(&dataset_cifar100, &cifar100_format, d, c, split, err))
        return -1;
    memcpy((*d)->mean, mean, sizeof mean);
    memcpy((*d)->deviation, deviation, sizeof deviation);
    return 0;
}

static void cifar_close(struct dataset *base)
{
    struct cifar *d = (struct cifar *)base;
    for (int i = 0; i < d->n_files; i++)
        file_unmap(&d->files[i]);
    free(d);
}

static const unsigned char *cifar_sample(const struct dataset *base, int64_t i)
{
    const struct cifar *d = (const struct cifar *)base;
    int file = 0;
    while (i >= d->ends[file])
        file++;
    int64_t first = file ? d->ends[file - 1] : 0;
    return d->files[file].data + (size_t)(i - first) * cifar_record(d->format);
}

static int cifar_label(const struct dataset *base, int64_t i)
{
    const struct cifar *d = (const struct cifar *)base;
    return cifar_sample(base, i)[d->format->labels - 1];
}

static const char *cifar_class_name(const struct dataset *base, int k)
{
    return ((const struct cifar *)base)->format->class_names[k];
}

static int cifar_read(const struct dataset *base, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    const struct cifar *d = (const struct cifar *)base;
    (void)size, (void)scratch, (void)err;
    *view = (struct image_view){cifar_sample(base, i) + d->format->labels,
                                CIFAR_SIDE,
                                CIFAR_SIDE,
                                3,
                                CIFAR_SIDE * CIFAR_SIDE,
                                CIFAR_SIDE,
                                1};
    return 0;
}

static int cifar_hash(const struct dataset *base, char hex[65], struct error *err)
{
    const struct cifar *d = (const struct cifar *)base;
    struct strbuf all = STRBUF_INIT;
    (void)err;
    for (int i = 0; i < d->n_files; i++) {
        file_sha256_bytes(d->files[i].data, d->files[i].size, hex);
        strbuf_adds(&all, hex);
    }
    file_sha256_bytes(all.text, all.len, hex);
    strbuf_release(&all);
    return 0;
}

static const struct config_key keys[] = {PREPROCESS_KEYS("true", "pad", "1"), {0}};

const struct dataset_kind dataset_cifar10 = {
    .choice = {"cifar10", "60,000 photos of 32 x 32 in 10 classes (Krizhevsky 2009)", keys},
    .folder = "cifar-10-batches-bin",
    .probe = "data_batch_1.bin",
    .train_images = 50000,
    .val_images = 10000,
    .known_classes = 10,
    .import = &cifar10_import,
    .open = cifar10_open,
    .close = cifar_close,
    .label = cifar_label,
    .class_name = cifar_class_name,
    .read = cifar_read,
    .hash = cifar_hash,
};

const struct dataset_kind dataset_cifar100 = {
    .choice = {"cifar100", "60,000 photos of 32 x 32 in 100 classes (Krizhevsky 2009)", keys},
    .folder = "cifar-100-binary",
    .probe = "train.bin",
    .train_images = 50000,
    .val_images = 10000,
    .known_classes = 100,
    .import = &cifar100_import,
    .open = cifar100_open,
    .close = cifar_close,
    .label = cifar_label,
    .class_name = cifar_class_name,
    .read = cifar_read,
    .hash = cifar_hash,
};
