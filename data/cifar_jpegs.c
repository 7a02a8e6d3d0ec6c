/* CIFAR-10 also exists as JPEG files in class folders, from which the binary files are made: record
 * order is ascending SHA-256 of "h3-cifar10|<split>/<class>/<file>", and the result has known
 * checksums, because an exact decoder leaves no freedom. */
#include "data/cifar_jpegs.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/archive.h"
#include "data/cifar.h"
#include "data/codec.h"
#include "data/image_list.h"

#define PER_BATCH 10000

struct record {
    char key[65];
    unsigned char bytes[1 + CIFAR_PIXELS];
};

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct record *)a)->key, ((const struct record *)b)->key);
}

/* bytes: an image file; inner: its path as "train/airplane/0000.jpg"; name: for messages. */
static int make_record(struct record *r, const void *bytes, size_t size, const char *inner,
                       int label, const char *name, struct image *im, struct error *err)
{
    struct strbuf s = STRBUF_INIT;
    if (codec_decode(bytes, size, name, im, err))
        return -1;
    if (im->width != CIFAR_SIDE || im->height != CIFAR_SIDE)
        return error_env(err, "%s: %d x %d pixels, CIFAR-10 has 32 x 32", name, im->width,
                         im->height);
    strbuf_addf(&s, "h3-cifar10|%s", inner);
    file_sha256_bytes(s.text, s.len, r->key);
    strbuf_release(&s);
    r->bytes[0] = (unsigned char)label;
    for (size_t p = 0; p < CIFAR_PIXELS; p++)
        r->bytes[1 + p] = im->rgb[p % (CIFAR_PIXELS / 3) * 3 + p / (CIFAR_PIXELS / 3)];
    return 0;
}

