/* The built-in data set: labels, masks, sizes, and that it is the same everywhere. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/file.h"
#include "data/codec.h"
#include "data/shapes.h"
#include "tests/support/data.h"

#define SIZE 48

/* The class of the label covers more of the mask than any other. */
static void test_masks_agree_with_labels(void **state)
{
    unsigned char mask[SIZE * SIZE];
    int classes[SHAPES_CLASSES] = {0};
    (void)state;
    for (int64_t i = 0; i < 2000; i++) {
        int area[SHAPES_CLASSES + 1] = {0}, label = shapes_draw(SPLIT_VAL, i, SIZE, NULL, mask);
        for (int p = 0; p < SIZE * SIZE; p++) {
            assert_in_range(mask[p], 0, SHAPES_CLASSES);
            area[mask[p]]++;
        }
        for (int k = 1; k <= SHAPES_CLASSES; k++)
            if (k != 1 + label && area[k] >= area[1 + label])
                fail_msg("image %lld: class %d covers %d pixels, its label %d only %d",
                         (long long)i, k - 1, area[k], label, area[1 + label]);
        classes[label]++;
    }
    for (int k = 0; k < SHAPES_CLASSES; k++)
        assert_in_range(classes[k], 140, 260);
}

/* The same scene at another size: masks agree but for the edges. */
static void test_any_size(void **state)
{
    static unsigned char small[SIZE * SIZE], large[4 * SIZE * SIZE];
    (void)state;
    for (int64_t i = 0; i < 50; i++) {
        int differ = 0;
        assert_int_equal(shapes_draw(SPLIT_TRAIN, i, SIZE, NULL, small),
                         shapes_draw(SPLIT_TRAIN, i, 2 * SIZE, NULL, large));
        for (int y = 0; y < SIZE; y++)
            for (int x = 0; x < SIZE; x++)
                differ += small[y * SIZE + x] != large[2 * y * 2 * SIZE + 2 * x];
        assert_true(differ < SIZE * SIZE / 10);
    }
}

static void test_pure(void **state)
{
    unsigned char a[32 * 32 * 3], b[32 * 32 * 3], mask[32 * 32];
    (void)state;
    for (int64_t i = 0; i < 20; i++) {
        int with = shapes_draw(SPLIT_TRAIN, i, 32, a, mask),
            without = shapes_draw(SPLIT_TRAIN, i, 32, b, NULL);
        assert_int_equal(with, without);
        assert_memory_equal(a, b, sizeof a);
        shapes_draw(SPLIT_VAL, i, 32, b, NULL);
        assert_memory_not_equal(a, b, sizeof a);
    }
}

static void test_dataset(void **state)
{
    struct error err = {0};
    struct image scratch = {0};
    struct image_view v;
    char whole[65], part[65];
    (void)state;
    struct dataset *d = data_open(&err, SPLIT_TRAIN, "data.dataset", "shapes", NULL);
    if (!d)
        fail_msg("%s", err.msg);
    assert_int_equal(dataset_count(d), 50000);
    assert_int_equal(dataset_classes(d), 10);
    assert_string_equal(dataset_class_name(d, 1), "ring");
    assert_true(dataset_has_masks(d));
    assert_int_equal(dataset_mask_classes(d), 11);
    assert_int_equal(dataset_read(d, 49999, 20, &scratch, &v, &err), 0);
    assert_int_equal(v.width, 20);
    assert_int_equal(dataset_hash(d, whole, &err), 0);
    dataset_close(d);
    d = data_open(&err, SPLIT_VAL, "data.dataset", "shapes", "data.val_size", "100", NULL);
    assert_int_equal(dataset_count(d), 100);
    assert_int_equal(dataset_hash(d, part, &err), 0);
    assert_string_not_equal(whole, part);
    dataset_close(d);
    d = data_open(&err, SPLIT_TRAIN, "data.dataset", "shapes", "data.train_size", "70000", NULL);
    assert_int_equal(dataset_count(d), 70000); /* there is no end of them */
    dataset_close(d);
    image_release(&scratch);
}

/* A picture of them for people: build/shapes.png, a row a class, the last four with their masks. */
static void test_contact_sheet(void **state)
{
    enum { SIDE = 96, COLUMNS = 12, GAP = 2, STEP = SIDE + GAP };
    static unsigned char rgb[SIDE * SIDE * 3], mask[SIDE * SIDE];
    struct image sheet = {0};
    struct error err = {0};
    (void)state;
    image_resize_buffer(&sheet, COLUMNS * STEP + GAP, SHAPES_CLASSES * STEP + GAP);
    memset(sheet.rgb, 255, (size_t)sheet.width * (size_t)sheet.height * 3);
    for (int k = 0; k < SHAPES_CLASSES; k++) {
        int64_t next = 0;
        for (int column = 0; column < COLUMNS; column++, next++) {
            while (shapes_draw(SPLIT_TRAIN, next, 1, NULL, NULL) != k)
                next++;
            shapes_draw(SPLIT_TRAIN, next, SIDE, rgb, mask);
            for (int p = 0; p < SIDE * SIDE; p++)
                for (int c = 0; c < 3 && column >= COLUMNS - 4; c++)
                    rgb[3 * p + c] =
                        (unsigned char)(mask[p] ? 60 + (mask[p] * (67 + 50 * c)) % 196 : 20);
            for (int y = 0; y < SIDE; y++)
                memcpy(sheet.rgb + ((GAP + k * STEP + y) * sheet.width + GAP + column * STEP) * 3,
                       rgb + y * SIDE * 3, SIDE * 3);
        }
    }
    struct image_view v = image_view(&sheet);
    assert_int_equal(file_make_folder("build", &err), 0);
    assert_int_equal(codec_write_png("build/shapes.png", &v, &err), 0);
    image_release(&sheet);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_masks_agree_with_labels),
        cmocka_unit_test(test_any_size),
        cmocka_unit_test(test_pure),
        cmocka_unit_test(test_dataset),
        cmocka_unit_test(test_contact_sheet),
    };
    return cmocka_run_group_tests_name("data/shapes", tests, NULL, NULL);
}
