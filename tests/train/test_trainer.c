/* The trainer on a tiny ViTTM and the built-in shapes: it learns, the number of threads changes no
 * bit, and it refuses what cannot work. */
#include "train/trainer.h"

#include "base/error.h"
#include "tests/support/training.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static void test_learns(void **state)
{
    (void)state;
    struct config *c = training_configure((const char *const[][2]){{"train.epochs", "60"},
                                                                   {"model.drop_path", "0"},
                                                                   {"train.label_smoothing", "0"},
                                                                   {"train.lr", "0.01"},
                                                                   {"train.eval_every", "60"},
                                                                   {NULL, NULL}});
    struct device d = training_device();
    struct metrics m;
    struct trainer t;
    training_whole(&t, c, &d, 3, &m);
    double loss = metrics_get(&m, "train/loss"), top1 = metrics_get(&m, "train/top1");
    print_message("after 60 epochs: loss %.3f (%.3f at the start), top-1 %.1f %%\n", loss,
                  2 * log(10), top1);
    if (!(loss < 0.7 * 2 * log(10)) || !(top1 > 40))
        fail_msg("loss %g, top-1 %g", loss, top1);
    trainer_close(&t);
    config_free(c);
}

static void test_events(void **state)
{
    (void)state;
    static const char *const names[] = {"train/loss", "train/top1", "train/lr", "train/grad_norm",
                                        "val/top1",   "val/top5",   "val/loss", "val/process_top1"};
    int lines = 0;
    for (const char *p = training_reference_history.text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, TRAINING_EPOCHS);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strstr(training_reference_history.text, names[i]))
            fail_msg("no %s in %s", names[i], training_reference_history.text);
        assert_true(isfinite(metrics_get(&training_reference.metrics, names[i])));
    }
}

/* train.steps ends every epoch early, evaluates all the same, and resumes like any other run. */
static void test_short_epochs(void **state)
{
    (void)state;
    struct config *c = training_configure(
        (const char *const[][2]){{"train.steps", "2"}, {"train.warmup_epochs", "0"}, {NULL, NULL}});
    struct device d = training_device();
    char *whole = training_folder("short"), *parts = training_folder("short-resumed");
    struct training_outcome a = training_run(whole, c, &d, 0),
                            b = training_run(parts, c, &d, 2 * TRAINING_EPOCHS - 1);
    struct strbuf history = STRBUF_INIT;
    char last[40];
    training_history(whole, &history);
    snprintf(last, sizeof last, "\"step\": %d}", 2 * TRAINING_EPOCHS);
    assert_non_null(strstr(history.text, last));
    assert_int_equal(a.attempts, 1);
    assert_int_equal(b.attempts,
                     2); /* 2 * TRAINING_EPOCHS steps in all, and one attempt left one out */
    assert_string_equal(a.weights, b.weights);
    assert_string_not_equal(a.weights, training_reference.weights);
    strbuf_release(&history);
    training_remove(whole);
    training_remove(parts);
    free(whole);
    free(parts);
    config_free(c);
}

static void test_threads(void **state)
{
    (void)state;
    struct config *c =
        training_configure((const char *const[][2]){{"train.loader_threads", "3"}, {NULL, NULL}});
    struct device d = training_device();
    char *folder = training_folder("threads");
    d.options.threads = 2;
    struct training_outcome o = training_run(folder, c, &d, 0);
    training_expect_reference("two threads", folder, &o);
    training_remove(folder);
    free(folder);
    config_free(c);
}

/* train.select: best ends with the weights of the best epoch, also when interrupted after it. */
static void test_best(void **state)
{
    (void)state;
    struct config *c = training_configure((const char *const[][2]){{"train.select", "best"},
                                                                   {"train.epochs", "6"},
                                                                   {"train.lr", "0.02"},
                                                                   {"train.schedule", "constant"},
                                                                   {NULL, NULL}});
    struct device d = training_device();
    char *a = training_folder("best"), *b = training_folder("best-resumed");
    struct training_outcome whole = training_run(a, c, &d, 0), parts = training_run(b, c, &d, 5);
    double best = metrics_get(&whole.metrics, "val/best_top1");
    assert_true(metrics_get(&whole.metrics, "val/top1") == best);
    assert_string_equal(whole.weights, parts.weights);
    assert_string_equal(whole.bits, parts.bits);
    print_message("best epoch %g of 6\n", metrics_get(&whole.metrics, "val/best_epoch"));
    training_remove(a);
    training_remove(b);
    free(a);
    free(b);
    config_free(c);
}

