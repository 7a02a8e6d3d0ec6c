/* Augmentation of colours and shapes within the training pipeline: its place, its arithmetic, its
 * randomness. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/memory.h"
#include "base/rng.h"
#include "data/augment.h"
#include "data/geometry.h"
#include "data/loader.h"
#include "tests/support/data.h"

#define SIZE   24
#define PIXELS (SIZE * SIZE)

/* A noisy photo with all levels. */
static void make_photo(struct image *im, int width, int height)
{
    struct rng r;
    rng_init(&r, 3, "photo", 0, 0);
    image_resize_buffer(im, width, height);
    for (int i = 0; i < width * height * 3; i++)
        im->rgb[i] = (unsigned char)((i / 3 % width) * 4 + rng_u32(&r) % 90);
}

static struct dataset *open_with(const char *policy, const char *flavour, const char *crop)
{
    struct error err = {0};
    int is_rand = !strcmp(policy, "rand");
    struct dataset *d = data_open(
        &err, SPLIT_TRAIN, "data.dataset", "shapes", "data.train_size", "90", "data.augment.crop",
        crop, "data.augment.policy", policy, is_rand ? "data.augment.rand.flavour" : NULL, flavour,
        "data.augment.rand.magnitude", "20", "data.augment.rand.ops", "3", NULL);
    if (!d)
        fail_msg("%s", err.msg);
    return d;
}

/* The crop and its mirror image, in 0 to 1, as the pipeline has it before augmentation; r goes on
 * after it. */
static void crop_and_flip(const struct dataset *d, const struct image_view *v, int is_bytes,
                          struct rng *r, float out[3 * PIXELS])
{
    struct box b = preprocess_rrc_box(&d->preprocess, v->height, v->width, r);
    struct image_view part = *v;
    part.data += b.top * v->step_y + b.left * v->step_x;
    part.height = b.height;
    part.width = b.width;
    int mirrored = d->preprocess.flip && rng_u32(r) >> 31;
    float *rows = mem_alloc(resize_float_rows(b, SIZE, 3) * sizeof *rows), mixed[3 * PIXELS];
    unsigned char bytes[3 * PIXELS];
    resize_float(v, b, SIZE, RESIZE_BILINEAR, rows, mixed);
    resize_u8(&part, SIZE, SIZE, (struct box){0, 0, SIZE, SIZE}, RESIZE_BILINEAR, bytes);
    for (int i = 0; i < 3 * PIXELS; i++) {
        int c = i % 3, x = i / 3 % SIZE, y = i / 3 / SIZE;
        out[c * PIXELS + y * SIZE + (mirrored ? SIZE - 1 - x : x)] =
            is_bytes ? (float)bytes[i] * (float)(1.0 / 255) : mixed[i];
    }
    free(rows);
}

static void check_order(const char *policy, const char *flavour, int which)
{
    struct dataset *d = open_with(policy, flavour, "rrc");
    struct preprocess_scratch s = {0};
    struct image photo = {0};
    float got[3 * PIXELS], want[3 * PIXELS], scratch[3 * PIXELS];
    make_photo(&photo, 57, 41);
    struct image_view v = image_view(&photo);
    for (uint64_t sample = 0; sample < 40; sample++) {
        struct rng a, b;
        struct augment_image im = {want, scratch, 3, SIZE, SIZE};
        rng_init(&a, 1, "order", 0, sample);
        b = a;
        preprocess_sample(&d->preprocess, &v, NULL, SIZE, 3, &a, &s, got, NULL);
        crop_and_flip(d, &v, which > 0, &b, want);
        if (which < 0)
            augment_three(&im, &b);
        else
            augment_rand(&im, augment_flavour_at(which), 3, 20, &b);
        for (int i = 0; i < 3 * PIXELS; i++) {
            int c = i / PIXELS;
            float w = (want[i] - d->preprocess.mean[c]) / d->preprocess.deviation[c];
            if (got[i] != w)
                fail_msg("%s %s: sample %d, value %d is %.9g, not %.9g", policy, flavour,
                         (int)sample, i, got[i], w);
        }
        assert_memory_equal(&a, &b, sizeof a); /* nothing more was drawn */
    }
    image_release(&photo);
    preprocess_scratch_release(&s);
    dataset_close(d);
}

