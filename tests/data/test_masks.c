/* Image and mask pairs: ADE20K, folders of one's own, what is wrong with a mask. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>
#include <png.h>

#include "data/ade20k.h"
#include "data/loader.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

#define assert_says(err, part)                                                                     \
    do {                                                                                           \
        if (!strstr((err).msg, part))                                                              \
            fail_msg("expected \"%s\" in: %s", part, (err).msg);                                   \
    } while (0)

/* A PNG of any format of libpng's simplified interface. */
static void write_as(const char *folder, const char *name, unsigned format, int width, int height,
                     const void *samples, const void *colors, unsigned n_colors)
{
    char path[1024];
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)width,
                       .height = (png_uint_32)height,
                       .format = format,
                       .colormap_entries = n_colors};
    data_write(folder, name, "", 0);
    snprintf(path, sizeof path, "%s/%s", folder, name);
    assert_true(png_image_write_to_file(&image, path, 0, samples, 0, colors));
}

static void write_mask(const char *folder, const char *name, int width, int height,
                       const unsigned char *labels)
{
    write_as(folder, name, PNG_FORMAT_GRAY, width, height, labels, NULL, 0);
}

static const unsigned char labels[12] = {0, 1, 2, 3, 150, 255, 7, 7, 7, 7, 7, 7};

/* Three images of 4 x 3 with a mask each. */
static void make_set(char folder[256])
{
    data_folder(folder);
    for (int i = 0; i < 3; i++) {
        char name[64];
        snprintf(name, sizeof name, "images/validation/%d.jpg", i); /* the content is PNG */
        data_write_png(folder, name, 4, 3, 50 * i);
        snprintf(name, sizeof name, "annotations/validation/%d.png", i);
        write_mask(folder, name, 4, 3, labels);
    }
}

static struct dataset *open_set(const char *kind, const char *folder, const char *classes,
                                const char *zero)
{
    struct error err = {0};
    struct dataset *d =
        classes ? data_open(&err, SPLIT_VAL, "data.dataset", kind, "data.root", folder,
                            "data.mask_classes", classes, "data.mask_zero", zero, NULL)
                : data_open(&err, SPLIT_VAL, "data.dataset", kind, "data.root", folder, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    return d;
}

static void test_ade20k(void **state)
{
    char folder[256];
    struct image scratch = {0};
    struct image_view v;
    struct error err = {0};
    static const unsigned char want[12] = {255, 0, 1, 2, 149, 255, 6, 6, 6, 6, 6, 6};
    (void)state;
    make_set(folder);
    struct dataset *d = open_set("ade20k", folder, NULL, NULL);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_classes(d), 0);
    assert_int_equal(dataset_mask_classes(d), 150);
    assert_false(dataset_has_labels(d));
    assert_true(dataset_has_masks(d));
    assert_int_equal(dataset_label(d, 2), 0);
    assert_string_equal(dataset_class_name(d, 0), "wall");
    assert_string_equal(dataset_class_name(d, 149), "flag");
    assert_int_equal(dataset_read_mask(d, 1, 8, &scratch, &v, &err), 0);
    assert_int_equal(v.width, 4);
    assert_int_equal(v.height, 3);
    assert_memory_equal(v.data, want, sizeof want);
    image_release(&scratch);
    dataset_close(d);
    data_folder_remove(folder);
}

static void test_own_folder(void **state)
{
    char folder[256];
    struct image scratch = {0};
    struct image_view v;
    struct error err = {0};
    (void)state;
    make_set(folder);
    struct dataset *d = open_set("mask_folder", folder, "151", "class");
    assert_int_equal(dataset_mask_classes(d), 151);
    assert_string_equal(dataset_class_name(d, 150), "150");
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), 0);
    assert_memory_equal(v.data, labels, sizeof labels);
    dataset_close(d);
    d = open_set("mask_folder", folder, "149", "ignore");
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), -1);
    assert_says(err, "0.png: label 150 at row 1, column 0 (data.mask_classes has 1 to 149, 0 and "
                     "255 for none)");
    dataset_close(d);
    image_release(&scratch);
    data_folder_remove(folder);
}

