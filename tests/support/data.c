#include "tests/support/data.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/config.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/cifar.h"
#include "data/codec.h"
#include "data/tree.h"

struct dataset *data_open(struct error *err, enum split split, ...)
{
    const struct config_key *tables[] = {data_keys, NULL};
    struct config *c = config_new(tables);
    struct dataset *d = NULL;
    const char *key;
    int rc = 0;
    va_list ap;
    va_start(ap, split);
    while (rc == 0 && (key = va_arg(ap, const char *)))
        rc =
            config_set(c, key, va_arg(ap, const char *), (struct config_origin){"test", 0, 0}, err);
    va_end(ap);
    if (rc == 0 && config_resolve(c, err) == 0)
        dataset_open(&d, c, split, err);
    config_free(c);
    return d;
}

char *data_folder(char *text)
{
    struct error err = {0};
    if (file_make_folder("build/tmp", &err))
        fail_msg("%s", err.msg);
    snprintf(text, 256, "build/tmp/data-XXXXXX");
    assert_non_null(mkdtemp(text));
    return text;
}

void data_folder_remove(const char *path)
{
    struct error err = {0};
    if (tree_remove(path, &err))
        fail_msg("%s", err.msg);
}

void data_write(const char *folder, const char *name, const void *bytes, size_t size)
{
    char path[1024], *slash;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/%s", folder, name);
    slash = strrchr(path, '/');
    *slash = 0;
    int rc = file_make_folder(path, &err);
    *slash = '/';
    if (rc || file_write(path, bytes, size, &err))
        fail_msg("%s", err.msg);
}

void data_write_cifar10(const char *folder, int per_file)
{
    const size_t record = 1 + CIFAR_PIXELS;
    unsigned char *bytes = mem_alloc((size_t)per_file * record);
    for (int file = 1; file <= 6; file++) {
        char name[64];
        struct rng r;
        rng_init(&r, 1, "cifar", (uint64_t)file, 0);
        for (size_t i = 0; i < (size_t)per_file * record; i++)
            bytes[i] = (unsigned char)rng_u32(&r);
        for (int i = 0; i < per_file; i++)
            bytes[(size_t)i * record] = (unsigned char)((i + file) % 10);
        snprintf(name, sizeof name, "cifar-10-batches-bin/test_batch.bin");
        if (file < 6)
            snprintf(name, sizeof name, "cifar-10-batches-bin/data_batch_%d.bin", file);
        data_write(folder, name, bytes, (size_t)per_file * record);
    }
    free(bytes);
}

void data_write_png(const char *folder, const char *name, int width, int height, int level)
{
    char path[1024];
    struct image im = {0};
    struct error err = {0};
    data_write(folder, name, "", 0);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    image_resize_buffer(&im, width, height);
    memset(im.rgb, level, im.capacity);
    struct image_view v = image_view(&im);
    if (codec_write_png(path, &v, &err))
        fail_msg("%s", err.msg);
    image_release(&im);
}
