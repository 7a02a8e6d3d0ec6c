/* Resampling against Pillow (exact) and float32 tensors (5e-6), and its properties. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/resize.h"
#include "tests/support/golden.h"

static struct image_view view_of(struct golden_tensor t)
{
    int channels = t.rank == 3 ? (int)t.shape[2] : 1;
    return (struct image_view){
        t.data,  (int)t.shape[1], (int)t.shape[0], channels, 1, (ptrdiff_t)t.shape[1] * channels,
        channels};
}

static void check_pillow(const struct golden *g, const char *name, struct golden_tensor expected,
                         enum resize_filter filter)
{
    struct golden_tensor image = golden_get(g, "image", "U8");
    struct image_view v = view_of(image);
    int height = (int)expected.shape[0], width = (int)expected.shape[1];
    unsigned char *out = mem_alloc(expected.bytes);
    resize_u8(&v, width, height, (struct box){0, 0, height, width}, filter, out);
    if (memcmp(out, expected.data, expected.bytes))
        fail_msg("%s: %s differs", g->path, name);
    free(out);
}

static void check_pillow_file(const struct golden *g)
{
    const char *name;
    json_t *entry;
    int n = 0;
    json_object_foreach(g->header, name, entry)
    {
        const char *filter = json_string_value(json_object_get(g->parameters, "filter"));
        int is_bicubic = strstr(filter ? filter : name, "bicubic") != NULL;
        if (!strchr(name, 'x') || !strcmp(name, "image"))
            continue;
        check_pillow(g, name, golden_get(g, name, "U8"),
                     is_bicubic ? RESIZE_BICUBIC : RESIZE_BILINEAR);
        n++;
    }
    assert_true(n > 0);
}

static void check_tensor(const struct golden *g)
{
    struct golden_tensor image = golden_get(g, "image_u8", "U8");
    json_t *boxes = json_object_get(g->parameters, "boxes"), *entry;
    struct image_view v = view_of(image);
    size_t i;
    if (image.shape[0] == 3) /* CHW */
        v = (struct image_view){image.data,
                                (int)image.shape[2],
                                (int)image.shape[1],
                                3,
                                (ptrdiff_t)(image.shape[1] * image.shape[2]),
                                (ptrdiff_t)image.shape[2],
                                1};
    json_array_foreach(boxes, i, entry)
    {
        static const char *const kinds[] = {
            [RESIZE_BILINEAR] = "bilinear_aa", [RESIZE_BICUBIC] = "bicubic_aa"};
        struct box b = {(int)json_integer_value(json_object_get(entry, "top")),
                        (int)json_integer_value(json_object_get(entry, "left")),
                        (int)json_integer_value(json_object_get(entry, "h")),
                        (int)json_integer_value(json_object_get(entry, "w"))};
        int size = (int)json_integer_value(json_object_get(entry, "size"));
        for (int k = 0; k < 2; k++) {
            char name[64];
            snprintf(name, sizeof name, "box%zu.%s", i, kinds[k]);
            struct golden_tensor t = golden_get(g, name, "F32");
            float *rows = mem_alloc(resize_float_rows(b, size, 3) * sizeof *rows);
            float *out = mem_alloc(t.bytes);
            resize_float(&v, b, size, (enum resize_filter)k, rows, out);
            for (int64_t at = 0; at < t.count; at++) {
                int64_t plane = (int64_t)size * size;
                float expected = ((const float *)t.data)[at],
                      got = out[at % plane * 3 + at / plane];
                if (fabsf(expected - got) > 5e-6f)
                    fail_msg("%s at %lld: %.8g, expected %.8g", name, (long long)at, got, expected);
            }
            free(rows);
            free(out);
        }
    }
}

static void test_golden(void **state)
{
    char path[4096];
    (void)state;
    if (!golden_path("golden/data", path, sizeof path)) {
        print_message("no golden/data here\n");
        skip();
    }
    assert_true(golden_each(path, "pil_resize_", check_pillow_file) > 0);
    assert_int_equal(golden_each(path, "rrc_tensor", check_tensor), 1);
}

static void random_image(struct image *im, int width, int height)
{
    struct rng r;
    rng_init(&r, 1, "test image", (uint64_t)width, (uint64_t)height);
    image_resize_buffer(im, width, height);
    for (int i = 0; i < width * height * 3; i++)
        im->rgb[i] = (unsigned char)rng_below(&r, 256);
}

