/* `vittm data check`: which reader reads which file. */
#include "data/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/yaml.h"
#include "data/ade20k.h"
#include "data/cifar.h"
#include "data/codec.h"
#include "data/idx.h"
#include "data/image_list.h"
#include "data/tree.h"

struct checking {
    const struct import_checker *extra;
    void (*bad)(void *ctx, const char *file, const char *reason);
    void *ctx;
    struct import_counts *counts;
    struct image image; /* kept between files */
};

static int ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcasecmp(text + n - m, end);
}

static int check_image(const char *path, struct image *im, struct error *err)
{
    const char *annotations = strstr(path, "/annotations/");
    return annotations && ends(path, ".png") ? mask_read(path, &ade20k_rule, im, err)
                                             : codec_load(path, im, err);
}

static int check_cifar(const char *path, struct image *im, struct error *err)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    int is_100 = !strcmp(name, cifar100_format.train[0]) || !strcmp(name, cifar100_format.val[0]);
    struct file_map m;
    (void)im;
    if (file_map(&m, path, err))
        return -1;
    int rc = cifar_check(is_100 ? &cifar100_format : &cifar10_format, path, m.data, m.size, err);
    file_unmap(&m);
    return rc;
}

static int check_idx(const char *path, struct image *im, struct error *err)
{
    struct idx x;
    (void)im;
    int rc = idx_read_any(&x, path, err);
    idx_release(&x);
    return rc;
}

static int check_yaml(const char *path, struct image *im, struct error *err)
{
    struct arena a = {0};
    struct yaml_node *root;
    (void)im;
    int rc = yaml_load(&a, path, &root, err);
    arena_release(&a);
    return rc;
}

static const struct {
    const char *end;
    int (*check)(const char *path, struct image *im, struct error *err);
} readers[] = {
    {".bin", check_cifar},  {"-ubyte", check_idx},  {"-ubyte.gz", check_idx}, {".yaml", check_yaml},
    {".yml", check_yaml},   {".jpg", check_image},  {".jpeg", check_image},   {".png", check_image},
    {".ppm", check_image},  {".bmp", check_image},  {".pgm", check_image},    {".tif", check_image},
    {".tiff", check_image}, {".webp", check_image},
};

/* 1 and *rc set where some reader knows the file. */
static int read_one(struct checking *c, const char *path, int *rc, struct error *err)
{
    for (const struct import_checker *x = c->extra; x && x->suffix; x++)
        if (ends(path, x->suffix)) {
            *rc = x->check(path, err);
            return 1;
        }
    for (size_t i = 0; i < sizeof readers / sizeof *readers; i++)
        if (ends(path, readers[i].end)) {
            *rc = readers[i].check(path, &c->image, err);
            return 1;
        }
    return 0;
}

static int visit(void *ctx, const char *path)
{
    struct checking *c = ctx;
    struct error err = {0};
    int rc = 0;
    c->counts->files++;
    if (!read_one(c, path, &rc, &err)) {
        c->counts->other++;
    } else if (rc == 0) {
        c->counts->good++;
    } else {
        c->counts->bad++;
        c->bad(c->ctx, path, err.msg);
    }
    return 0;
}

int import_check(const char *path, const struct import_checker *extra,
                 void (*bad)(void *ctx, const char *file, const char *reason), void *ctx,
                 struct import_counts *counts, struct error *err)
{
    struct checking c = {.extra = extra, .bad = bad, .ctx = ctx, .counts = counts};
    *counts = (struct import_counts){0};
    int rc = tree_walk(path, visit, &c, err);
    image_release(&c.image);
    return rc;
}