/* Crop, mirror, operations, normalisation: with every flavour. */
static void test_order(void **state)
{
    (void)state;
    check_order("rand", "tensor-float", 0);
    check_order("rand", "tensor-u8", 1);
    check_order("rand", "pil", 2);
    check_order("three", "", -1);
}

/* Evaluation never augments; other crops do. */
static void test_where(void **state)
{
    static const char *const crops[] = {"none", "pad", "rrc"};
    (void)state;
    for (int i = 0; i < 3; i++) {
        struct dataset *plain = open_with("none", "", crops[i]),
                       *rand = open_with("rand", "tensor-float", crops[i]);
        struct preprocess_scratch s = {0};
        struct image photo = {0};
        float a[3 * PIXELS], b[3 * PIXELS];
        make_photo(&photo, SIZE, SIZE);
        struct image_view v = image_view(&photo);
        preprocess_sample(&plain->preprocess, &v, NULL, SIZE, 3, NULL, &s, a, NULL);
        preprocess_sample(&rand->preprocess, &v, NULL, SIZE, 3, NULL, &s, b, NULL);
        assert_memory_equal(a, b, sizeof a);
        struct rng r, q;
        rng_init(&r, 1, "where", 0, 1);
        q = r;
        preprocess_sample(&plain->preprocess, &v, NULL, SIZE, 3, &r, &s, a, NULL);
        preprocess_sample(&rand->preprocess, &v, NULL, SIZE, 3, &q, &s, b, NULL);
        assert_memory_not_equal(a, b, sizeof a);
        image_release(&photo);
        preprocess_scratch_release(&s);
        dataset_close(plain);
        dataset_close(rand);
    }
}

/* A gray image of one channel, and as three equal ones. */
static void test_gray(void **state)
{
    static const char *const flavours[] = {"tensor-float", "tensor-u8", "pil"};
    struct image photo = {0};
    (void)state;
    make_photo(&photo, 40, 33);
    struct image_view v = {photo.rgb, 40, 33, 1, 0, 40, 1};
    for (int i = 0; i < 3; i++) {
        struct dataset *d = open_with("rand", flavours[i], "rrc");
        struct preprocess_scratch s = {0};
        float one[PIXELS], three[3 * PIXELS];
        for (uint64_t sample = 0; sample < 20; sample++) {
            struct rng r;
            rng_init(&r, 1, "gray", 0, sample);
            preprocess_sample(&d->preprocess, &v, NULL, SIZE, 1, &r, &s, one, NULL);
            rng_init(&r, 1, "gray", 0, sample);
            preprocess_sample(&d->preprocess, &v, NULL, SIZE, 3, &r, &s, three, NULL);
            for (int k = 0; k < 3 * PIXELS; k++)
                assert_true(isfinite(three[k]) && isfinite(one[k % PIXELS]));
        }
        preprocess_scratch_release(&s);
        dataset_close(d);
    }
    image_release(&photo);
}

/* Operations whose result is known without a reference. */
static void test_bytes(void **state)
{
    unsigned char x[2 * 3 * PIXELS], before[3 * PIXELS];
    struct augment_bytes im = {x, x + 3 * PIXELS, 3, SIZE, SIZE};
    void (*const invert[])(struct augment_bytes *, double) = {augmentation_Invert.apply_u8,
                                                              augmentation_Invert.apply_pil};
    (void)state;
    for (int i = 0; i < 3 * PIXELS; i++)
        before[i] = x[i] = (unsigned char)(i * 7);
    for (int i = 0; i < 2; i++) {
        invert[i](&im, 0);
        assert_int_equal(x[5], 255 - before[5]);
        invert[i](&im, 0);
        assert_memory_equal(x, before, sizeof before);
    }
    const struct augmentation *same[] = {&augmentation_ShearX, &augmentation_ShearY,
                                         &augmentation_Rotate, &augmentation_TranslateX,
                                         &augmentation_Brightness};
    for (size_t i = 0; i < sizeof same / sizeof *same; i++) {
        same[i]->apply_u8(&im, 0);
        same[i]->apply_pil(&im, 0);
        assert_memory_equal(x, before, sizeof before);
    }
    augmentation_TranslateX.apply_pil(&im, 3.9); /* cut to 3 */
    assert_int_equal(x[2], 0);
    assert_int_equal(x[3], before[0]);
}

/* Wider than what is computed at once, and no multiple of it. */
#define WIDE   150
#define TALL   37
#define SHEARS 0.17

