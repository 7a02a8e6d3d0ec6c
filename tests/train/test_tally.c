/* The curves: what a step and an epoch say of themselves adds up. */
#include "train/tally.h"

#include "base/error.h"
#include "base/file.h"
#include "tests/support/training.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_clip(void **state)
{
    (void)state;
    assert_true(tally_clip(0.5, 1) == 1);
    assert_true(tally_clip(4, 0) == 1); /* no clipping */
    assert_true(fabs(tally_clip(4, 1) - 1 / (4 + 1e-6)) < 1e-15);
}

/* A batch that is not finite spoils neither the sums of its epoch nor the count of updates. */
static void test_nonfinite(void **state)
{
    (void)state;
    struct epoch_sums e = {0};
    const struct batch_note good = {.loss = 3, .norm = 4, .terms = {1, 2}},
                            bad = {.loss = NAN, .norm = 1, .terms = {NAN, 2}},
                            burst = {.loss = 1, .norm = INFINITY, .terms = {0, 1}};
    assert_true(tally_epoch(&e, &good, 1, 1));
    assert_false(tally_epoch(&e, &bad, 1, 1));
    assert_false(tally_epoch(&e, &burst, 1, 1));
    assert_int_equal(e.steps, 3);
    assert_int_equal(e.nonfinite, 2);
    assert_int_equal(e.norms, 1);
    assert_true(e.loss == 3 && e.terms[0] == 1 && e.terms[1] == 2 && e.norm == 4);
    assert_true(e.clip == tally_clip(4, 1));
}

/* ---- a run ----------------------------------------------------------------------------------- */

/* Calls check with the metrics of every event, and whether it is of a step; returns how many steps'
 * there were. */
static int each_event(const char *folder, void (*check)(const struct metrics *m, int step))
{
    char *data, *line, *rest;
    size_t size;
    int steps = 0;
    struct error err = {0};
    if (file_read(training_path(folder, "events.jsonl"), 1 << 20, &data, &size, &err))
        fail_msg("%s", err.msg);
    for (line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        struct metrics m = {0};
        json_t *event = json_loads(line, 0, NULL);
        metrics_take(&m, json_object_get(event, "metrics"));
        int step = isfinite(metrics_get(&m, "step/loss"));
        check(&m, step);
        steps += step;
        json_decref(event);
    }
    free(data);
    return steps;
}

static void expect_sum(const struct metrics *m, const char *whole, const char *a, const char *b)
{
    double want = metrics_get(m, whole), sum = metrics_get(m, a) + metrics_get(m, b);
    if (!(fabs(sum - want) < 1e-6 * want))
        fail_msg("%s is %.9g, %s and %s add up to %.9g", whole, want, a, b, sum);
}

static void check_mixed(const struct metrics *m, int step)
{
    if (!step) {
        double clip = metrics_get(m, "train/clip_coef");
        expect_sum(m, "train/loss", "train/memory_loss", "train/process_loss");
        assert_true(clip > 0 && clip <= 1);
        return;
    }
    double lambda = metrics_get(m, "step/mix_lambda"), cutmix = metrics_get(m, "step/cutmix");
    expect_sum(m, "step/loss", "step/memory_loss", "step/process_loss");
    assert_true(lambda > 0 && lambda < 1);
    assert_true(cutmix == 0 || cutmix == 0.5 || cutmix == 1); /* of two batches */
    assert_true(metrics_get(m, "step/clip_coef") ==
                tally_clip(metrics_get(m, "step/grad_norm"), 0.5));
    assert_true(metrics_get(m, "step/lr") > 0 && metrics_get(m, "step/img_s") > 0);
}

/* Two batches an update, mixed, clipped: and as many points and the same epochs where the run is
 * stopped every second step. */
static void test_mixed_run(void **state)
{
    (void)state;
    struct config *c = training_configure((const char *const[][2]){{"train.log_every", "1"},
                                                                   {"train.accumulate", "2"},
                                                                   {"train.clip", "0.5"},
                                                                   {"data.mix.mixup_alpha", "0.8"},
                                                                   {"data.mix.cutmix_alpha", "1"},
                                                                   {NULL, NULL}});
    struct device d = training_device();
    char *whole = training_folder("mixed"), *parts = training_folder("mixed-resumed");
    struct strbuf a = STRBUF_INIT, b = STRBUF_INIT;
    training_run(whole, c, &d, 0);
    training_run(parts, c, &d, 2);
    assert_int_equal(each_event(whole, check_mixed), TRAINING_STEPS / 2);
    assert_int_equal(each_event(parts, check_mixed), TRAINING_STEPS / 2);
    training_history(whole, &a);
    training_history(parts, &b);
    assert_string_equal(a.text, b.text);
    strbuf_release(&a);
    strbuf_release(&b);
    training_remove(whole);
    training_remove(parts);
    free(whole);
    free(parts);
    config_free(c);
}

static void check_plain(const struct metrics *m, int step)
{
    assert_true(isnan(metrics_get(m, "step/mix_lambda")) && isnan(metrics_get(m, "step/cutmix")));
    assert_true(isnan(metrics_get(m, step ? "step/clip_coef" : "train/clip_coef")));
    assert_true(isnan(metrics_get(m, step ? "step/memory_loss" : "train/memory_loss")));
}

/* Of one classifier, without mixing and clipping, there is nothing to say of them. */
static void test_plain_run(void **state)
{
    (void)state;
    struct config *c = training_configure((const char *const[][2]){
        {"model.family", "vit"}, {"train.log_every", "3"}, {"train.clip", "0"}, {NULL, NULL}});
    struct device d = training_device();
    char *folder = training_folder("plain");
    training_run(folder, c, &d, 0);
    assert_int_equal(each_event(folder, check_plain), TRAINING_STEPS / 3);
    training_remove(folder);
    free(folder);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_clip), cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_mixed_run), cmocka_unit_test(test_plain_run)};
    return cmocka_run_group_tests_name("tally", tests, training_setup, training_teardown);
}
