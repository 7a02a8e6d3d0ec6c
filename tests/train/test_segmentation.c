/* Segmentation: areas of classes, sliding windows, evaluation against plain counting, and that
 * training finds more than the most frequent class. */
#include "train/trainer.h"

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "model/segment.h"
#include "tests/support/run.h"
#include "tests/support/training.h"
#include "train/frames.h"
#include "train/run_config.h"
#include "train/segmentation.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static const char tiny[] =
    "model: {family: vit, image_size: 32, classes: 11, dim: 32, depth: 2, heads: 2, patch: 4,\n"
    "  decoder: {layers: 1}}\n"
    "data: {dataset: shapes, train_size: 512, val_size: 40}\n"
    "train: {objective: segment, epochs: 4, batch: 16, lr: 3e-3, eval_batch: 7, warmup_epochs: "
    "0.5}\n";

static struct config *configure(const char *key, const char *value)
{
    return run_configure(tiny, (const char *const[][2]){{key, value}, {NULL, NULL}});
}

static struct device cpu(int threads)
{
    return run_device("cpu", threads);
}

/* ---- areas ----------------------------------------------------------------------------------- */

static void absent_classes(void **state)
{
    static const unsigned char labels[] = {0, 0, 0, 1, SEGMENT_IGNORE, 1},
                               found[] = {0, 0, 2, 1, 3, 0};
    struct confusion c;
    (void)state;
    confusion_init(&c, 5);
    confusion_add(&c, found, labels, 3); /* in two pieces, as of two images */
    confusion_add(&c, found + 3, labels + 3, 3);
    /* 0: 2 of 4, 1: 1 of 2, 2: found and nowhere labelled, 3: ignored, 4: absent */
    assert_float_equal(confusion_iou(&c, 0), 50, 1e-9);
    assert_float_equal(confusion_iou(&c, 1), 50, 1e-9);
    assert_float_equal(confusion_iou(&c, 2), 0, 1e-9);
    assert_true(isnan(confusion_iou(&c, 3)) && isnan(confusion_iou(&c, 4)));
    assert_float_equal(confusion_miou(&c, ABSENT_SKIP), 100.0 / 3, 1e-9);
    assert_float_equal(confusion_miou(&c, ABSENT_ZERO), 20, 1e-9);
    assert_float_equal(confusion_pixel_acc(&c), 60, 1e-9);
    assert_float_equal(confusion_mean_acc(&c), (200.0 / 3 + 50) / 2, 1e-9);
    assert_float_equal(confusion_majority_acc(&c), 60, 1e-9);
    assert_float_equal(confusion_majority_miou(&c), 30, 1e-9);
    confusion_release(&c);
}

/* ---- windows --------------------------------------------------------------------------------- */

static void windows_cover_everything(void **state)
{
    (void)state;
    for (int side = 1; side < 80; side++)
        for (int stride = 1; stride <= 24; stride += 5) {
            int n = slide_count(side, 24, stride), reached = 0;
            for (int i = 0; i < n; i++) {
                struct slide_span s = slide_span(i, side, 24, stride);
                assert_true(s.start <= reached && s.start >= 0);
                assert_int_equal(s.length, side < 24 ? side : 24);
                reached = s.start + s.length;
            }
            assert_int_equal(reached, side);
        }
}

static void any_image(float *x, int64_t n)
{
    struct rng r;
    rng_init(&r, 3, "image", 0, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)rng_normal(&r);
}

/* Whatever is queued together, an image's sums are its own. */
static void batches_do_not_matter(void **state)
{
    enum { W = 50, H = 41 };
    static float image[3 * W * H];
    struct config *c = configure(NULL, NULL);
    struct device d = cpu(1);
    struct scores sums[3] = {{0}};
    struct error err = {0};
    (void)state;
    any_image(image, 3 * W * H);
    for (int64_t batch = 1; batch <= 5; batch += 2) {
        struct network n;
        struct slider s;
        struct scores *sum = &sums[batch / 2], other = {0};
        struct network_options o = {.batch = batch};
        assert_int_equal(network_open(&n, c, &d, &o, &err), 0);
        network_init(&n, 1);
        slider_open(&s, &n, 20);
        scores_init(sum, H, W, 11);
        scores_init(&other, 10, 50, 11); /* lower than a window */
        slider_add(&s, image, 10, 50, &other);
        slider_add(&s, image, H, W, sum);
        slider_flush(&s);
        slider_average(&s, sum);
        assert_int_equal(s.windows, 2 + 4);
        slider_close(&s);
        scores_release(&other);
        network_close(&n);
    }
    for (int64_t i = 0; i < (int64_t)W * H * 11; i++)
        for (int k = 1; k < 3; k++)
            assert_float_equal(sums[0].v[i], sums[k].v[i], 1e-5);
    for (int k = 0; k < 3; k++)
        scores_release(&sums[k]);
    config_free(c);
}

static void mirrored_probabilities_come_back(void **state)
{
    struct scores one = {0}, sum = {0};
    unsigned char best[6];
    static const unsigned char want[6] = {2, 0, 1, 1, 1, 2};
    (void)state;
    scores_init(&one, 2, 3, 3);
    scores_init(&sum, 2, 3, 3);
    for (int i = 0; i < 6; i++) /* the mirror image's classes */
        one.v[3 * (i / 3 * 3 + 2 - i % 3) + want[i]] = 4;
    scores_add_softmax(&sum, &one, 1, 1);
    scores_argmax(&sum, best);
    assert_memory_equal(best, want, 6);
    double total = 0;
    for (int i = 0; i < 18; i++)
        total += (double)sum.v[i];
    assert_float_equal(total, 6, 1e-5);
    scores_release(&one);
    scores_release(&sum);
}