static void test_same_size_is_a_copy(void **state)
{
    struct image im = {0};
    unsigned char out[13 * 9 * 3];
    (void)state;
    random_image(&im, 13, 9);
    struct image_view v = image_view(&im);
    for (int f = 0; f < 2; f++) {
        resize_u8(&v, 13, 9, (struct box){0, 0, 9, 13}, (enum resize_filter)f, out);
        assert_memory_equal(out, im.rgb, sizeof out);
    }
    image_release(&im);
}

/* A window is a cut-out of the whole, to the bit, at every position. */
static void test_window(void **state)
{
    struct image im = {0};
    unsigned char whole[20 * 31 * 3], part[7 * 6 * 3];
    (void)state;
    random_image(&im, 50, 27);
    struct image_view v = image_view(&im);
    resize_u8(&v, 31, 20, (struct box){0, 0, 20, 31}, RESIZE_BICUBIC, whole);
    for (int top = 0; top <= 20 - 7; top++)
        for (int left = 0; left <= 31 - 6; left += 5) {
            resize_u8(&v, 31, 20, (struct box){top, left, 7, 6}, RESIZE_BICUBIC, part);
            for (int y = 0; y < 7; y++)
                assert_memory_equal(part + y * 18, whole + ((top + y) * 31 + left) * 3, 18);
        }
    image_release(&im);
}

/* Planes and interleaved samples give the same. */
static void test_planar(void **state)
{
    struct image im = {0};
    unsigned char planes[3][17 * 23], a[11 * 8 * 3], b[11 * 8 * 3];
    (void)state;
    random_image(&im, 23, 17);
    for (int i = 0; i < 17 * 23; i++)
        for (int c = 0; c < 3; c++)
            planes[c][i] = im.rgb[3 * i + c];
    struct image_view v = image_view(&im), p = {planes[0], 23, 17, 3, 17 * 23, 23, 1};
    resize_u8(&v, 11, 8, (struct box){0, 0, 8, 11}, RESIZE_BICUBIC, a);
    resize_u8(&p, 11, 8, (struct box){0, 0, 8, 11}, RESIZE_BICUBIC, b);
    assert_memory_equal(a, b, sizeof a);
    image_release(&im);
}

/* Each channel is resampled as if it were alone: vectors of pixels, whatever they hold, count the
 * same. */
static void test_channels(void **state)
{
    static const int sizes[][2] = {{9, 9}, {1, 1}, {41, 30}, {23, 8}, {5, 64}};
    struct image im = {0};
    (void)state;
    random_image(&im, 92, 19); /* as 92 x 19 x 3 or 69 x 19 x 4 */
    for (int channels = 2; channels <= 4; channels++)
        for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
            int width = 92 * 3 / channels, w = sizes[i][0], h = sizes[i][1];
            struct image_view all = {im.rgb, width, 19, channels, 1, 92 * 3, channels}, one = all;
            unsigned char *a = mem_alloc((size_t)(w * h * channels)),
                          *b = mem_alloc((size_t)(w * h));
            resize_u8(&all, w, h, (struct box){0, 0, h, w}, RESIZE_BICUBIC, a);
            one.channels = 1;
            for (int c = 0; c < channels; c++) {
                one.data = im.rgb + c;
                resize_u8(&one, w, h, (struct box){0, 0, h, w}, RESIZE_BICUBIC, b);
                for (int k = 0; k < w * h; k++)
                    if (a[k * channels + c] != b[k])
                        fail_msg("%d channels to %d x %d: channel %d at %d", channels, w, h, c, k);
            }
            free(a);
            free(b);
        }
    image_release(&im);
}

static void test_constant_stays(void **state)
{
    struct image im = {0};
    float *rows, out[9 * 9 * 3];
    (void)state;
    image_resize_buffer(&im, 40, 30);
    memset(im.rgb, 200, 40 * 30 * 3);
    struct image_view v = image_view(&im);
    struct box b = {3, 5, 20, 31};
    rows = mem_alloc(resize_float_rows(b, 9, 3) * sizeof *rows);
    resize_float(&v, b, 9, RESIZE_BILINEAR, rows, out);
    for (int i = 0; i < 9 * 9 * 3; i++)
        assert_true(fabsf(out[i] - 200 / 255.0f) < 1e-6f);
    free(rows);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),         cmocka_unit_test(test_same_size_is_a_copy),
        cmocka_unit_test(test_window),         cmocka_unit_test(test_planar),
        cmocka_unit_test(test_constant_stays), cmocka_unit_test(test_channels),
    };
    return cmocka_run_group_tests_name("data/resize", tests, NULL, NULL);
}
