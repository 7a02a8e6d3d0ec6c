/* Order, resumption, determinism over thread counts, the end of an epoch, bad files. */
#include <math.h>
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
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/loader.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

static struct dataset *shapes(enum split split, const char *train, const char *val)
{
    struct error err = {0};
    struct dataset *d = data_open(&err, split, "data.dataset", "shapes", "data.train_size", train,
                                  "data.val_size", val, "data.augment.crop", "pad", NULL);
    if (!d)
        fail_msg("%s", err.msg);
    return d;
}

static struct loader *open_loader(const struct dataset *d, struct loader_options o)
{
    struct loader *l;
    struct error err = {0};
    if (loader_open(&l, d, &o, &err))
        fail_msg("%s", err.msg);
    return l;
}

static void add_batch(struct strbuf *s, const struct batch *b, const struct loader_options *o)
{
    char hex[65];
    size_t pixels = (size_t)o->image_size * (size_t)o->image_size, n = (size_t)o->batch;
    file_sha256_bytes(b->images, n * 3 * pixels * sizeof(float), hex);
    strbuf_addf(s, "%lld/%lld %d %s ", (long long)b->epoch, (long long)b->number, b->count, hex);
    file_sha256_bytes(b->labels, n * sizeof *b->labels, hex);
    strbuf_adds(s, hex);
    file_sha256_bytes(b->indices, n * sizeof *b->indices, hex);
    strbuf_adds(s, hex);
    if (b->masks)
        file_sha256_bytes(b->masks, n * pixels, hex);
    strbuf_addf(s, "%s\n", hex);
}

/* What `epochs` epochs give, as text. */
static char *record_new(const struct dataset *d, struct loader_options o, int epochs)
{
    struct strbuf s = STRBUF_INIT;
    struct error err;
    struct loader *l = open_loader(d, o);
    for (int e = 0; e < epochs; e++) {
        const struct batch *b;
        while ((b = loader_next(l, &err)))
            add_batch(&s, b, &o);
        if (err.code)
            fail_msg("%s", err.msg);
        strbuf_adds(&s, "end\n");
    }
    loader_close(l);
    return strbuf_detach(&s);
}

static void test_threads_change_nothing(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "333", "0");
    (void)state;
    for (int train = 0; train < 2; train++) {
        struct loader_options o = {
            .batch = 40, .image_size = 16, .seed = 5, .train = train, .shuffle = train, .masks = 1};
        char *none = record_new(d, o, 3);
        for (int threads = 1; threads <= 5; threads += 2) {
            o.threads = threads;
            char *some = record_new(d, o, 3);
            assert_string_equal(none, some);
            free(some);
        }
        free(none);
    }
    dataset_close(d);
}

/* Starting at (epoch, batch) gives the rest of what a whole run gives, also at the end of an epoch.
 */
static void test_resume(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "100", "0");
    struct loader_options o = {.batch = 16, .image_size = 12, .seed = 9, .train = 1, .shuffle = 1};
    char *whole = record_new(d, o, 3);
    (void)state;
    for (int threads = 0; threads <= 2; threads += 2)
        for (int batch = 0; batch <= 6; batch++) {
            o.threads = threads;
            o.epoch = 1;
            o.first_batch = batch;
            char *rest = record_new(d, o, 2), *at = whole;
            for (int skip_lines = 6 + 1 + batch; skip_lines > 0; skip_lines--)
                at = strchr(at, '\n') + 1;
            assert_string_equal(rest, at);
            free(rest);
        }
    free(whole);
    dataset_close(d);
}

/* A folder of JPEG-like noise as PNG files of several sizes. */
static struct dataset *folder_of_photos(char folder[256], const char *policy, const char *cache)
{
    struct error err = {0};
    int is_rand = !strcmp(policy, "rand");
    struct dataset *d = data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root",
                                  folder, "data.cache", cache, "data.augment.policy", policy,
                                  is_rand ? "data.augment.rand.flavour" : NULL, "pil", NULL);
    if (!d)
        fail_msg("%s", err.msg);
    return d;
}

