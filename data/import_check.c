/* `vittm data check`: which reader reads which file. */
#include "data/import.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/yaml.h"
#include "data/ade20k.h"
#include "data/cifar.h"
#include "data/codec.h"
#include "data/idx.h"
#include "data/image_list.h"
#include "data/tree.h"
#include "data/work_place.h"

struct checking {
    const struct import_checker *extra;
    void (*bad)(void *ctx, const char *file, const char *reason);
    void *ctx;
    struct import_counts *counts;
    size_t root;        /* length of the path that was asked for */
    struct image image; /* kept between files */
};

static int ends(const char *text, const char *end)
{
    size_t n = strlen(text), m = strlen(end);
    return n >= m && !strcasecmp(text + n - m, end);
}

/* Whether name or folder of a file speak of labels. */
static int holds_labels(const char *path)
{
    static const char *const words[] = {"annotation", "label", "mask"};
    const char *from = path;
    int slashes = 0;
    for (const char *p = path + strlen(path); p > path && slashes < 2; p--)
        if (*p == '/' && ++slashes == 2)
            from = p;
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        if (strcasestr(from, words[i]))
            return ends(path, ".png");
    const char *annotations = strstr(path, "/annotations/");
    return annotations && ends(path, ".png");
}

/* ROOT/images/a/b.jpg for ROOT/annotations/a/b.png; 0 where there is none. */
static int image_of(const char *labels, struct strbuf *image)
{
    const char *at = strstr(labels, "/annotations/"), *dot = strrchr(labels, '.');
    if (!at)
        return 0;
    const char *rest = at + strlen("/annotations");
    strbuf_addf(image, "%.*s/images%.*s.jpg", (int)(at - labels), labels, (int)(dot - rest), rest);
    return file_exists(image->text);
}

static int check_labels(const char *path, struct image *im, struct error *err)
{
    struct strbuf image = STRBUF_INIT;
    struct error ignored = {0};
    int rc = mask_read(path, &ade20k_rule, im, err), width = im->width, height = im->height;
    if (rc == 0 && image_of(path, &image) && codec_load(image.text, im, &ignored) == 0 &&
        (im->width != width || im->height != height))
        rc = error_env(err, "%s: a mask of %d x %d pixels for an image of %d x %d", path, width,
                       height, im->width, im->height);
    strbuf_release(&image);
    return rc;
}

static int check_image(const char *path, struct image *im, struct error *err)
{
    return holds_labels(path) ? check_labels(path, im, err) : codec_load(path, im, err);
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
    if (work_place_has(path + c->root))
        return 0;
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
    struct checking c = {
        .extra = extra, .bad = bad, .ctx = ctx, .counts = counts, .root = strlen(path)};
    *counts = (struct import_counts){0};
    int rc = tree_walk(path, visit, &c, err);
    image_release(&c.image);
    return rc;
}