/* ---- evaluation and training ----------------------------------------------------------------- */

static struct trainer trained(const struct config *c, const struct device *d, struct metrics *m)
{
    struct trainer t;
    training_whole(&t, c, d, 1, m);
    return t;
}

/* The same pixels, counted one by one. */
static double count_correct(struct trainer *t)
{
    struct segment_protocol p;
    struct segmenter s;
    struct segment_image im = {0};
    struct error err = {0};
    unsigned char classes[32 * 32];
    int64_t right = 0, all = 0;
    assert_int_equal(segment_protocol_init(&p, t->options.config, &err), 0);
    segmenter_open(&s, &t->eval_net, &p, &t->val_set->preprocess);
    for (int64_t i = 0; i < dataset_count(t->val_set); i++) {
        struct image image = {0}, mask = {0};
        struct image_view picture, truth;
        assert_int_equal(dataset_read(t->val_set, i, 32, &image, &picture, &err), 0);
        assert_int_equal(dataset_read_mask(t->val_set, i, 32, &mask, &truth, &err), 0);
        segmenter_prepare(&s, &im, &picture);
        segmenter_run(&s, &im, classes);
        for (int k = 0; k < 32 * 32; k++, all++)
            right += classes[k] == truth.data[k];
        image_release(&image);
        image_release(&mask);
    }
    segment_image_release(&im);
    segmenter_close(&s);
    return 100 * (double)right / (double)all;
}

static void training_finds_shapes(void **state)
{
    struct config *c = configure(NULL, NULL);
    struct device d = cpu(2);
    struct metrics m;
    (void)state;
    struct trainer t = trained(c, &d, &m);
    double miou = metrics_get(&m, "val/miou"), majority = metrics_get(&m, "val/majority_miou");
    if (!(miou > 1.2 * majority))
        fail_msg("mIoU %.2f, of the most frequent class alone %.2f", miou, majority);
    assert_true(metrics_get(&m, "val/pixel_acc") > metrics_get(&m, "val/majority_acc"));
    assert_float_equal(metrics_get(&m, "val/pixel_acc"), count_correct(&t), 1e-9);
    assert_float_equal(metrics_get(&m, "val/best_miou"), miou, 1e-9);
    assert_true(isnan(metrics_get(&m, "val/top1")));
    trainer_close(&t);
    config_free(c);
}

static void bits_do_not_depend_on_threads(void **state)
{
    double got[2];
    (void)state;
    for (int threads = 1; threads <= 2; threads++) {
        struct config *c = configure("data.augment.crop", "scene");
        struct error err = {0};
        struct device d = cpu(threads);
        struct metrics m;
        assert_int_equal(
            config_set(c, "train.epochs", "1", (struct config_origin){"test", 0, 0}, &err) ||
                config_resolve(c, &err),
            0);
        struct trainer t = trained(c, &d, &m);
        got[threads - 1] = metrics_get(&m, "val/loss");
        trainer_close(&t);
        config_free(c);
    }
    assert_true(got[0] == got[1]);
}

static void refuses(const char *key, const char *value, const char *part)
{
    struct config *c = configure(key, value);
    struct device d = cpu(1);
    struct trainer t;
    struct error err = {0};
    struct trainer_options o = {.config = c, .device = &d, .cell = ""};
    assert_int_equal(trainer_open(&t, &o, &err), -1);
    if (!strstr(err.msg, part))
        fail_msg("expected \"%s\" in: %s", part, err.msg);
    config_free(c);
}

static void refusals_say_why(void **state)
{
    (void)state;
    refuses("model.classes", "10", "shapes has 11 classes of pixels (set model.classes=11)");
    refuses("data.mix.mixup_alpha", "0.8", "segmentation mixes and erases no images");
    refuses("model.family", "revvit", "no features for train.objective segment");
    refuses("model.reduce.method", "tome", "set model.reduce.unmerge=true");
    refuses("model.decoder.blocks", "0", "the last block, 1, must be one of them");
}

static void frames_are_timed_one_by_one(void **state)
{
    struct config *c = configure(NULL, NULL);
    struct device d = cpu(1);
    struct frames f;
    struct error err = {0};
    (void)state;
    assert_int_equal(frames_open(&f, c, &d, 1, NULL, &err), 0);
    assert_int_equal(frames_measure(&f, 9, 5, NULL, &err), 0);
    assert_int_equal(f.subject.n_blocks, 4);
    assert_int_equal(f.segmenter.slider.windows, 9);
    frames_close(&f);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(absent_classes),        cmocka_unit_test(windows_cover_everything),
        cmocka_unit_test(batches_do_not_matter), cmocka_unit_test(mirrored_probabilities_come_back),
        cmocka_unit_test(training_finds_shapes), cmocka_unit_test(bits_do_not_depend_on_threads),
        cmocka_unit_test(refusals_say_why),      cmocka_unit_test(frames_are_timed_one_by_one),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
