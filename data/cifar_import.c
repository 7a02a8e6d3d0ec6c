/* The official archives, and which of the two forms of CIFAR-10 something is. */
#include "data/cifar_import.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "data/cifar.h"
#include "data/cifar_jpegs.h"
#include "data/dataset.h"
#include "data/tree.h"

#define SEARCH_DEPTH 4

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

static int convert(const struct dataset_kind *k, const char *from, const char *to,
                   struct error *err)
{
    static const char *const jpeg_folders[] = {"train", "test", NULL};
    const struct cifar_format *f = format_of(k);
    const char *const binary[] = {f->train[0], f->val[0], NULL};
    char *found = tree_find_new(from, binary, SEARCH_DEPTH), *jpegs = NULL;
    int rc;
    if (!found && k == &dataset_cifar10)
        jpegs = tree_find_new(from, jpeg_folders, SEARCH_DEPTH);
    if (found)
        rc = copy_binary(f, found, to, err);
    else if (jpegs)
        rc = cifar_jpegs_folder(jpegs, to, err);
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
    files10, "https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009), for research",
    cifar_jpegs_archive, convert, verify};
const struct import_recipe cifar100_import = {
    files100, "https://www.cs.toronto.edu/~kriz/cifar.html (Krizhevsky 2009), for research", NULL,
    convert, verify};
