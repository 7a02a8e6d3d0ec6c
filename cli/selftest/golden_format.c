/* Golden files about what data sets are read from: CIFAR and IDX files, through the data sets that
 * read them. */
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/selftest/golden_case.h"
#include "data/dataset.h"
#include "data/idx.h"
#include "data/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- a folder for the files ------------------------------------------------------------------ */

static int folder_new(char *path, size_t size, struct error *err)
{
    const char *base = getenv("TMPDIR");
    snprintf(path, size, "%s/vittm-selftest-XXXXXX", base && *base ? base : "/tmp");
    return mkdtemp(path) ? 0 : error_env(err, "%s: %s", path, strerror(errno));
}

/* Writes a tensor's bytes to folder/name. */
static int write_bytes(struct golden_case *g, const char *folder, const char *name,
                       const char *tensor)
{
    const struct safetensors_tensor *t = case_tensor(g, tensor);
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s/%s", folder, name);
    int rc = t ? file_write(path.text, t->data, t->bytes, g->err) : -1;
    strbuf_release(&path);
    return rc;
}

static int in_folder(struct golden_case *g, int (*check)(struct golden_case *g, const char *folder))
{
    char folder[512];
    struct error ignored = {0};
    if (folder_new(folder, sizeof folder, g->err))
        return -1;
    int rc = check(g, folder);
    tree_remove(folder, &ignored);
    return rc;
}

/* ---- CIFAR ----------------------------------------------------------------------------------- */

static struct dataset *open_set(const char *name, const char *folder, struct error *err)
{
    const struct config_key *tables[] = {data_keys, NULL};
    struct config *c = config_new(tables);
    struct dataset *d = NULL;
    const struct config_origin here = {"selftest", 0, 0};
    if (!config_set(c, "data.dataset", name, here, err) &&
        !config_set(c, "data.root", folder, here, err) && !config_resolve(c, err))
        dataset_open(&d, c, SPLIT_VAL, err);
    config_free(c);
    return d;
}

static int compare_set(struct golden_case *g, const struct dataset *d, const char *labels)
{
    const struct safetensors_tensor *images = case_tensor(g, "images_hwc"),
                                    *t = case_tensor(g, labels);
    if (!images || !t || dataset_count(d) != t->count)
        return error_set(g->err, "holds another number of labels than its records");
    unsigned char *x = mem_alloc((size_t)images->count + 1), *out = x;
    double *want = case_doubles(t);
    int rc = 0;
    for (int64_t i = 0; i < t->count && !rc; i++) {
        struct image_view v;
        rc = dataset_read(d, i, 0, NULL, &v, g->err);
        case_compare_number(g, labels, dataset_label(d, i), want[i], 0);
        for (int k = 0; !rc && k < v.width * v.height * v.channels; k++)
            *out++ = v.data[k % v.channels * v.step_c + k / v.channels / v.width * v.step_y +
                            k / v.channels % v.width * v.step_x];
    }
    if (!rc)
        rc = case_compare_bytes(g, "images_hwc", x, out - x);
    free(x);
    free(want);
    return rc;
}

static int check_set(struct golden_case *g, const char *folder, const char *name,
                     const char *labels)
{
    struct dataset *d = open_set(name, folder, g->err);
    int rc = d ? compare_set(g, d, labels) : -1;
    dataset_close(d);
    return rc;
}

static int cifar10_in(struct golden_case *g, const char *folder)
{
    return write_bytes(g, folder, "data_batch_1.bin", "bytes") ||
                   write_bytes(g, folder, "test_batch.bin", "bytes") ||
                   check_set(g, folder, "cifar10", "labels")
               ? -1
               : 0;
}

static int cifar100_in(struct golden_case *g, const char *folder)
{
    return write_bytes(g, folder, "train.bin", "bytes") ||
                   write_bytes(g, folder, "test.bin", "bytes") ||
                   check_set(g, folder, "cifar100", "fine")
               ? -1
               : 0;
}

static int check_cifar10(struct golden_case *g)
{
    return in_folder(g, cifar10_in);
}

static int check_cifar100(struct golden_case *g)
{
    return in_folder(g, cifar100_in);
}

/* ---- IDX ------------------------------------------------------------------------------------- */

static int read_as(struct golden_case *g, const char *folder, const char *tensor, int rank,
                   const char *want)
{
    struct idx x;
    struct strbuf path = STRBUF_INIT;
    strbuf_addf(&path, "%s/%s", folder, tensor);
    int rc =
        write_bytes(g, folder, tensor, tensor) || idx_read(&x, path.text, rank, g->err) ? -1 : 0;
    if (!rc) {
        rc = case_compare_bytes(g, want, x.data, (int64_t)x.size);
        idx_release(&x);
    }
    strbuf_release(&path);
    return rc;
}

static int mnist_in(struct golden_case *g, const char *folder)
{
    return read_as(g, folder, "images_idx", 3, "images_hw") ||
                   read_as(g, folder, "images_idx_gz", 3, "images_hw") ||
                   read_as(g, folder, "labels_idx", 1, "labels")
               ? -1
               : 0;
}

/* Floats are no images: refused by their magic number. */
static int floats_in(struct golden_case *g, const char *folder)
{
    struct idx x;
    struct error err = {0};
    struct strbuf path = STRBUF_INIT;
    if (write_bytes(g, folder, "bytes", "bytes"))
        return -1;
    strbuf_addf(&path, "%s/bytes", folder);
    int refused = idx_read_any(&x, path.text, &err) != 0;
    if (!refused)
        idx_release(&x);
    case_compare_number(g, "refused by its magic number",
                        refused && strstr(err.msg, "magic 0x00000d03"), 1, 0);
    strbuf_release(&path);
    return 0;
}

static int check_idx(struct golden_case *g)
{
    return in_folder(g, safetensors_find(g->file, "values") ? floats_in : mnist_in);
}

/* ---- the table ------------------------------------------------------------------------------- */

GOLDEN_RUN(cifar10)
GOLDEN_RUN(cifar100)
GOLDEN_RUN(idx)

const struct golden_kind golden_format_kinds[] = {
    {"cifar10_bin", run_cifar10},
    {"cifar100_bin", run_cifar100},
    {"idx", run_idx},
    {NULL, NULL},
};