static void test_nonfinite(void **state)
{
    (void)state;
    static const char *const huge[][2] = {
        {"train.lr", "100"},          {"train.warmup_epochs", "0"},   {"train.clip", "0"},
        {"train.weight_decay", "10"}, {"train.schedule", "constant"}, {NULL, NULL}};
    struct config *c = training_configure(huge);
    struct device d = training_device();
    struct error err = {0};
    struct metrics m;
    struct trainer t;
    struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
    if (trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(trainer_run(&t, &err), -1);
    assert_int_equal(err.code, EXIT_FAILED);
    if (!strstr(err.msg, "is not finite in epoch ") || strchr(err.msg, '\n'))
        fail_msg("%s", err.msg);
    trainer_close(&t);

    if (config_set(c, "train.on_nonfinite", "continue", (struct config_origin){"test", 0, 0},
                   &err) ||
        config_resolve(c, &err) || trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(trainer_run(&t, &err), 0);
    assert_int_equal(trainer_finish(&t, &m, &err), 0);
    assert_true(metrics_get(&m, "train/nonfinite") >= 1);
    trainer_close(&t);
    config_free(c);
}

/* Labels that are mixed keep their whole weight, but with data.mix.smooth. */
static void test_smooth_mixing(void **state)
{
    (void)state;
    for (int smooth = 0; smooth < 2; smooth++) {
        struct config *c = training_configure(
            (const char *const[][2]){{"data.mix.mixup_alpha", "1"},
                                     {"data.mix.smooth", smooth ? "true" : "false"},
                                     {"train.label_smoothing", "0.2"},
                                     {NULL, NULL}});
        struct device d = training_device();
        struct error err = {0};
        struct trainer t;
        struct trainer_options o = {
            .config = c, .device = &d, .seed = 3, .cell = "", .stop_after = 1};
        if (trainer_open(&t, &o, &err) || trainer_run(&t, &err) < 0)
            fail_msg("%s", err.msg);
        for (int i = 0; i < 16; i++) {
            const float *row = t.mixer.targets + 10 * (ptrdiff_t)i;
            float least = 1, sum = 0;
            for (int k = 0; k < 10; k++) {
                least = fminf(least, row[k]);
                sum += row[k];
            }
            assert_true(fabsf(sum - 1) < 1e-6F);
            assert_true(fabsf(least - (smooth ? 0.02F : 0)) < 1e-7F);
        }
        trainer_close(&t);
        config_free(c);
    }
}

static void expect_refusal(const char *const pairs[][2], int code, const char *says)
{
    struct config *c = training_configure(pairs);
    struct device d = training_device();
    struct error err = {0};
    struct trainer t;
    struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
    assert_int_equal(trainer_open(&t, &o, &err), -1);
    if (err.code != code || !strstr(err.msg, says))
        fail_msg("code %d, '%s' should say '%s'", err.code, err.msg, says);
    config_free(c);
}

static void test_refusals(void **state)
{
    (void)state;
    expect_refusal((const char *const[][2]){{"model.classes", "7"}, {NULL, NULL}}, EXIT_USAGE,
                   "model.classes 7: shapes has 10 classes (set model.classes=10)");
    expect_refusal((const char *const[][2]){{"model.channels", "4"}, {NULL, NULL}}, EXIT_USAGE,
                   "model.channels 4: images of shapes have 3");
    expect_refusal((const char *const[][2]){{"train.batch", "101"}, {NULL, NULL}}, EXIT_USAGE,
                   "train.batch 101: shapes has only 100 training images");
    expect_refusal((const char *const[][2]){{"train.warmup_epochs", "3"}, {NULL, NULL}}, EXIT_USAGE,
                   "train.warmup_epochs");
    struct device d;
    struct error err = {0};
    assert_int_equal(device_open(&d, "gpu", 1, &err), -1);
    assert_int_equal(err.code, EXIT_USAGE);
    assert_non_null(strstr(err.msg, "unknown device gpu"));
    assert_int_equal(device_open(&d, "null", 1, &err), -1);
    assert_non_null(strstr(err.msg, "computes nothing"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_learns),        cmocka_unit_test(test_events),
        cmocka_unit_test(test_short_epochs),  cmocka_unit_test(test_threads),
        cmocka_unit_test(test_best),          cmocka_unit_test(test_nonfinite),
        cmocka_unit_test(test_smooth_mixing), cmocka_unit_test(test_refusals)};
    return cmocka_run_group_tests_name("trainer", tests, training_setup, training_teardown);
}
