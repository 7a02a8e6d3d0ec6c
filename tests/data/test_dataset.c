/* The registry, CIFAR files, image folders, subsets, and what is said when something is not there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/cifar.h"
#include "data/image_list.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

#define assert_says(err, part)                                                                     \
    do {                                                                                           \
        if (!strstr((err).msg, part))                                                              \
            fail_msg("expected \"%s\" in: %s", part, (err).msg);                                   \
    } while (0)

static void test_registry(void **state)
{
    const struct dataset_kind *k;
    (void)state;
    for (int i = 0; (k = dataset_kind_at(i)); i++) {
        assert_ptr_equal(dataset_kind_named(k->choice.name), k);
        assert_true(k->choice.doc && *k->choice.doc && k->choice.keys);
        assert_true(k->open && k->close && (k->label || k->mask) && k->class_name && k->read &&
                    k->hash);
        assert_true(!k->probe == !k->folder);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(dataset_kind_at(j)->choice.name, k->choice.name);
    }
    assert_null(dataset_kind_named("cifar11"));
}

/* ---- CIFAR ---- */

static void check_cifar(const struct golden *g, const struct cifar_format *f)
{
    struct golden_tensor bytes = golden_get(g, "bytes", "U8"),
                         images = golden_get(g, "images_hwc", "U8");
    struct error err = {0};
    size_t record = cifar_record(f);
    assert_int_equal(json_integer_value(json_object_get(g->parameters, "record")), record);
    if (cifar_check(f, g->path, bytes.data, bytes.bytes, &err))
        fail_msg("%s", err.msg);
    for (int64_t i = 0; i < images.shape[0]; i++) {
        const unsigned char *r = (const unsigned char *)bytes.data + (size_t)i * record;
        int64_t label =
            ((const int64_t *)golden_get(g, f->labels == 2 ? "fine" : "labels", "I64").data)[i];
        assert_int_equal(r[f->labels - 1], label);
        for (size_t p = 0; p < CIFAR_PIXELS; p++)
            assert_int_equal(r[(size_t)f->labels + p % 3 * 1024 + p / 3],
                             ((const unsigned char *)images.data)[(size_t)i * CIFAR_PIXELS + p]);
    }
}

static void check_cifar10(const struct golden *g)
{
    check_cifar(g, &cifar10_format);
}

static void check_cifar100(const struct golden *g)
{
    check_cifar(g, &cifar100_format);
}

static void test_cifar_golden(void **state)
{
    char path[4096];
    (void)state;
    if (!golden_path("golden/data", path, sizeof path)) {
        print_message("no golden/data here\n");
        skip();
    }
    assert_int_equal(golden_each(path, "cifar10_bin", check_cifar10), 1);
    assert_int_equal(golden_each(path, "cifar100_bin", check_cifar100), 1);
}

static void test_cifar_reads(void **state)
{
    char folder[256], hash[65], again[65];
    struct error err = {0};
    struct image scratch = {0};
    struct image_view v;
    struct file_map m;
    char path[1024];
    (void)state;
    data_write_cifar10(data_folder(folder), 7);
    struct dataset *d = data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_count(d), 35);
    assert_string_equal(dataset_name(d), "cifar10");
    assert_string_equal(dataset_class_name(d, 9), "truck");
    snprintf(path, sizeof path, "%s/cifar-10-batches-bin/data_batch_3.bin", folder);
    assert_int_equal(file_map(&m, path, &err), 0);
    assert_int_equal(dataset_read(d, 2 * 7 + 4, 32, &scratch, &v, &err), 0);
    assert_int_equal(dataset_label(d, 2 * 7 + 4), m.data[4 * 3073]);
    assert_memory_equal(v.data, m.data + 4 * 3073 + 1, 3072);
    file_unmap(&m);
    assert_int_equal(dataset_hash(d, hash, &err), 0);
    dataset_close(d);
    snprintf(path, sizeof path, "%s/cifar-10-batches-bin", folder); /* the folder itself will do */
    d = data_open(&err, SPLIT_TRAIN, "data.root", path, NULL);
    assert_non_null(d);
    assert_int_equal(dataset_hash(d, again, &err), 0);
    assert_string_equal(hash, again);
    dataset_close(d);
    d = data_open(&err, SPLIT_VAL, "data.root", folder, NULL);
    assert_int_equal(dataset_count(d), 7);
    dataset_close(d);
    data_folder_remove(folder);
}

