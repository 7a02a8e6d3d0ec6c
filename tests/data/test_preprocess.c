/* Crop geometry against reference tables, the evaluation pipeline exactly, training crops pixel by
 * pixel. */
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
#include "data/dataset.h"
#include "data/geometry.h"
#include "tests/support/golden.h"

static struct preprocess imagenet(void)
{
    struct preprocess p = {.mean = {0.485f, 0.456f, 0.406f},
                           .deviation = {0.229f, 0.224f, 0.225f},
                           .eval_crop_ratio = 0.875,
                           .scale = {0.08, 1},
                           .ratio = {0.75, 4.0 / 3}};
    preprocess_levels(&p);
    return p;
}

static struct image_view view_of(struct golden_tensor t)
{
    return (struct image_view){
        t.data, (int)t.shape[1], (int)t.shape[0], 3, 1, (ptrdiff_t)t.shape[1] * 3, 3};
}

/* ---- reference tables ---- */

static void check_geometry(const struct golden *g)
{
    struct golden_tensor t = golden_get(g, "h_w_S_C_nh_nw_top_left", "I64");
    for (int64_t i = 0; i < t.shape[0]; i++) {
        const int64_t *r = (const int64_t *)t.data + 8 * i;
        int height = (int)r[0], width = (int)r[1];
        if ((height < width ? height : width) != r[2])
            geometry_short_side(height, width, (int)r[2], &height, &width);
        assert_int_equal(height, r[4]);
        assert_int_equal(width, r[5]);
        int top = geometry_center(height, (int)r[3]), left = geometry_center(width, (int)r[3]);
        assert_int_equal(top < 0 ? 0 : top, r[6]); /* the table counts in the padded image */
        assert_int_equal(left < 0 ? 0 : left, r[7]);
    }
}

static void check_rrc(const struct golden *g)
{
    struct golden_tensor size = golden_get(g, "H_W", "I64"),
                         box = golden_get(g, "top_left_h_w_try", "I64");
    const double *share = golden_get(g, "area_frac", "F64").data,
                 *aspect = golden_get(g, "aspect", "F64").data;
    const double *u_top = golden_get(g, "u_top", "F64").data,
                 *u_left = golden_get(g, "u_left", "F64").data;
    int64_t tries = golden_get(g, "u_top", "F64").shape[1];
    for (int64_t i = 0; i < size.shape[0]; i++) {
        int height = (int)((const int64_t *)size.data)[2 * i],
            width = (int)((const int64_t *)size.data)[2 * i + 1];
        struct box b = geometry_rrc_fallback(height, width, 3.0 / 4, 4.0 / 3);
        int64_t found = -1;
        for (int64_t k = 0; k < tries && found < 0; k++) {
            int64_t at = i * tries + k;
            struct box try = {0};
            if (!geometry_rrc_size(height, width, share[at], aspect[at], &try.height, &try.width))
                continue;
            try.top = (int)(u_top[at] * (height - try.height + 1));
            try.left = (int)(u_left[at] * (width - try.width + 1));
            b = try;
            found = k;
        }
        const int64_t *e = (const int64_t *)box.data + 5 * i;
        assert_int_equal(found, e[4]);
        assert_int_equal(b.top, e[0]);
        assert_int_equal(b.left, e[1]);
        assert_int_equal(b.height, e[2]);
        assert_int_equal(b.width, e[3]);
    }
}

static void check_eval(const struct golden *g)
{
    struct golden_tensor crop = golden_get(g, "crop_u8", "U8"),
                         rows = golden_get(g, "norm_rows", "F32");
    int size = (int)crop.shape[0];
    struct preprocess p = imagenet();
    struct preprocess_scratch s = {0};
    struct image_view v = view_of(golden_get(g, "image", "U8"));
    float *out = mem_alloc((size_t)size * (size_t)size * 3 * sizeof *out);
    preprocess_sample(&p, &v, NULL, size, 3, NULL, &s, out, NULL);
    for (int c = 0; c < 3; c++)
        for (int i = 0; i < size * size; i++) {
            float expected = p.eval_level[c][((const unsigned char *)crop.data)[3 * i + c]];
            if (out[c * size * size + i] != expected)
                fail_msg("%s: channel %d pixel %d: %g, expected %g", g->path, c, i,
                         out[c * size * size + i], expected);
        }
    for (int64_t i = 0; i < rows.count; i++) {
        int64_t in_channel = rows.shape[1] * rows.shape[2], c = i / in_channel;
        float got = out[c * size * size + 100 * size + i % in_channel];
        assert_true(fabsf(got - ((const float *)rows.data)[i]) <= 1e-6f);
    }
    free(out);
    preprocess_scratch_release(&s);
}