static void write_photos(char folder[256])
{
    data_folder(folder);
    for (int i = 0; i < 40; i++) {
        char name[64];
        snprintf(name, sizeof name, "train/%c/%02d.png", 'a' + i % 3, i);
        data_write_png(folder, name, 20 + i, 50 - i, 6 * i);
    }
}

/* Everything on: random crops, mirror, operations, any number of threads, in mid-epoch, with images
 * kept in memory, too few of them, or none. */
static void test_all_augmentations(void **state)
{
    static const char *const policies[] = {"rand", "three"};
    char folder[256];
    (void)state;
    write_photos(folder);
    for (int k = 0; k < 2; k++) {
        struct dataset *plain = folder_of_photos(folder, policies[k], "none"),
                       *kept = folder_of_photos(folder, policies[k], "decoded");
        struct loader_options o = {
            .batch = 6, .image_size = 20, .seed = 4, .train = 1, .shuffle = 1};
        char *whole = record_new(plain, o, 2);
        for (o.threads = 1; o.threads <= 4; o.threads *= 2) {
            char *some = record_new(plain, o, 2), *again = record_new(kept, o, 2);
            assert_string_equal(whole, some);
            assert_string_equal(whole, again);
            free(some);
            free(again);
            struct loader_options later = o;
            later.first_batch = 4;
            char *rest = record_new(plain, later, 2), *at = whole;
            for (int lines = 4; lines > 0; lines--)
                at = strchr(at, '\n') + 1;
            assert_int_equal(strncmp(at, rest, strlen(at)), 0);
            free(rest);
        }
        free(whole);
        dataset_close(plain);
        dataset_close(kept);
    }
    data_folder_remove(folder);
}

/* The second read of an image comes from memory; past the limit it comes from the file again. */
static void test_cache(void **state)
{
    char folder[256], path[512];
    struct image scratch = {0};
    struct image_view v;
    struct error err = {0};
    (void)state;
    write_photos(folder);
    struct dataset *d = folder_of_photos(folder, "none", "decoded");
    assert_int_equal(dataset_read(d, 0, 8, &scratch, &v, &err), 0);
    snprintf(path, sizeof path, "%s/train/a/00.png", folder);
    assert_int_equal(remove(path), 0);
    assert_int_equal(dataset_read(d, 0, 8, &scratch, &v, &err), 0);
    assert_int_equal(v.width, 20);
    assert_int_equal(v.height, 50);
    assert_true(v.data != scratch.rgb);
    dataset_close(d);
    image_release(&scratch);
    data_folder_remove(folder);
    data_folder(folder);
    for (int i = 0; i < 2; i++) { /* 1.05 MB each */
        char name[64];
        snprintf(name, sizeof name, "train/a/%d.png", i);
        data_write_png(folder, name, 700, 500, i);
    }
    d = data_open(&err, SPLIT_TRAIN, "data.dataset", "image_folder", "data.root", folder,
                  "data.cache", "decoded", "data.cache_gib", "0.0015", NULL);
    assert_non_null(d);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(dataset_read(d, i, 8, &scratch, &v, &err), 0);
        snprintf(path, sizeof path, "%s/train/a/%d.png", folder, i);
        assert_int_equal(remove(path), 0);
    }
    assert_int_equal(dataset_read(d, 0, 8, &scratch, &v, &err), 0);
    assert_int_equal(dataset_read(d, 1, 8, &scratch, &v, &err), -1);
    assert_non_null(strstr(err.msg, "train/a/1.png"));
    dataset_close(d);
    image_release(&scratch);
    data_folder_remove(folder);
}

