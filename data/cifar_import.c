/* CIFAR-10 also exists as JPEG files in class folders, from which the binary files are made: record
 * order is ascending SHA-256 of "h3-cifar10|<split>/<class>/<file>", and the result has known
 * checksums, because an exact decoder leaves no freedom. */
#include "data/cifar_import.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/cifar.h"
#include "data/codec.h"
#include "data/dataset.h"
#include "data/image_folder.h"
#include "data/tree.h"

#define PER_BATCH    10000
#define SEARCH_DEPTH 4

/* ---- official archives ---- */

static const struct cifar_format *format_of(const struct dataset_kind *k)
{
    return k == &dataset_cifar10 ? &cifar10_format : &cifar100_format;
}

static int verify_file(const struct dataset_kind *k, const char *path, size_t records,
                       struct error *err)
{
    const struct cifar_format *f = format_of(k);
    struct file_map m;
    if (file_map(&m, path, err))
        return -1;
    int rc = cifar_check(f, path, m.data, m.size, err);
    if (rc == 0 && m.size != records * cifar_record(f))
        rc = error_env(err, "%s: %zu records, expected %zu", path, m.size / cifar_record(f),
                       records);
    file_unmap(&m);
    return rc;
}

static int verify_split(const struct dataset_kind *k, const char *folder, const char *const *names,
                        int images, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    size_t n = 0;
    int rc = 0;
    while (names[n])
        n++;
    for (size_t i = 0; i < n && rc == 0; i++) {
        strbuf_clear(&path);
        strbuf_addf(&path, "%s/%s", folder, names[i]);
        rc = verify_file(k, path.text, (size_t)images / n, err);
    }
    strbuf_release(&path);
    return rc;
}

static int verify(const struct dataset_kind *k, const char *folder, struct error *err)
{
    const struct cifar_format *f = format_of(k);
    return verify_split(k, folder, f->train, k->train_images, err) ||
                   verify_split(k, folder, f->val, k->val_images, err)
               ? -1
               : 0;
}

static int copy_split(const char *from, const char *to, const char *const *names, struct error *err)
{
    struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
    int rc = 0;
    for (; *names && rc == 0; names++) {
        strbuf_clear(&a);
        strbuf_clear(&b);
        strbuf_addf(&a, "%s/%s", from, *names);
        strbuf_addf(&b, "%s/%s", to, *names);
        rc = tree_copy(a.text, b.text, err);
    }
    strbuf_release(&a);
    strbuf_release(&b);
    return rc;
}

static int copy_binary(const struct cifar_format *f, const char *from, const char *to,
                       struct error *err)
{
    return copy_split(from, to, f->train, err) || copy_split(from, to, f->val, err) ? -1 : 0;
}

/* ---- JPEG files ---- */

struct record {
    char key[65];
    unsigned char bytes[1 + CIFAR_PIXELS];
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->key, ((const struct record *)b)->key);
}

static int read_record(const struct image_list *l, int64_t i, const char *split, struct image *im,
                       struct record *r, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(&s, "%s/%s", l->root, l->paths[i]);
    int rc = codec_load(s.text, im, err);
    if (rc == 0 && (im->width != CIFAR_SIDE || im->height != CIFAR_SIDE))
        rc = error_env(err, "%s: %d x %d pixels, CIFAR-10 has 32 x 32", s.text, im->width,
                       im->height);
    if (rc == 0) {
        strbuf_clear(&s);
        strbuf_addf(&s, "h3-cifar10|%s/%s", split, l->paths[i]);
        file_sha256_bytes(s.text, s.len, r->key);
        r->bytes[0] = (unsigned char)l->labels[i];
        for (size_t p = 0; p < CIFAR_PIXELS; p++)
            r->bytes[1 + p] = im->rgb[p % (CIFAR_PIXELS / 3) * 3 + p / (CIFAR_PIXELS / 3)];
    }
    strbuf_release(&s);
    return rc;
}

static int write_batch(const struct record *r, const char *folder, const char *name,
                       const char *sha256, struct error *err)
{
    size_t record = 1 + CIFAR_PIXELS;
    unsigned char *bytes = mem_alloc(PER_BATCH * record);
    char hex[65];
    struct strbuf path = STRBUF_INIT;
    int rc;
    for (size_t i = 0; i < PER_BATCH; i++)
        memcpy(bytes + i * record, r[i].bytes, record);
    file_sha256_bytes(bytes, PER_BATCH * record, hex);
    strbuf_addf(&path, "%s/%s", folder, name);
    if (strcmp(hex, sha256))
        rc = error_env(err,
                       "%s: the images are not the known JPEG copy of CIFAR-10 (SHA-256 of %s is "
                       "%s, expected %s)",
                       path.text, name, hex, sha256);
    else
        rc = file_write(path.text, bytes, PER_BATCH * record, err);
    strbuf_release(&path);
    free(bytes);
    return rc;
}

