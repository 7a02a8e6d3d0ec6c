/* IDX files and the MNIST data sets. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/file.h"
#include "base/memory.h"
#include "data/idx.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

#define assert_says(err, part)                                                                     \
    do {                                                                                           \
        if (!strstr((err).msg, part))                                                              \
            fail_msg("expected \"%s\" in: %s", part, (err).msg);                                   \
    } while (0)

static void read_as(const char *folder, const struct golden *g, const char *tensor, int rank,
                    struct idx *x)
{
    struct golden_tensor t = golden_get(g, tensor, "U8");
    char path[1024];
    struct error err = {0};
    data_write(folder, tensor, t.data, t.bytes);
    snprintf(path, sizeof path, "%s/%s", folder, tensor);
    if (idx_read(x, path, rank, &err))
        fail_msg("%s", err.msg);
}

static void check_mnist(const struct golden *g)
{
    char folder[256];
    struct golden_tensor images = golden_get(g, "images_hw", "U8"),
                         labels = golden_get(g, "labels", "I64");
    static const char *const forms[] = {"images_idx", "images_idx_gz"};
    struct idx x;
    data_folder(folder);
    for (int i = 0; i < 2; i++) {
        read_as(folder, g, forms[i], 3, &x);
        for (int k = 0; k < 3; k++)
            assert_int_equal(x.shape[k], images.shape[k]);
        assert_memory_equal(x.data, images.data, images.bytes);
        idx_release(&x);
    }
    read_as(folder, g, "labels_idx", 1, &x);
    assert_int_equal(x.size, labels.count);
    for (int64_t i = 0; i < labels.count; i++)
        assert_int_equal(x.data[i], ((const int64_t *)labels.data)[i]);
    idx_release(&x);
    data_folder_remove(folder);
}

static void check_float(const struct golden *g)
{
    char folder[256], path[1024];
    struct golden_tensor t = golden_get(g, "bytes", "U8");
    struct idx x;
    struct error err = {0};
    data_write(data_folder(folder), "float", t.data, t.bytes);
    snprintf(path, sizeof path, "%s/float", folder);
    assert_int_equal(idx_read(&x, path, 3, &err), -1);
    assert_says(err, "magic 0x00000d03, expected 0x00000803");
    data_folder_remove(folder);
}

static void test_golden(void **state)
{
    char path[4096];
    (void)state;
    if (!golden_path("golden/data", path, sizeof path)) {
        print_message("no golden/data here\n");
        skip();
    }
    assert_int_equal(golden_each(path, "mnist_idx", check_mnist), 1);
    assert_int_equal(golden_each(path, "idx_float", check_float), 1);
}

static void test_bad_files(void **state)
{
    static const char *const files[][2] = {
        {"data/bad/07_idx_wrong_magic.idx3-ubyte", "magic 0x00000802, expected 0x00000803"},
        {"data/bad/20_idx_count_too_big.idx3-ubyte",
         "promises more than the file of 800 bytes can hold"}};
    char path[4096];
    (void)state;
    for (int i = 0; i < 2; i++) {
        struct idx x;
        struct error err = {0};
        if (!golden_path(files[i][0], path, sizeof path)) {
            print_message("no data/bad here\n");
            skip();
        }
        assert_int_equal(idx_read(&x, path, 3, &err), -1);
        assert_says(err, files[i][1]);
        assert_says(err, path);
    }
}

static void put32(unsigned char *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (unsigned char)(v >> (24 - 8 * i));
}

static size_t make(unsigned char *out, uint32_t magic, uint32_t n, size_t bytes)
{
    size_t at = 8;
    put32(out, magic);
    put32(out + 4, n);
    if (magic == 0x803) {
        put32(out + 8, 28);
        put32(out + 12, 28);
        at = 16;
    }
    for (size_t i = 0; i < bytes; i++)
        out[at + i] = (unsigned char)(magic == 0x801 ? i % 10 : i);
    return at + bytes;
}

static void test_refusals(void **state)
{
    unsigned char bytes[4000];
    char folder[256], path[1024];
    struct idx x;
    struct error err = {0};
    (void)state;
    snprintf(path, sizeof path, "%s/x", data_folder(folder));
    static const struct {
        uint32_t n;
        size_t bytes;
        const char *reason;
    } cases[] = {{3, 784 * 3 - 1, "2351 bytes of data, its header promises 2352"},
                 {3, 784 * 3 + 1, "more data than"},
                 {0, 0, "dimension 0 is 0"},
                 {0xffffffffu, 784, "promises more"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        data_write(folder, "x", bytes, make(bytes, 0x803, cases[i].n, cases[i].bytes));
        assert_int_equal(idx_read(&x, path, 3, &err), -1);
        assert_says(err, cases[i].reason);
    }
    for (size_t n = 0; n < 16; n++) {
        make(bytes, 0x803, 1, 784);
        data_write(folder, "x", bytes, n);
        assert_int_equal(idx_read(&x, path, 3, &err), -1);
    }
    assert_int_equal(idx_read(&x, "build/no-such-file", 3, &err), -1);
    data_folder_remove(folder);
}

static void write_gz(const char *folder, const char *name, const void *bytes, size_t n)
{
    char path[1024];
    data_write(folder, name, "", 0);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    gzFile f = gzopen(path, "wb");
    assert_int_equal(gzwrite(f, bytes, (unsigned)n), n);
    gzclose(f);
}

static void test_dataset(void **state)
{
    unsigned char bytes[784 * 20 + 16];
    char folder[256];
    struct error err = {0};
    struct image scratch = {0};
    struct image_view v;
    (void)state;
    data_folder(folder);
    write_gz(folder, "mnist/train-images-idx3-ubyte.gz", bytes, make(bytes, 0x803, 20, 784 * 20));
    write_gz(folder, "mnist/train-labels-idx1-ubyte.gz", bytes, make(bytes, 0x801, 20, 20));
    struct dataset *d =
        data_open(&err, SPLIT_TRAIN, "data.dataset", "mnist", "data.root", folder, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_count(d), 20);
    assert_int_equal(d->channels, 1);
    assert_int_equal(dataset_label(d, 13), 3);
    assert_int_equal(dataset_read(d, 1, 28, &scratch, &v, &err), 0);
    assert_int_equal(v.data[1], (784 + 1) % 256);
    dataset_close(d);
    data_write(folder, "mnist/train-labels-idx1-ubyte", bytes,
               make(bytes, 0x801, 19, 19)); /* before the .gz */
    assert_null(data_open(&err, SPLIT_TRAIN, "data.dataset", "mnist", "data.root", folder, NULL));
    assert_says(err, "20 images, train-labels-idx1-ubyte has 19 labels");
    assert_null(
        data_open(&err, SPLIT_TRAIN, "data.dataset", "fashion_mnist", "data.root", folder, NULL));
    assert_says(err, "vittm data get fashion_mnist");
    data_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_dataset),
    };
    return cmocka_run_group_tests_name("data/idx", tests, NULL, NULL);
}