static void test_training_order(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "100", "0");
    struct loader_options o = {
        .batch = 8, .image_size = 8, .seed = 1, .train = 1, .shuffle = 1, .threads = 2};
    struct loader *l = open_loader(d, o);
    struct error err;
    int first[2] = {-1, -1};
    (void)state;
    assert_int_equal(loader_batches(l), 12); /* 4 images are left out */
    for (int e = 0; e < 2; e++) {
        unsigned char seen[100] = {0};
        const struct batch *b;
        int n = 0;
        while ((b = loader_next(l, &err))) {
            assert_int_equal(b->count, 8);
            assert_int_equal(b->epoch, e);
            assert_int_equal(b->number, n++);
            for (int i = 0; i < 8; i++) {
                assert_false(seen[b->indices[i]]++);
                assert_int_equal(b->labels[i], dataset_label(d, b->indices[i]));
            }
            if (b->number == 0)
                first[e] = b->indices[0] * 100 + b->indices[1];
        }
        assert_int_equal(err.code, 0);
        assert_int_equal(n, 12);
    }
    assert_int_not_equal(first[0], first[1]);
    assert_true(loader_wait_s(l) >= 0);
    loader_close(l);
    dataset_close(d);
}

/* Augmentation is drawn anew for each sample, epoch and seed. */
static void test_augmentation_keys(void **state)
{
    enum { N = 64, FLOATS = 3 * 16 * 16 };
    struct dataset *d = shapes(SPLIT_TRAIN, "64", "0");
    float *images[3];
    (void)state;
    for (int k = 0; k < 3; k++) {
        struct loader_options o = {
            .batch = N, .image_size = 16, .seed = 1 + (k == 2), .train = 1, .epoch = k == 1};
        struct loader *l = open_loader(d, o);
        struct error err;
        images[k] = mem_alloc(N * FLOATS * sizeof(float));
        memcpy(images[k], loader_next(l, &err)->images, N * FLOATS * sizeof(float));
        loader_close(l);
    }
    for (int k = 1; k < 3; k++) {
        int same = 0;
        for (int i = 0; i < N; i++)
            same += !memcmp(images[0] + i * FLOATS, images[k] + i * FLOATS, FLOATS * sizeof(float));
        assert_in_range(same, 0, 4); /* of 162 placements */
    }
    int shifted = 0; /* by the same amount as their neighbour: the black border tells */
    float black = d->preprocess.train_level[0][0];
    for (int i = 0; i < N; i++)
        shifted += fabsf(images[0][i * FLOATS] - black) < 1e-6f;
    assert_in_range(shifted, 10, N - 10);
    for (int k = 0; k < 3; k++)
        free(images[k]);
    dataset_close(d);
}

static void test_last_batch_of_evaluation(void **state)
{
    struct dataset *d = shapes(SPLIT_VAL, "0", "21");
    struct loader_options o = {.batch = 8, .image_size = 8, .threads = 1, .masks = 1};
    struct loader *l = open_loader(d, o);
    struct error err;
    const struct batch *b = NULL;
    (void)state;
    assert_int_equal(loader_batches(l), 3);
    for (int n = 0; n < 3; n++) {
        b = loader_next(l, &err);
        assert_int_equal(b->count, n < 2 ? 8 : 5);
        for (int i = 0; i < b->count; i++)
            assert_int_equal(b->indices[i], 8 * n + i); /* in the order of the data set */
    }
    for (int i = 5; i < 8; i++) {
        assert_int_equal(b->indices[i], -1);
        assert_int_equal(b->labels[i], 0);
        assert_true(b->images[i * 3 * 64] == 0);
        assert_int_equal(b->masks[i * 64], DATASET_IGNORE);
    }
    assert_null(loader_next(l, &err));
    assert_int_equal(err.code, 0);
    loader_close(l);
    dataset_close(d);
}

