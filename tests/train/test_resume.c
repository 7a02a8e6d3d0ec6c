/* Neither interruptions nor damaged checkpoints change a bit of what a run ends with. */
#include "train/trainer.h"

#include "base/error.h"
#include "base/file.h"
#include "tests/support/training.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void test_resume(void **state)
{
    (void)state;
    /* Within the first epoch, at its end, after it, one step at a time. */
    static const int64_t stops[] = {1, 4, TRAINING_EPOCH_STEPS, TRAINING_EPOCH_STEPS + 1,
                                    TRAINING_STEPS - 1};
    struct config *c = training_configure(NULL);
    struct device d = training_device();
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char what[60];
        char *folder = training_folder("resumed");
        struct training_outcome o = training_run(folder, c, &d, stops[i]);
        snprintf(what, sizeof what, "stopped every %lld steps", (long long)stops[i]);
        assert_int_equal(o.attempts, (TRAINING_STEPS + stops[i] - 1) / stops[i] +
                                         (TRAINING_STEPS % stops[i] == 0 ? 1 : 0));
        training_expect_reference(what, folder, &o);
        training_remove(folder);
        free(folder);
    }
    config_free(c);
}

/* Mixing and erasing draw by seed, epoch and batch: an interrupted run ends with the same bits. */
static void test_mixing(void **state)
{
    (void)state;
    struct config *c =
        training_configure((const char *const[][2]){{"data.mix.mixup_alpha", "0.8"},
                                                    {"data.mix.cutmix_alpha", "0.8"},
                                                    {"data.erase.probability", "0.5"},
                                                    {"train.loss", "bce"},
                                                    {NULL, NULL}});
    struct device d = training_device();
    char *whole = training_folder("mixed"), *parts = training_folder("mixed-resumed"),
         *plain = training_folder("plain");
    struct training_outcome a = training_run(whole, c, &d, 0), b = training_run(parts, c, &d, 4);
    config_free(c);
    c = training_configure((const char *const[][2]){{"train.loss", "bce"}, {NULL, NULL}});
    struct training_outcome without = training_run(plain, c, &d, 0);
    assert_string_equal(a.weights, b.weights);
    assert_string_not_equal(a.weights, without.weights);
    training_remove(whole);
    training_remove(parts);
    training_remove(plain);
    free(whole);
    free(parts);
    free(plain);
    config_free(c);
}

static void flip(const char *path, off_t at)
{
    FILE *f = fopen(path, "r+b");
    assert_non_null(f);
    fseek(f, at, at < 0 ? SEEK_END : SEEK_SET);
    int c = fgetc(f);
    fseek(f, -1, SEEK_CUR);
    fputc(c ^ 4, f);
    fclose(f);
}

/* The step that a run would go on from. */
static int64_t resumes_at(const char *folder, const struct config *c, const struct device *d)
{
    struct error err = {0};
    struct trainer t;
    struct trainer_options o = {
        .config = c, .device = d, .seed = 7, .cell = "tiny", .folder = folder};
    if (trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    int64_t step = t.at.step;
    trainer_close(&t);
    return step;
}

static void test_damage(void **state)
{
    (void)state;
    struct config *c = training_configure(NULL);
    struct device d = training_device();
    char *folder = training_folder("damaged");
    int64_t stop = TRAINING_EPOCH_STEPS + 2;
    training_part(folder, c, &d, stop, 7);
    assert_int_equal(resumes_at(folder, c, &d), stop);
    flip(training_path(folder, "checkpoint.safetensors"), -100);
    assert_int_equal(resumes_at(folder, c, &d), TRAINING_EPOCH_STEPS); /* the one before */
    /* Killed between writing the new one and moving it in. */
    rename(training_path(folder, "checkpoint.previous.safetensors"),
           training_path(folder, "checkpoint.next.safetensors"));
    assert_int_equal(resumes_at(folder, c, &d), TRAINING_EPOCH_STEPS);
    struct training_outcome o = training_run(folder, c, &d, 0);
    training_expect_reference("damaged checkpoint", folder, &o);
    training_remove(folder);

    free(folder);
    folder = training_folder("damaged");
    training_part(folder, c, &d, stop, 7);
    flip(training_path(folder, "checkpoint.safetensors"), 40); /* in the header */
    truncate(training_path(folder, "checkpoint.previous.safetensors"), 1000);
    assert_int_equal(resumes_at(folder, c, &d), 0);
    o = training_run(folder, c, &d, 0);
    training_expect_reference("no checkpoint left", folder, &o);
    training_remove(folder);
    free(folder);
    config_free(c);
}

static void test_foreign_checkpoint(void **state)
{
    (void)state;
    struct config *c = training_configure(NULL),
                  *other = training_configure(
                      (const char *const[][2]){{"model.dim", "32"}, {NULL, NULL}});
    struct device d = training_device();
    char *folder = training_folder("foreign");
    training_part(folder, c, &d, 3, 8); /* another seed */
    assert_int_equal(resumes_at(folder, c, &d), 0);
    training_part(folder, other, &d, 3,
                  7); /* another order or size of parameters under the same name */
    assert_int_equal(resumes_at(folder, c, &d), 0);
    training_remove(folder);
    free(folder);
    config_free(other);
    config_free(c);
}

static void test_torn_event(void **state)
{
    (void)state;
    struct config *c = training_configure(NULL);
    struct device d = training_device();
    char *folder = training_folder("torn"), *data;
    size_t size;
    struct error err = {0};
    training_part(folder, c, &d, TRAINING_EPOCH_STEPS + 1, 7);
    FILE *f = fopen(training_path(folder, "events.jsonl"), "a");
    fputs("{\"epoch\":2,\"st", f);
    fclose(f);
    training_part(folder, c, &d, TRAINING_EPOCH_STEPS, 7);
    assert_int_equal(file_read(training_path(folder, "events.jsonl"), 1 << 20, &data, &size, &err),
                     0);
    assert_non_null(strstr(data, "{\"epoch\":2,\"st\n{\"epoch\":2,"));
    free(data);
    training_remove(folder);
    free(folder);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_resume), cmocka_unit_test(test_mixing), cmocka_unit_test(test_damage),
        cmocka_unit_test(test_foreign_checkpoint), cmocka_unit_test(test_torn_event)};
    return cmocka_run_group_tests_name("resume", tests, training_setup, training_teardown);
}