static void test_cifar_refusals(void **state)
{
    unsigned char bytes[2 * 3073] = {0};
    char folder[256];
    struct error err = {0};
    (void)state;
    data_write_cifar10(data_folder(folder), 2);
    bytes[3073] = 255;
    data_write(folder, "cifar-10-batches-bin/data_batch_2.bin", bytes, sizeof bytes);
    assert_null(data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL));
    assert_says(err, "data_batch_2.bin: record 1 has label 255 (10 classes)");
    data_write(folder, "cifar-10-batches-bin/data_batch_2.bin", bytes, 3000);
    assert_null(data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL));
    assert_says(err, "data_batch_2.bin: its size of 3000 bytes is not a multiple of 3073");
    data_write(folder, "cifar-10-batches-bin/data_batch_2.bin", bytes, 0);
    assert_null(data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL));
    assert_says(err, "empty");
    data_folder_remove(folder);
}

static void test_cifar_bad_files(void **state)
{
    static const char *const files[][2] = {
        {"data/bad/08_cifar_wrong_length.bin", "not a multiple of 3073"},
        {"data/bad/09_cifar_label255.bin", "record 1 has label 255 (10 classes)"}};
    char path[4096];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct file_map m;
        struct error err = {0};
        if (!golden_path(files[i][0], path, sizeof path)) {
            print_message("no data/bad here\n");
            skip();
        }
        assert_int_equal(file_map(&m, path, &err), 0);
        assert_int_equal(cifar_check(&cifar10_format, path, m.data, m.size, &err), -1);
        assert_says(err, files[i][1]);
        assert_says(err, strrchr(files[i][0], '/') + 1);
        file_unmap(&m);
    }
}

/* ---- what is not there ---- */

static void test_missing(void **state)
{
    char folder[256], *data = getenv("VITTM_DATA") ? mem_strdup(getenv("VITTM_DATA")) : NULL;
    char *home = mem_strdup(getenv("HOME") ? getenv("HOME") : "");
    char *cache = getenv("XDG_CACHE_HOME") ? mem_strdup(getenv("XDG_CACHE_HOME")) : NULL, root[512];
    struct error err = {0};
    (void)state;
    data_folder(folder);
    setenv("VITTM_DATA", folder, 1);
    setenv("HOME", folder, 1);
    setenv("XDG_CACHE_HOME", "/some/cache", 1);
    assert_string_equal(dataset_root(1, root, sizeof root), "/some/cache/vittm");
    assert_null(dataset_root(2, root, sizeof root));
    setenv("XDG_CACHE_HOME", "", 1); /* as good as not set */
    assert_null(data_open(&err, SPLIT_TRAIN, NULL));
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    assert_says(err, "data set cifar10 is not in");
    assert_says(err, "/.cache/vittm (get it with: vittm data get cifar10)");
    data_write(folder, "cifar10.tar.xz", "x", 1);
    assert_null(data_open(&err, SPLIT_TRAIN, NULL));
    assert_says(err, "vittm data get cifar10 --from build/tmp/");
    assert_says(err, "/cifar10.tar.xz)");
    data_write_cifar10(folder, 1);
    struct dataset *d = data_open(&err, SPLIT_TRAIN, NULL);
    assert_non_null(d);
    dataset_close(d);
    assert_null(data_open(&err, SPLIT_TRAIN, "data.root", "build/no-such-folder", NULL));
    assert_says(err, "build/no-such-folder");
    setenv("HOME", home, 1);
    if (cache)
        setenv("XDG_CACHE_HOME", cache, 1);
    else
        unsetenv("XDG_CACHE_HOME");
    free(cache);
    if (data)
        setenv("VITTM_DATA", data, 1);
    else
        unsetenv("VITTM_DATA");
    free(data);
    free(home);
    data_folder_remove(folder);
}

/* ---- subsets ---- */

static void test_subset(void **state)
{
    struct error err = {0};
    char folder[256];
    unsigned char seen[50] = {0};
    (void)state;
    data_write_cifar10(data_folder(folder), 10);
    struct dataset *small =
        data_open(&err, SPLIT_TRAIN, "data.root", folder, "data.train_size", "20", NULL);
    struct dataset *large =
        data_open(&err, SPLIT_TRAIN, "data.root", folder, "data.train_size", "30", NULL);
    struct dataset *all = data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL);
    assert_int_equal(dataset_count(small), 20);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(small->subset[i],
                         large->subset[i]); /* a larger subset begins with the smaller one */
        assert_false(seen[small->subset[i]]++);
        assert_int_equal(dataset_label(small, i), dataset_label(all, small->subset[i]));
    }
    dataset_close(small);
    dataset_close(large);
    dataset_close(all);
    assert_null(data_open(&err, SPLIT_VAL, "data.root", folder, "data.val_size", "11", NULL));
    assert_says(err, "data.val_size 11: cifar10 has 10 val images");
    data_folder_remove(folder);
}