/* Labels and masks of a batch belong to its images, also when they are mirrored and shifted. */
static void test_masks_follow_images(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "64", "0");
    struct loader_options o = {
        .batch = 64, .image_size = 32, .seed = 3, .train = 1, .masks = 1, .threads = 1};
    struct loader *l = open_loader(d, o);
    struct error err;
    const struct batch *b = loader_next(l, &err);
    int agree = 0;
    (void)state;
    for (int i = 0; i < 64; i++) {
        int area[11] = {0}, best = 1;
        for (int p = 0; p < 32 * 32; p++) {
            uint8_t m = b->masks[i * 32 * 32 + p];
            int black =
                fabsf(b->images[i * 3 * 32 * 32 + p] - d->preprocess.train_level[0][0]) < 1e-6f;
            if (m == DATASET_IGNORE)
                assert_true(black);
            else
                area[m]++;
        }
        for (int k = 1; k < 11; k++)
            best = area[k] > area[best] ? k : best;
        agree += best == b->labels[i] + 1;
    }
    assert_true(agree >= 62);
    loader_close(l);
    dataset_close(d);
}

static void test_refusals(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "10", "0");
    struct loader *l;
    struct error err = {0};
    struct loader_options few = {.batch = 11, .image_size = 8, .train = 1};
    struct loader_options late = {.batch = 2, .image_size = 8, .train = 1, .first_batch = 6};
    struct loader_options gray = {.batch = 2, .image_size = 8, .channels = 1};
    struct loader_options small = {.batch = 2, .image_size = 4, .train = 1};
    (void)state;
    assert_int_equal(loader_open(&l, d, &few, &err), -1);
    assert_non_null(strstr(err.msg, "10 train images are fewer than one batch of 11"));
    assert_int_equal(loader_open(&l, d, &late, &err), -1);
    assert_non_null(strstr(err.msg, "cannot go on at batch 6, an epoch has 5"));
    assert_int_equal(loader_open(&l, d, &gray, &err), -1);
    assert_non_null(strstr(err.msg, "model.channels"));
    assert_int_equal(loader_open(&l, d, &small, &err), -1);
    assert_non_null(strstr(err.msg, "data.augment.pad 4"));
    assert_null(l);
    dataset_close(d);
}

/* Closing in the middle, with work under way. */
static void test_close_early(void **state)
{
    struct dataset *d = shapes(SPLIT_TRAIN, "1000", "0");
    (void)state;
    for (int taken = 0; taken < 4; taken++) {
        struct loader_options o = {.batch = 50, .image_size = 32, .train = 1, .threads = 3};
        struct loader *l = open_loader(d, o);
        struct error err;
        for (int i = 0; i < taken; i++)
            assert_non_null(loader_next(l, &err));
        loader_close(l);
    }
    dataset_close(d);
}

static struct dataset *folder_with_a_bad_file(char *folder, const char *policy, enum split split)
{
    struct error err = {0};
    data_folder(folder);
    for (int i = 0; i < 20; i++) {
        char name[64];
        snprintf(name, sizeof name, "train/%c/%02d.png", 'a' + i / 10, i % 10);
        data_write_png(folder, name, 10, 10, 10 * i);
        snprintf(name, sizeof name, "val/%c/%02d.png", 'a' + i / 10, i % 10);
        data_write_png(folder, name, 10, 10, 10 * i);
    }
    data_write(folder, "train/a/07.png", "broken", 6);
    data_write(folder, "val/a/07.png", "broken", 6);
    struct dataset *d = data_open(&err, split, "data.dataset", "image_folder", "data.root", folder,
                                  "data.on_bad", policy, NULL);
    if (!d)
        fail_msg("%s", err.msg);
    return d;
}