/* Sizes, depths, palettes, values: each named with its file. */
static void test_refusals(void **state)
{
    static const unsigned short deep[12] = {0};
    static const unsigned char colors[3 * 2] = {0, 0, 0, 9, 9, 9}, indices[12] = {1},
                                          high[12] = {151};
    static const char name[] = "annotations/validation/0.png";
    char folder[256];
    struct image scratch = {0};
    struct image_view v;
    struct error err = {0};
    (void)state;
    make_set(folder);
    struct dataset *d = open_set("ade20k", folder, NULL, NULL);
    write_as(folder, name, PNG_FORMAT_LINEAR_Y, 4, 3, deep, NULL, 0);
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), -1);
    assert_says(err, "validation/0.png: labels need one 8-bit channel (this has 1 of 16 bits)");
    write_as(folder, name, PNG_FORMAT_RGB_COLORMAP, 4, 3, indices, colors, 2);
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), -1);
    assert_says(err, "validation/0.png: labels need");
    data_write_png(folder, name, 4, 3, 1);
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), -1);
    assert_says(err, "validation/0.png: labels need one 8-bit channel (this has 3 of 8 bits)");
    write_mask(folder, name, 4, 3, high);
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), -1);
    assert_says(err, "validation/0.png: label 151 at row 0, column 0 (ADE20K has 1 to 150");
    write_mask(folder, name, 3, 4, labels);
    struct loader *l;
    struct loader_options o = {.batch = 2, .image_size = 4, .masks = 1};
    assert_int_equal(loader_open(&l, d, &o, &err), 0);
    assert_null(loader_next(l, &err));
    assert_says(err, "validation/0.png: a mask of 3 x 4 pixels for an image of 4 x 3");
    loader_close(l);
    image_release(&scratch);
    dataset_close(d);
    data_folder_remove(folder);
}

static void test_missing_mask(void **state)
{
    char folder[256];
    struct error err = {0};
    (void)state;
    make_set(folder);
    data_write_png(folder, "images/validation/x.png", 4, 3, 0);
    assert_null(data_open(&err, SPLIT_VAL, "data.dataset", "ade20k", "data.root", folder, NULL));
    assert_says(err, "validation/x.png: its mask");
    assert_null(data_open(&err, SPLIT_TRAIN, "data.dataset", "ade20k", "data.root", folder, NULL));
    assert_says(err, "images/training: no such folder");
    data_folder_remove(folder);
}

/* Three real pairs: every count of a class as their README lists it. */
static void test_real_pairs(void **state)
{
    char path[4096];
    struct image scratch = {0};
    struct image_view v;
    struct error err = {0};
    int count[256] = {0};
    (void)state;
    if (!golden_path("data/ade-mini", path, sizeof path)) {
        print_message("no data/ade-mini here\n");
        skip();
    }
    struct dataset *d = open_set("ade20k", path, NULL, NULL);
    assert_int_equal(dataset_count(d), 3);
    assert_int_equal(dataset_read_mask(d, 0, 8, &scratch, &v, &err), 0);
    assert_int_equal(v.width, 683);
    assert_int_equal(v.height, 512);
    for (int i = 0; i < 683 * 512; i++)
        count[v.data[i]]++;
    assert_int_equal(count[DATASET_IGNORE], 3613);
    assert_int_equal(count[0], 14538);
    assert_int_equal(count[17], 10009);
    struct loader *l;
    struct loader_options o = {.batch = 3, .image_size = 64, .masks = 1};
    assert_int_equal(loader_open(&l, d, &o, &err), 0);
    const struct batch *b = loader_next(l, &err);
    if (!b)
        fail_msg("%s", err.msg);
    for (int i = 0; i < 3 * 64 * 64; i++)
        assert_true(b->masks[i] < 150 || b->masks[i] == DATASET_IGNORE);
    loader_close(l);
    image_release(&scratch);
    dataset_close(d);
}

static void test_bad_label(void **state)
{
    char path[4096];
    struct image im = {0};
    struct error err = {0};
    (void)state;
    if (!golden_path("data/bad/21_label_out_of_range.png", path, sizeof path)) {
        print_message("no data/bad here\n");
        skip();
    }
    assert_int_equal(mask_read(path, &ade20k_rule, &im, &err), -1);
    assert_says(err, "label 200");
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ade20k),     cmocka_unit_test(test_own_folder),
        cmocka_unit_test(test_refusals),   cmocka_unit_test(test_missing_mask),
        cmocka_unit_test(test_real_pairs), cmocka_unit_test(test_bad_label),
    };
    return cmocka_run_group_tests_name("data/masks", tests, NULL, NULL);
}