static int read_record(const struct image_list *l, int64_t i, const char *split, struct image *im,
                       struct record *r, struct error *err)
{
    struct strbuf path = STRBUF_INIT, inner = STRBUF_INIT;
    struct file_map m;
    strbuf_addf(&path, "%s/%s", l->root, l->paths[i]);
    strbuf_addf(&inner, "%s/%s", split, l->paths[i]);
    int rc = file_map(&m, path.text, err);
    if (rc == 0) {
        rc = make_record(r, m.data, m.size, inner.text, l->labels[i], path.text, im, err);
        file_unmap(&m);
    }
    strbuf_release(&path);
    strbuf_release(&inner);
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

static const char *const train_sums[] = {
    "577c71b7f9a31df2d6296b09b5c35cde302802219c6f2d3679ed3b842fe02c9d",
    "2058c842cde101d5d262c0d1e9019004d03bfa0dc06a50796c2890db98b629fd",
    "a490af8f592ed7ae83cfcfe61f7e3e4437aab77da0ba2edcf4ec95c66eabd2d1",
    "2cb38a9de2db78f8c07af300a6bd8eea2ee7c336b3bd6c42dd43fb47128b1c25",
    "e05c3fd65b2e2810b8efcee6260b9b74ffceb12bc9d5a0356ab823ba87cf2a6b"};
static const char *const val_sums[] = {
    "8a983ba0911c133523aac740f03146961da2fb205f312461f7ccae2e6584ca3a"};

static const struct jpeg_split {
    const char *name;
    int images;
    const char *const *files, *const *sums;
} splits[] = {{"train", 50000, cifar10_train_files, train_sums},
              {"test", 10000, cifar10_val_files, val_sums}};

static int write_split(const struct jpeg_split *s, struct record *records, const char *to,
                       struct error *err)
{
    int rc = 0;
    qsort(records, (size_t)s->images, sizeof *records, by_key);
    for (int i = 0; s->files[i] && rc == 0; i++)
        rc = write_batch(records + (size_t)i * PER_BATCH, to, s->files[i], s->sums[i], err);
    return rc;
}

static int convert_split(const struct jpeg_split *s, const char *from, const char *to,
                         struct error *err)
{
    struct image_list l;
    struct image im = {0};
    struct strbuf root = STRBUF_INIT;
    struct record *records = mem_alloc((size_t)s->images * sizeof *records);
    strbuf_addf(&root, "%s/%s", from, s->name);
    int rc = image_list_read_classes(&l, root.text, err) || check_list(&l, s->images, err) ? -1 : 0;
    for (int64_t i = 0; i < s->images && rc == 0; i++)
        rc = read_record(&l, i, s->name, &im, &records[i], err);
    if (rc == 0)
        rc = write_split(s, records, to, err);
    image_list_release(&l);
    image_release(&im);
    strbuf_release(&root);
    free(records);
    return rc;
}

int cifar_jpegs_folder(const char *from, const char *to, struct error *err)
{
    return convert_split(&splits[0], from, to, err) || convert_split(&splits[1], from, to, err) ? -1
                                                                                                : 0;
}

/* ---- the same out of an archive: 60,000 small files would take many times as long ---- */

struct stream {
    struct archive archive;
    struct record *records[2];
    int n[2];
    struct image im;
    struct strbuf bytes;
};

/* "train/airplane/0000.jpg" -> split and class; 0 where it is something else. */
static int parse_inner(const char *name, int *split, int *label)
{
    for (int s = 0; s < 2; s++) {
        size_t n = strlen(splits[s].name);
        if (strncmp(name, splits[s].name, n) || name[n] != '/')
            continue;
        for (int k = 0; k < 10; k++) {
            size_t m = strlen(cifar10_format.class_names[k]);
            if (!strncmp(name + n + 1, cifar10_format.class_names[k], m) &&
                name[n + 1 + m] == '/') {
                *split = s;
                *label = k;
                return image_list_is_image(name);
            }
        }
    }
    return 0;
}

static int stream_record(struct stream *s, int64_t i, struct error *err)
{
    const struct archive_entry *e = &s->archive.entries[i];
    int split, label;
    if (archive_next(&s->archive, i, &s->bytes, err))
        return -1;
    if (!parse_inner(e->name, &split, &label))
        return 0;
    if (s->n[split] == splits[split].images)
        return error_env(err, "%s: more than %d images in %s", s->archive.path,
                         splits[split].images, splits[split].name);
    return make_record(&s->records[split][s->n[split]++], s->bytes.text, s->bytes.len, e->name,
                       label, e->name, &s->im, err);
}

static int count_images(const struct archive *a, int split)
{
    int n = 0, of, label;
    for (int64_t i = 0; i < a->n; i++)
        n += parse_inner(a->entries[i].name, &of, &label) && of == split;
    return n;
}

static int convert_stream(struct stream *s, const char *to, struct error *err)
{
    int rc = 0;
    if (archive_read(&s->archive, err))
        return -1;
    for (int k = 0; k < 2; k++)
        s->records[k] = mem_alloc((size_t)splits[k].images * sizeof *s->records[k]);
    for (int64_t i = 0; i < s->archive.n && rc == 0; i++)
        rc = stream_record(s, i, err);
    for (int k = 0; k < 2 && rc == 0; k++)
        rc = write_split(&splits[k], s->records[k], to, err);
    free(s->records[0]);
    free(s->records[1]);
    return rc;
}

int cifar_jpegs_archive(const struct dataset_kind *k, const char *path, const char *to,
                        struct error *err)
{
    struct stream s = {.bytes = STRBUF_INIT};
    (void)k;
    int rc = archive_open(&s.archive, path, err);
    if (rc == 0)
        rc = count_images(&s.archive, 0) != splits[0].images ||
             count_images(&s.archive, 1) != splits[1].images;
    if (rc == 0)
        rc = convert_stream(&s, to, err);
    archive_close(&s.archive);
    image_release(&s.im);
    strbuf_release(&s.bytes);
    return rc;
}