/* The error comes at its batch whatever the threads do, names the file, and stays. */
static void test_bad_file(void **state)
{
    char folder[256];
    struct dataset *d = folder_with_a_bad_file(folder, "error", SPLIT_TRAIN);
    (void)state;
    for (int threads = 0; threads < 4; threads++) {
        struct loader_options o = {.batch = 4, .image_size = 8, .train = 1, .threads = threads};
        struct loader *l = open_loader(d, o);
        struct error err;
        assert_non_null(loader_next(l, &err)); /* 0 .. 3 */
        for (int again = 0; again < 2; again++) {
            assert_null(loader_next(l, &err)); /* 4 .. 7 */
            assert_int_equal(err.code, EXIT_ENVIRONMENT);
            assert_non_null(strstr(err.msg, "train/a/07.png: neither JPEG nor PNG"));
        }
        loader_close(l);
    }
    dataset_close(d);
    data_folder_remove(folder);
}

static void test_bad_file_skipped(void **state)
{
    char folder[256];
    struct dataset *d = folder_with_a_bad_file(folder, "skip", SPLIT_TRAIN);
    struct loader_options o = {.batch = 4, .image_size = 8, .train = 1, .threads = 2};
    struct loader *l = open_loader(d, o);
    struct error err;
    const struct batch *b;
    (void)state;
    b = loader_next(l, &err);
    assert_non_null(b);
    assert_int_equal(b->skipped, 0);
    b = loader_next(l, &err);
    assert_non_null(b);
    assert_int_equal(b->indices[3], 8);
    assert_int_equal(b->labels[3], 0);
    assert_int_equal(b->skipped, 1);
    loader_close(l);
    dataset_close(d);
    data_folder_remove(folder);
    d = folder_with_a_bad_file(folder, "skip", SPLIT_VAL); /* an evaluation has no holes */
    o.train = 0;
    l = open_loader(d, o);
    assert_non_null(loader_next(l, &err));
    assert_null(loader_next(l, &err));
    assert_non_null(strstr(err.msg, "val/a/07.png"));
    loader_close(l);
    dataset_close(d);
    data_folder_remove(folder);
}

/* All 60 photos, of any size, in both ways of preprocessing. */
static void test_photos(void **state)
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
    for (int train = 0; train < 2; train++) {
        struct loader_options o = {.batch = 20, .image_size = 64, .train = train, .shuffle = train};
        char *one = record_new(d, o, 1);
        o.threads = 2;
        char *two = record_new(d, o, 1);
        assert_string_equal(one, two);
        free(one);
        free(two);
    }
    dataset_close(d);
}

/* The fast path: images that are in memory with the right size. A loose bound, for loaded machines.
 */
static void test_speed(void **state)
{
    char folder[256];
    struct error err = {0};
    (void)state;
    data_write_cifar10(data_folder(folder), 400);
    struct dataset *d = data_open(&err, SPLIT_TRAIN, "data.root", folder, NULL);
    struct loader_options o = {.batch = 200, .image_size = 32, .seed = 1, .train = 1, .shuffle = 1};
    struct loader *l = open_loader(d, o);
    double start = clock_cpu();
    int n = 0;
    for (int e = 0; e < 10; e++)
        for (const struct batch *b; (b = loader_next(l, &err)); n += b->count)
            ;
    double rate = n / (clock_cpu() - start);
    print_message("%.0f images/s of 32 x 32, mirrored, shifted and normalised, a core\n", rate);
#ifndef VITTM_SANITIZED
    assert_true(rate > 30000);
#endif
    loader_close(l);
    dataset_close(d);
    data_folder_remove(folder);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_threads_change_nothing),
        cmocka_unit_test(test_resume),
        cmocka_unit_test(test_training_order),
        cmocka_unit_test(test_augmentation_keys),
        cmocka_unit_test(test_all_augmentations),
        cmocka_unit_test(test_cache),
        cmocka_unit_test(test_last_batch_of_evaluation),
        cmocka_unit_test(test_masks_follow_images),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_close_early),
        cmocka_unit_test(test_bad_file),
        cmocka_unit_test(test_bad_file_skipped),
        cmocka_unit_test(test_photos),
        cmocka_unit_test(test_speed),
    };
    return cmocka_run_group_tests_name("data/loader", tests, NULL, NULL);
}