static void make_wide(float x[3 * TALL * WIDE])
{
    struct rng r;
    rng_init(&r, 1, "wide", 0, 0);
    for (int i = 0; i < 3 * TALL * WIDE; i++)
        x[i] = (float)rng_range(&r, 0.01, 1);
}

/* Nearest neighbour by definition, where rounding in float cannot decide. */
static void check_place(const float *got, const float *from, int x, int y, double from_x,
                        double from_y)
{
    double near_x = fabs(from_x - floor(from_x) - 0.5), near_y = fabs(from_y - floor(from_y) - 0.5);
    int column = (int)nearbyint(from_x), row = (int)nearbyint(from_y);
    int inside = column >= 0 && column < WIDE && row >= 0 && row < TALL;
    if (near_x < 1e-3 || near_y < 1e-3)
        return;
    for (int c = 0; c < 3; c++) {
        float want = inside ? from[(c * TALL + row) * WIDE + column] : 0;
        if (got[(c * TALL + y) * WIDE + x] != want)
            fail_msg("channel %d at %d %d is not of %g %g", c, x, y, from_x, from_y);
    }
}

static void test_geometry(void **state)
{
    static float x[3 * TALL * WIDE], before[3 * TALL * WIDE], scratch[3 * TALL * WIDE];
    struct augment_image im = {x, scratch, 3, TALL, WIDE};
    double cx = (WIDE - 1) / 2.0, cy = (TALL - 1) / 2.0, a = 25 * (3.14159265358979323846 / 180);
    (void)state;
    make_wide(before);
    for (int k = 0; k < 3; k++) {
        memcpy(x, before, sizeof x);
        if (k == 0)
            augmentation_ShearX.apply(&im, SHEARS);
        else if (k == 1)
            augmentation_ShearY.apply(&im, SHEARS);
        else
            augmentation_Rotate.apply(&im, 25);
        for (int row = 0; row < TALL; row++)
            for (int column = 0; column < WIDE; column++) {
                double u = column - cx, v = row - cy;
                const double from[3][2] = {
                    {u + SHEARS * (v + TALL / 2.0) + cx, row},
                    {column, v + SHEARS * (u + WIDE / 2.0) + cy},
                    {u * cos(a) - v * sin(a) + cx, u * sin(a) + v * cos(a) + cy}};
                check_place(x, before, column, row, from[k][0], from[k][1]);
            }
    }
}

/* Operations that do not mix channels do to three what they do to each. */
static void test_channels(void **state)
{
    static float x[3 * TALL * WIDE], one[3 * TALL * WIDE], scratch[3 * TALL * WIDE];
    const struct augmentation *a;
    (void)state;
    for (int i = 0; (a = augmentation_at(i)); i++) {
        struct augment_image im = {x, scratch, 3, TALL, WIDE};
        double m = a->magnitude ? a->magnitude(13, TALL, WIDE) : 0;
        if (a == &augmentation_Color || a == &augmentation_Contrast)
            continue;
        make_wide(x);
        make_wide(one);
        a->apply(&im, m);
        for (int c = 0; c < 3; c++)
            a->apply(&(struct augment_image){one + c * TALL * WIDE, scratch, 1, TALL, WIDE}, m);
        if (memcmp(x, one, sizeof x))
            fail_msg("%s: channels alone differ", a->choice.name);
    }
}

/* Masks cannot follow operations that move pixels. */
static void test_masks(void **state)
{
    struct dataset *d = open_with("rand", "pil", "rrc");
    struct loader *l;
    struct error err = {0};
    struct loader_options o = {.batch = 8, .image_size = SIZE, .train = 1, .masks = 1};
    (void)state;
    assert_int_equal(loader_open(&l, d, &o, &err), -1);
    assert_non_null(strstr(err.msg, "data.augment.policy moves pixels"));
    dataset_close(d);
    d = open_with("three", "", "rrc");
    assert_int_equal(loader_open(&l, d, &o, &err), 0);
    assert_non_null(loader_next(l, &err));
    loader_close(l);
    dataset_close(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_order),    cmocka_unit_test(test_where),
        cmocka_unit_test(test_gray),     cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_masks),    cmocka_unit_test(test_geometry),
        cmocka_unit_test(test_channels),
    };
    return cmocka_run_group_tests_name("data/augment", tests, NULL, NULL);
}
