/* MNIST and Fashion-MNIST: gray images of 28 x 28, read whole into memory from four IDX files. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/find.h"
#include "data/idx.h"
#include "data/import.h"
#include "data/tree.h"

#define SEARCH_DEPTH 4

struct mnist {
    struct dataset base;
    const char *const *names;
    struct idx images, labels;
};

static const char *const files[4] = {"train-images-idx3-ubyte", "train-labels-idx1-ubyte",
                                     "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"};

/* folder/name or folder/name.gz; the caller frees it. */
static char *file_new(const char *folder, const char *name)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", folder, name);
    if (!file_exists(s.text))
        strbuf_adds(&s, ".gz");
    return strbuf_detach(&s);
}

static int read_file(struct idx *x, const char *folder, const char *name, int rank,
                     struct error *err)
{
    char *path = file_new(folder, name);
    int rc = idx_read(x, path, rank, err);
    free(path);
    return rc;
}

static int read_pair(struct idx *images, struct idx *labels, const char *folder, enum split split,
                     struct error *err)
{
    int first = split == SPLIT_TRAIN ? 0 : 2;
    if (read_file(images, folder, files[first], 3, err) ||
        read_file(labels, folder, files[first + 1], 1, err))
        return -1;
    if (images->shape[0] != labels->shape[0])
        return error_env(err, "%s: %s has %u images, %s has %u labels", folder, files[first],
                         images->shape[0], files[first + 1], labels->shape[0]);
    if (images->shape[1] > 4096 || images->shape[2] > 4096)
        return error_env(err, "%s: %s has images of %u x %u", folder, files[first],
                         images->shape[1], images->shape[2]);
    for (size_t i = 0; i < labels->size; i++)
        if (labels->data[i] > 9)
            return error_env(err, "%s: %s: label %zu is %d (10 classes)", folder, files[first + 1],
                             i, labels->data[i]);
    return 0;
}

static int mnist_open(const struct dataset_kind *k, const char *const *names, float mean,
                      float deviation, struct dataset **out, const struct config *c,
                      enum split split, struct error *err)
{
    char *folder;
    if (find_folder(k, c, &folder, err))
        return -1;
    struct mnist *d = mem_zalloc(1, sizeof *d);
    *out = &d->base;
    d->base = (struct dataset){.kind = k, .split = split, .classes = 10, .channels = 1};
    d->names = names;
    for (int i = 0; i < 3; i++) {
        d->base.mean[i] = mean;
        d->base.deviation[i] = deviation;
    }
    int rc = read_pair(&d->images, &d->labels, folder, split, err);
    d->base.total = rc ? 0 : d->images.shape[0];
    free(folder);
    return rc;
}

static int digits_open(struct dataset **d, const struct config *c, enum split split,
                       struct error *err)
{
    static const char *const names[10] = {"0", "1", "2", "3", "4", "5", "6", "7", "8", "9"};
    return mnist_open(&dataset_mnist, names, 0.1307f, 0.3081f, d, c, split, err);
}

static int fashion_open(struct dataset **d, const struct config *c, enum split split,
                        struct error *err)
{
    static const char *const names[10] = {"T-shirt/top", "Trouser",   "Pullover", "Dress",
                                          "Coat",        "Sandal",    "Shirt",    "Sneaker",
                                          "Bag",         "Ankle boot"};
    return mnist_open(&dataset_fashion_mnist, names, 0.2860f, 0.3530f, d, c, split, err);
}

static void mnist_close(struct dataset *base)
{
    struct mnist *d = (struct mnist *)base;
    idx_release(&d->images);
    idx_release(&d->labels);
    free(d);
}

static int mnist_label(const struct dataset *base, int64_t i)
{
    return ((const struct mnist *)base)->labels.data[i];
}

static const char *mnist_class_name(const struct dataset *base, int k)
{
    return ((const struct mnist *)base)->names[k];
}

static int mnist_read(const struct dataset *base, int64_t i, int size, struct image *scratch,
                      struct image_view *view, struct error *err)
{
    const struct idx *x = &((const struct mnist *)base)->images;
    int height = (int)x->shape[1], width = (int)x->shape[2];
    (void)size, (void)scratch, (void)err;
    *view = (struct image_view){
        x->data + (size_t)i * (size_t)height * (size_t)width, width, height, 1, 0, width, 1};
    return 0;
}

static int mnist_hash(const struct dataset *base, char hex[65], struct error *err)
{
    const struct mnist *d = (const struct mnist *)base;
    char both[129];
    (void)err;
    file_sha256_bytes(d->images.data, d->images.size, both);
    file_sha256_bytes(d->labels.data, d->labels.size, both + 64);
    file_sha256_bytes(both, 128, hex);
    return 0;
}