/* ---- image folders ---- */

static void test_folder(void **state)
{
    static const char *const files[] = {
        "train/b/2.png",       "train/b/1.PNG", "train/b/sub/0.png", "train/a/x.jpeg",
        "train/b/ignored.txt", "val/a/1.png",   "val/b/1.png"};
    static const char *const order[] = {"a/x.jpeg", "b/1.PNG", "b/2.png", "b/sub/0.png"};
    char folder[256], path[512], a[65], b[65];
    struct error err = {0};
    struct image scratch = {0};
    struct image_view v;
    struct image_list l;
    (void)state;
    data_folder(folder);
    for (size_t i = 0; i < sizeof files / sizeof *files; i++)
        data_write_png(folder, files[i], 5 + (int)i, 9, 10 * (int)i);
    snprintf(path, sizeof path, "%s/train", folder);
    assert_int_equal(image_list_read_classes(&l, path, &err), 0);
    assert_int_equal(l.n, 4);
    assert_int_equal(l.n_classes, 2);
    for (int i = 0; i < 4; i++)
        assert_string_equal(l.paths[i], order[i]);
    image_list_release(&l);
    struct dataset *d =
        data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_label(d, 0), 0);
    assert_int_equal(dataset_label(d, 3), 1);
    assert_string_equal(dataset_class_name(d, 1), "b");
    assert_int_equal(dataset_read(d, 2, 32, &scratch, &v, &err), 0);
    assert_int_equal(v.width, 5);
    assert_int_equal(v.data[0], 0);
    assert_int_equal(dataset_hash(d, a, &err), 0);
    dataset_close(d);
    data_write_png(folder, "train/b/3.png", 5, 5, 0);
    d = data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder, NULL);
    assert_int_equal(dataset_hash(d, b, &err), 0);
    assert_string_not_equal(a, b);
    dataset_close(d);
    image_release(&scratch);
    data_folder_remove(folder);
}

static void test_folder_refusals(void **state)
{
    char folder[256], path[512];
    struct error err = {0};
    struct image scratch = {0};
    struct image_view v;
    (void)state;
    data_folder(folder);
    assert_null(
        data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder, NULL));
    assert_says(err, "/train: no such folder");
    assert_int_equal(err.code, EXIT_ENVIRONMENT);
    assert_null(data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", NULL));
    assert_says(err, "data.root auto: image_folder needs a folder");
    data_write_png(folder, "train/a/1.png", 4, 4, 9);
    snprintf(path, sizeof path, "%s/train/empty", folder);
    assert_int_equal(file_make_folder(path, &err), 0);
    assert_null(
        data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder, NULL));
    assert_says(err, "train/empty: no images");
    rmdir(path);
    data_write(folder, "train/a/2.jpg", "not an image", 12);
    struct dataset *d =
        data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder, NULL);
    assert_non_null(d);
    assert_int_equal(dataset_read(d, 1, 4, &scratch, &v, &err), -1);
    assert_says(err, "train/a/2.jpg: neither JPEG nor PNG");
    dataset_close(d);
    image_release(&scratch);
    data_folder_remove(folder);
}

static void test_photos_folder(void **state)
{
    char path[4096];
    struct error err = {0};
    (void)state;
    if (!golden_path("data/imagenet-mini", path, sizeof path)) {
        print_message("no data/imagenet-mini here\n");
        skip();
    }
    struct dataset *d = data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root",
                                  path, "data.train_folder", ".", NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_count(d), 60);
    assert_int_equal(dataset_classes(d), 60);
    assert_string_equal(dataset_class_name(d, 0), "n01514668");
    dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),        cmocka_unit_test(test_cifar_golden),
        cmocka_unit_test(test_cifar_reads),     cmocka_unit_test(test_cifar_refusals),
        cmocka_unit_test(test_cifar_bad_files), cmocka_unit_test(test_missing),
        cmocka_unit_test(test_subset),          cmocka_unit_test(test_folder),
        cmocka_unit_test(test_folder_refusals), cmocka_unit_test(test_photos_folder),
    };
    return cmocka_run_group_tests_name("data/dataset", tests, NULL, NULL);
}
