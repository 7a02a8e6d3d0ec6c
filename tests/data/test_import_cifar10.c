/* The JPEG copy of CIFAR-10 becomes the known binary files, bit for bit: 60,000 images through the
 * decoder. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "data/import.h"
#include "data/loader.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

static void test_import(void **state)
{
    char archive[4096], folder[256], where[4096];
    struct error err = {0};
    (void)state;
    if (!golden_path("data/cifar10.tar.xz", archive, sizeof archive)) {
        print_message("no data/cifar10.tar.xz here\n");
        skip();
    }
    struct import_request q = {.name = "cifar10", .from = archive, .folder = data_folder(folder)};
    if (import_get(&q, where, sizeof where, &err)) /* it compares the checksums */
        fail_msg("%s", err.msg);
    struct dataset *d = data_open(&err, SPLIT_VAL, "data.root", folder, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    int per_class[10] = {0};
    for (int64_t i = 0; i < dataset_count(d); i++)
        per_class[dataset_label(d, i)]++;
    for (int k = 0; k < 10; k++)
        assert_int_equal(per_class[k], 1000);
    struct loader *l;
    struct loader_options o = {.batch = 1000, .image_size = 32, .threads = 1};
    double sum[3] = {0}, squares[3] = {0};
    assert_int_equal(loader_open(&l, d, &o, &err), 0);
    for (const struct batch *b; (b = loader_next(l, &err));)
        for (int64_t i = 0; i < (int64_t)b->count * 3 * 1024; i++) {
            int c = (int)(i / 1024 % 3);
            sum[c] += b->images[i];
            squares[c] += (double)b->images[i] * b->images[i];
        }
    for (int c = 0; c < 3; c++) { /* normalised: mean near 0, deviation near 1 */
        double mean = sum[c] / 1024e4, variance = squares[c] / 1024e4 - mean * mean;
        assert_true(mean > -0.05 && mean < 0.05 && variance > 0.9 && variance < 1.1);
    }
    loader_close(l);
    dataset_close(d);
    data_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_import)};
    return cmocka_run_group_tests_name("data/import_cifar10", tests, NULL, NULL);
}