static int check_list(const struct image_list *l, int images, struct error *err)
{
    if (l->n_classes != 10 || l->n != images)
        return error_env(err, "%s: %d classes and %lld images, CIFAR-10 has 10 and %d", l->root,
                         l->n_classes, (long long)l->n, images);
    for (int k = 0; k < 10; k++)
        if (strcmp(l->classes[k], cifar10_format.class_names[k]))
            return error_env(err, "%s: class folder %s, CIFAR-10 has %s", l->root, l->classes[k],
                             cifar10_format.class_names[k]);
    return 0;
}

static int convert_split(const char *from, const char *split, int images, const char *const *names,
                         const char *const *sums, const char *to, struct error *err)
{
    struct image_list l;
    struct image im = {0};
    struct strbuf root = STRBUF_INIT;
    struct record *records = mem_alloc((size_t)images * sizeof *records);
    strbuf_addf(&root, "%s/%s", from, split);
    int rc = image_list_read(&l, root.text, err) || check_list(&l, images, err) ? -1 : 0;
    for (int64_t i = 0; i < images && rc == 0; i++)
        rc = read_record(&l, i, split, &im, &records[i], err);
    if (rc == 0)
        qsort(records, (size_t)images, sizeof *records, by_key);
    for (int i = 0; names[i] && rc == 0; i++)
        rc = write_batch(records + (size_t)i * PER_BATCH, to, names[i], sums[i], err);
    image_list_release(&l);
    image_release(&im);
    strbuf_release(&root);
    free(records);
    return rc;
}

static int convert_jpegs(const struct dataset_kind *k, const char *from, const char *to,
                         struct error *err)
{
    static const char *const train[] = {
        "577c71b7f9a31df2d6296b09b5c35cde302802219c6f2d3679ed3b842fe02c9d",
        "2058c842cde101d5d262c0d1e9019004d03bfa0dc06a50796c2890db98b629fd",
        "a490af8f592ed7ae83cfcfe61f7e3e4437aab77da0ba2edcf4ec95c66eabd2d1",
        "2cb38a9de2db78f8c07af300a6bd8eea2ee7c336b3bd6c42dd43fb47128b1c25",
        "e05c3fd65b2e2810b8efcee6260b9b74ffceb12bc9d5a0356ab823ba87cf2a6b"};
    static const char *const val[] = {
        "8a983ba0911c133523aac740f03146961da2fb205f312461f7ccae2e6584ca3a"};
    return convert_split(from, "train", k->train_images, cifar10_format.train, train, to, err) ||
                   convert_split(from, "test", k->val_images, cifar10_format.val, val, to, err)
               ? -1
               : 0;
}

/* ---- both ---- */

static int convert(const struct dataset_kind *k, const char *from, const char *to,
                   struct error *err)
{
    static const char *const splits[] = {"train", "test", NULL};
    const struct cifar_format *f = format_of(k);
    const char *const binary[] = {f->train[0], f->val[0], NULL};
    char *found = tree_find_new(from, binary, SEARCH_DEPTH), *jpegs = NULL;
    int rc;
    if (!found && k == &dataset_cifar10)
        jpegs = tree_find_new(from, splits, SEARCH_DEPTH);
    if (found)
        rc = copy_binary(f, found, to, err);
    else if (jpegs)
        rc = convert_jpegs(k, jpegs, to, err);
    else
        rc = error_env(err, "%s: neither %s nor %sis in it", from, f->train[0],
                       k == &dataset_cifar10 ? "train/CLASS/IMAGE.jpg " : "anything like it ");
    free(found);
    free(jpegs);
    return rc;
}

static const struct import_file files10[] = {
    {"https://www.cs.toronto.edu/~kriz/cifar-10-binary.tar.gz", "cifar-10-binary.tar.gz", 170052171,
     "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"},
    {0}};

static const struct import_file files100[] = {
    {"https://www.cs.toronto.edu/~kriz/cifar-100-binary.tar.gz", "cifar-100-binary.tar.gz",
     168513733, "58a81ae192c23a4be8b1804d68e518ed807d710a4eb253b1f2a199162a40d8ec"},
    {0}};

const struct import_recipe cifar10_import = {
    files10, "https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009), for research", convert,
    verify};
const struct import_recipe cifar100_import = {
    files100, "https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009), for research",
    convert, verify};