static void check_crops(const struct golden *g)
{
    static const char *const names[] = {"crop_32", "crop_33", "crop_46", "crop_47",
                                        "crop_64_padded"};
    struct golden_tensor image = golden_get(g, "image", "U8"),
                         norm = golden_get(g, "normalized_chw", "F32");
    struct preprocess p = imagenet();
    int64_t pixels = image.shape[0] * image.shape[1];
    for (int64_t i = 0; i < norm.count; i++) {
        int64_t c = i / pixels;
        unsigned char v = ((const unsigned char *)image.data)[i % pixels * 3 + c];
        float expected = ((const float *)norm.data)[i];
        assert_true(fabsf(p.eval_level[c][v] - expected) <= 1e-6f);
        assert_true(fabsf(p.train_level[c][v] - expected) <= 1e-6f);
    }
    for (size_t k = 0; k < sizeof names / sizeof *names; k++) {
        struct golden_tensor crop = golden_get(g, names[k], "U8");
        int size = (int)crop.shape[0];
        int top = geometry_center((int)image.shape[0], size),
            left = geometry_center((int)image.shape[1], size);
        for (int i = 0; i < size * size * 3; i++) {
            int64_t y = top + i / 3 / size, x = left + i / 3 % size;
            int inside = y >= 0 && x >= 0 && y < image.shape[0] && x < image.shape[1];
            int expected =
                inside ? ((const unsigned char *)image.data)[(y * image.shape[1] + x) * 3 + i % 3]
                       : 0;
            assert_int_equal(((const unsigned char *)crop.data)[i], expected);
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
    assert_int_equal(golden_each(path, "resize_crop_geometry", check_geometry), 1);
    assert_int_equal(golden_each(path, "rrc_params", check_rrc), 1);
    assert_true(golden_each(path, "eval_pipeline_", check_eval) > 0);
    assert_int_equal(golden_each(path, "crop_flip_normalize", check_crops), 1);
}

/* ---- training crops ---- */

#define SIDE 12

/* Every pixel says where it is. */
static struct image_view numbered(struct image *im, int width, int height)
{
    image_resize_buffer(im, width, height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            unsigned char *p = im->rgb + (y * width + x) * 3;
            p[0] = (unsigned char)(1 + x);
            p[1] = (unsigned char)(1 + y);
            p[2] = 77;
        }
    return image_view(im);
}

static struct preprocess plain(enum crop_kind crop, int pad, int flip)
{
    struct preprocess p = {.deviation = {1, 1, 1},
                           .crop = crop,
                           .pad = pad,
                           .flip = flip,
                           .eval_crop_ratio = 1,
                           .scale = {0.08, 1},
                           .ratio = {0.75, 4.0 / 3}};
    preprocess_levels(&p);
    return p;
}

static int value(const float *out, int size, int c, int y, int x)
{
    return (int)lrintf(out[(c * size + y) * size + x] * 255);
}

/* Each shift and both directions occur; pixels are where the shift says, black outside; the mask
 * agrees. */
static void test_pad(void **state)
{
    struct preprocess p = plain(CROP_PAD, 3, 1);
    struct preprocess_scratch s = {0};
    struct image im = {0};
    struct image_view v = numbered(&im, SIDE, SIDE);
    struct image_view mask = {im.rgb, SIDE, SIDE, 1, 0, SIDE * 3, 3}; /* the red channel */
    float out[3 * SIDE * SIDE];
    uint8_t mask_out[SIDE * SIDE];
    int seen[7][7][2] = {{{0}}}, n_seen = 0;
    (void)state;
    for (uint64_t k = 0; k < 2000; k++) {
        struct rng r;
        rng_init(&r, 1, "pad", k, 0);
        preprocess_sample(&p, &v, &mask, SIDE, 3, &r, &s, out, mask_out);
        int y0 = value(out, SIDE, 1, SIDE / 2, SIDE / 2) - 1 - SIDE / 2;
        int mirrored = value(out, SIDE, 0, 6, 5) > value(out, SIDE, 0, 6, 6);
        int x0 = value(out, SIDE, 0, 6, mirrored ? SIDE - 1 - 6 : 6) - 1 - 6;
        assert_in_range(y0 + 3, 0, 6);
        assert_in_range(x0 + 3, 0, 6);
        n_seen += !seen[y0 + 3][x0 + 3][mirrored]++;
        for (int y = 0; y < SIDE; y++)
            for (int x = 0; x < SIDE; x++) {
                int sy = y + y0, sx = (mirrored ? SIDE - 1 - x : x) + x0;
                int inside = sy >= 0 && sy < SIDE && sx >= 0 && sx < SIDE;
                assert_int_equal(value(out, SIDE, 0, y, x), inside ? sx + 1 : 0);
                assert_int_equal(value(out, SIDE, 1, y, x), inside ? sy + 1 : 0);
                assert_int_equal(value(out, SIDE, 2, y, x), inside ? 77 : 0);
                assert_int_equal(mask_out[y * SIDE + x], inside ? sx + 1 : DATASET_IGNORE);
            }
    }
    assert_int_equal(n_seen, 7 * 7 * 2);
    image_release(&im);
    preprocess_scratch_release(&s);
}

/* A wide image is cut to its centre before it is padded: black on the left, not what was cut off.
 */
static void test_pad_wide(void **state)
{
    struct preprocess p = plain(CROP_PAD, 4, 0);
    struct preprocess_scratch s = {0};
    struct image im = {0};
    struct image_view v = numbered(&im, 30, SIDE);
    float out[3 * SIDE * SIDE];
    (void)state;
    for (uint64_t k = 0; k < 200; k++) {
        struct rng r;
        rng_init(&r, 1, "wide", k, 0);
        preprocess_sample(&p, &v, NULL, SIDE, 3, &r, &s, out, NULL);
        for (int i = 0; i < SIDE * SIDE; i++) {
            int x = (int)lrintf(out[i] * 255);
            assert_true(x == 0 || (x >= 10 && x < 10 + SIDE));
        }
    }
    image_release(&im);
    preprocess_scratch_release(&s);
}

static void test_rrc_boxes(void **state)
{
    struct preprocess p = plain(CROP_RRC, 0, 0);
    double sum = 0;
    (void)state;
    for (uint64_t k = 0; k < 4000; k++) {
        struct rng r;
        rng_init(&r, 1, "rrc", k, 0);
        struct box b = preprocess_rrc_box(&p, 375, 500, &r);
        assert_true(b.top >= 0 && b.left >= 0 && b.top + b.height <= 375 &&
                    b.left + b.width <= 500);
        double share = b.height * b.width / (375.0 * 500), aspect = (double)b.width / b.height;
        assert_true(share > 0.079 && share <= 1 && aspect > 0.74 && aspect < 1.35);
        sum += share;
    }
    assert_true(sum / 4000 > 0.40 && sum / 4000 < 0.56);
}

/* Red says the column: after a random resized crop it rises evenly from left to right, or falls. */
static void test_rrc(void **state)
{
    struct preprocess p = plain(CROP_RRC, 0, 1);
    struct preprocess_scratch s = {0};
    struct image im = {0};
    struct image_view v = numbered(&im, 100, 80);
    float out[3 * SIDE * SIDE];
    int mirrored = 0;
    (void)state;
    for (uint64_t k = 0; k < 200; k++) {
        struct rng r;
        rng_init(&r, 2, "rrc", k, 0);
        preprocess_sample(&p, &v, NULL, SIDE, 3, &r, &s, out, NULL);
        mirrored += out[0] > out[1];
        for (int x = 2; x < SIDE - 2; x++)
            assert_true(fabsf((out[x + 1] - out[x]) - (out[x] - out[x - 1])) < 2e-3f);
    }
    assert_in_range(mirrored, 60, 140);
    image_release(&im);
    preprocess_scratch_release(&s);
}

/* One channel: the model may want one or three alike. */
static void test_gray(void **state)
{
    unsigned char gray[SIDE * SIDE];
    struct preprocess p = plain(CROP_NONE, 0, 0);
    struct preprocess_scratch s = {0};
    struct image_view v = {gray, SIDE, SIDE, 1, 0, SIDE, 1};
    float one[SIDE * SIDE], three[3 * SIDE * SIDE];
    (void)state;
    for (int i = 0; i < SIDE * SIDE; i++)
        gray[i] = (unsigned char)i;
    preprocess_sample(&p, &v, NULL, SIDE, 1, NULL, &s, one, NULL);
    preprocess_sample(&p, &v, NULL, SIDE, 3, NULL, &s, three, NULL);
    for (int c = 0; c < 3; c++)
        assert_memory_equal(three + c * SIDE * SIDE, one, sizeof one);
    preprocess_scratch_release(&s);
}

/* A line of pixels becomes large in one direction only. */
static void test_extreme_shapes(void **state)
{
    static const int shapes[][2] = {{1, 1}, {1, 60000}, {60000, 1}, {3, 500}};
    struct preprocess p = imagenet();
    struct preprocess_scratch s = {0};
    float *out = mem_alloc(3 * 224 * 224 * sizeof *out);
    (void)state;
    for (size_t k = 0; k < sizeof shapes / sizeof *shapes; k++)
        for (int crop = CROP_NONE; crop <= CROP_RRC; crop++) {
            struct image im = {0};
            struct rng r;
            image_resize_buffer(&im, shapes[k][0], shapes[k][1]);
            memset(im.rgb, 10, im.capacity);
            struct image_view v = image_view(&im);
            rng_init(&r, 1, "extreme", k, 0);
            p.crop = (enum crop_kind)crop;
            preprocess_sample(&p, &v, NULL, 224, 3, NULL, &s, out, NULL);
            assert_true(out[0] == p.eval_level[0][10]);
            preprocess_sample(&p, &v, NULL, 224, 3, &r, &s, out, NULL);
            image_release(&im);
        }
    free(out);
    preprocess_scratch_release(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_pad),
        cmocka_unit_test(test_pad_wide),
        cmocka_unit_test(test_rrc_boxes),
        cmocka_unit_test(test_rrc),
        cmocka_unit_test(test_gray),
        cmocka_unit_test(test_extreme_shapes),
    };
    return cmocka_run_group_tests_name("data/preprocess", tests, NULL, NULL);
}
