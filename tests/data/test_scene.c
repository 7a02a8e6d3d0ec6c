/* Samples of scenes: sizes, windows, image and mask in step, colours. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/rng.h"
#include "data/dataset.h"
#include "data/photometric.h"
#include "data/resize_taps.h"
#include "data/scene.h"

static void sizes_keep_the_ratio(void **state)
{
    static const int cases[][6] = {
        /* height, width, long, short -> height, width */
        {512, 683, 2048, 512, 512, 683},  {100, 200, 2048, 512, 512, 1024},
        {200, 100, 2048, 512, 1024, 512}, {100, 1000, 2048, 512, 205, 2048},
        {3, 1000, 100, 100, 1, 100},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        int height, width;
        resize_fit(cases[i][0], cases[i][1], cases[i][2], cases[i][3], &height, &width);
        assert_int_equal(height, cases[i][4]);
        assert_int_equal(width, cases[i][5]);
    }
}

static struct image_view plane(const unsigned char *data, int width, int height, int channels)
{
    return (struct image_view){data, width, height, channels, 1, width * channels, channels};
}

static void same_size_is_the_same_image(void **state)
{
    unsigned char in[7 * 5 * 3], out[7 * 5 * 3];
    (void)state;
    for (size_t i = 0; i < sizeof in; i++)
        in[i] = (unsigned char)(i * 37 % 256);
    struct image_view v = plane(in, 7, 5, 3);
    resize_linear(&v, 7, 5, out);
    assert_memory_equal(in, out, sizeof in);
    v = plane(in, 7, 5, 1);
    resize_nearest(&v, 7, 5, out);
    assert_memory_equal(in, out, 7 * 5);
}

static void a_window_is_mixed(void **state)
{
    unsigned char labels[8] = {1, 1, 1, 1, 1, 1, 2, DATASET_IGNORE};
    struct image_view v = plane(labels, 8, 1, 1);
    (void)state;
    assert_false(scene_is_mixed(&v, 0.75)); /* 6 of 7 labelled */
    assert_true(scene_is_mixed(&v, 0.9));
    labels[6] = DATASET_IGNORE;
    assert_false(scene_is_mixed(&v, 1)); /* one class */
    memset(labels, DATASET_IGNORE, 8);
    assert_false(scene_is_mixed(&v, 1));
}

enum { WIDTH = 40, HEIGHT = 30 };

/* An image whose three channels are its labels, so that any shift between both shows. */
static void fill(unsigned char *rgb, unsigned char *labels)
{
    for (int i = 0; i < WIDTH * HEIGHT; i++) {
        labels[i] = (unsigned char)(i / WIDTH / 10 * 4 + i % WIDTH / 10);
        memset(rgb + 3 * i, 20 * labels[i], 3);
    }
}

static void image_and_mask_stay_in_step(void **state)
{
    static unsigned char rgb[WIDTH * HEIGHT * 3], labels[WIDTH * HEIGHT];
    struct scene_options o = {
        .ratio = {0.5, 2}, .long_side = 80, .short_side = 30, .max_share = 0.75, .flip = 1};
    struct scene_scratch s = {0};
    int mirrored = 0, short_windows = 0;
    (void)state;
    fill(rgb, labels);
    struct image_view image = plane(rgb, WIDTH, HEIGHT, 3), mask = plane(labels, WIDTH, HEIGHT, 1);
    for (uint64_t i = 0; i < 40; i++) {
        struct rng r;
        int off = 0;
        rng_init(&r, 1, "scene", i, 0);
        struct scene_window w = scene_cut(&o, &image, &mask, 24, &r, &s);
        assert_true(w.width <= 24 && w.height <= 24 && w.channels == 3);
        short_windows += w.height < 24;
        for (int p = 0; p < w.width * w.height; p++)
            off += s.window.rgb[3 * p] != 20 * s.labels.rgb[p];
        assert_true(off < w.width * w.height / 3); /* borders are blended, and nothing else */
        mirrored += s.labels.rgb[0] % 4 > s.labels.rgb[w.width - 1] % 4;
    }
    assert_in_range(mirrored, 8, 32);
    assert_true(short_windows > 0);
    scene_scratch_release(&s);
}

static void draws_depend_on_the_generator_alone(void **state)
{
    static unsigned char rgb[WIDTH * HEIGHT * 3], labels[WIDTH * HEIGHT];
    struct scene_options o = {.ratio = {0.5, 2},
                              .long_side = 80,
                              .short_side = 30,
                              .max_share = 0.75,
                              .flip = 1,
                              .photometric = 1};
    struct scene_scratch a = {0}, b = {0};
    struct rng r, other;
    (void)state;
    fill(rgb, labels);
    struct image_view image = plane(rgb, WIDTH, HEIGHT, 3), mask = plane(labels, WIDTH, HEIGHT, 1);
    rng_init(&r, 1, "scene", 9, 0);
    scene_cut(&o, &image, &mask, 24, &r, &b); /* other leftovers in the scratch */
    for (uint64_t i = 0; i < 5; i++) {
        rng_init(&r, 1, "scene", i, 0);
        other = r;
        struct scene_window w = scene_cut(&o, &image, &mask, 24, &r, &a);
        scene_cut(&o, &image, &mask, 24, &other, &b);
        assert_memory_equal(a.window.rgb, b.window.rgb, (size_t)(w.width * w.height * 3));
        assert_memory_equal(a.labels.rgb, b.labels.rgb, (size_t)(w.width * w.height));
    }
    scene_scratch_release(&a);
    scene_scratch_release(&b);
}

static void colours_there_and_back(void **state)
{
    static const unsigned char known[][6] = {{255, 0, 0, 0, 255, 255},
                                             {0, 255, 0, 60, 255, 255},
                                             {0, 0, 255, 120, 255, 255},
                                             {7, 7, 7, 0, 0, 7},
                                             {0, 0, 0, 0, 0, 0}};
    unsigned char hsv[3], rgb[3];
    (void)state;
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        photometric_to_hsv(known[i], hsv);
        assert_memory_equal(hsv, known[i] + 3, 3);
        photometric_to_rgb(hsv, rgb);
        assert_memory_equal(rgb, known[i], 3);
    }
    for (int shift = -18; shift < 18; shift++) { /* gray has no hue */
        unsigned char gray[3] = {90, 90, 90};
        photometric_hue(gray, 1, shift);
        assert_int_equal(gray[0], 90);
        assert_int_equal(gray[2], 90);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sizes_keep_the_ratio),
        cmocka_unit_test(same_size_is_the_same_image),
        cmocka_unit_test(a_window_is_mixed),
        cmocka_unit_test(image_and_mask_stay_in_step),
        cmocka_unit_test(draws_depend_on_the_generator_alone),
        cmocka_unit_test(colours_there_and_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