/* ---- import ---- */

static int verify(const struct dataset_kind *k, const char *folder, struct error *err)
{
    int rc = 0;
    for (int split = SPLIT_TRAIN; split <= SPLIT_VAL && rc == 0; split++) {
        struct idx images = {0}, labels = {0};
        unsigned expected = (unsigned)(split == SPLIT_TRAIN ? k->train_images : k->val_images);
        rc = read_pair(&images, &labels, folder, (enum split)split, err);
        if (rc == 0 && images.shape[0] != expected)
            rc = error_env(err, "%s: %u %s images, %s has %u", folder, images.shape[0],
                           split_name((enum split)split), k->choice.name, expected);
        idx_release(&images);
        idx_release(&labels);
    }
    return rc;
}

static int convert(const struct dataset_kind *k, const char *from, const char *to,
                   struct error *err)
{
    const char *const plain[] = {files[0], NULL}, *const packed[] = {"train-images-idx3-ubyte.gz",
                                                                     NULL};
    char *found = tree_find_new(from, plain, SEARCH_DEPTH);
    int rc = 0;
    if (!found)
        found = tree_find_new(from, packed, SEARCH_DEPTH);
    if (!found)
        return error_env(err, "%s: no %s or %s.gz of %s in it", from, files[0], files[0],
                         k->choice.name);
    for (int i = 0; i < 4 && rc == 0; i++) {
        char *a = file_new(found, files[i]);
        char *b = file_new(to, files[i]); /* not there yet: ends in .gz */
        if (strcmp(a + strlen(a) - 3, ".gz"))
            b[strlen(b) - 3] = 0;
        rc = tree_copy(a, b, err);
        free(a);
        free(b);
    }
    free(found);
    return rc;
}

#define MNIST_HOME   "https://storage.googleapis.com/cvdf-datasets/mnist/"
#define FASHION_HOME "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/"
#define FILE_ROW(home, name, bytes, sha256)                                                        \
    {                                                                                              \
        home name ".gz", name ".gz", bytes, sha256                                                 \
    }

static const struct import_file mnist_files[] = {
    FILE_ROW(MNIST_HOME, "train-images-idx3-ubyte", 9912422,
             "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
    FILE_ROW(MNIST_HOME, "train-labels-idx1-ubyte", 28881,
             "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
    FILE_ROW(MNIST_HOME, "t10k-images-idx3-ubyte", 1648877,
             "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
    FILE_ROW(MNIST_HOME, "t10k-labels-idx1-ubyte", 4542,
             "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    {0}};

static const struct import_file fashion_files[] = {
    FILE_ROW(FASHION_HOME, "train-images-idx3-ubyte", 26421880,
             "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
    FILE_ROW(FASHION_HOME, "train-labels-idx1-ubyte", 29515,
             "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
    FILE_ROW(FASHION_HOME, "t10k-images-idx3-ubyte", 4422102,
             "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
    FILE_ROW(FASHION_HOME, "t10k-labels-idx1-ubyte", 5148,
             "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    {0}};

static const struct import_recipe mnist_import = {
    mnist_files, "MNIST (LeCun et al. 1998), mirrored by the Common Visual Data Foundation", NULL,
    convert, verify};
static const struct import_recipe fashion_import = {
    fashion_files,
    "https://github.com/zalandoresearch/fashion-mnist (Xiao et al. 2017), MIT licence", NULL,
    convert, verify};

static const struct config_key digit_keys[] = {PREPROCESS_KEYS("false", "pad", "1"), {0}};
static const struct config_key fashion_keys[] = {PREPROCESS_KEYS("true", "pad", "1"), {0}};

const struct dataset_kind dataset_mnist = {
    .choice = {"mnist", "70,000 gray digits of 28 x 28 (LeCun et al. 1998)", digit_keys},
    .folder = "mnist",
    .probe = "train-images-idx3-ubyte",
    .train_images = 60000,
    .val_images = 10000,
    .known_classes = 10,
    .import = &mnist_import,
    .open = digits_open,
    .close = mnist_close,
    .label = mnist_label,
    .class_name = mnist_class_name,
    .read = mnist_read,
    .hash = mnist_hash,
};

const struct dataset_kind dataset_fashion_mnist = {
    .choice = {"fashion_mnist", "70,000 gray photos of clothes of 28 x 28 (Xiao et al. 2017)",
               fashion_keys},
    .folder = "fashion_mnist",
    .probe = "train-images-idx3-ubyte",
    .train_images = 60000,
    .val_images = 10000,
    .known_classes = 10,
    .import = &fashion_import,
    .open = fashion_open,
    .close = mnist_close,
    .label = mnist_label,
    .class_name = mnist_class_name,
    .read = mnist_read,
    .hash = mnist_hash,
};
