/* Evaluation: ranks and losses of logits, and batches of any size. */
#include "train/trainer.h"

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

static void test_scores(void **state)
{
    (void)state;
    const float logits[] = {1, 3, 2, 3, -1, 0}, bad[] = {NAN, 1, NAN};
    assert_int_equal(score_rank(logits, 6, 1), 0);
    assert_int_equal(score_rank(logits, 6, 3), 1); /* equal, later */
    assert_int_equal(score_rank(logits, 6, 4), 5);
    assert_int_equal(score_rank(bad, 3, 1), 0);
    assert_int_equal(score_rank(bad, 3, 0), 3);
    const float even[] = {1000, 1000};
    assert_true(fabs(score_loss(even, 2, 0) - log(2)) < 1e-12);
    assert_true(isnan(score_loss(bad, 3, 1)));
}

/* The reference top-1 and top-5, where they are at hand. */
static void test_scores_golden(void **state)
{
    (void)state;
    char path[600];
    const char *shared = getenv("VITTM_SHARED");
    struct safetensors s;
    struct error err = {0};
    snprintf(path, sizeof path, "%s/golden/data/metric_topk.safetensors",
             shared ? shared : "../shared");
    if (!file_exists(path)) {
        print_message("no %s\n", path);
        skip();
    }
    if (safetensors_open(&s, path, &err))
        fail_msg("%s", err.msg);
    const struct safetensors_tensor *x = safetensors_find(&s, "logits"),
                                    *y = safetensors_find(&s, "labels");
    float *logits = malloc((size_t)x->count * sizeof *logits);
    int32_t *labels = malloc((size_t)y->count * sizeof *labels);
    double top1, top5;
    struct score score = {0};
    safetensors_read_float(x, logits);
    assert_int_equal(safetensors_read_int32(y, labels, &err), 0);
    safetensors_read_double(safetensors_find(&s, "top1"), &top1);
    safetensors_read_double(safetensors_find(&s, "top5"), &top5);
    score_add(&score, logits, labels, (int)y->count, (int)x->dim[1], NULL);
    double scale = top1 > 1 ? 100 : 1;
    assert_true(fabs(scale * (double)score.top1 / (double)score.images - top1) < 1e-9);
    assert_true(fabs(scale * (double)score.top5 / (double)score.images - top5) < 1e-9);
    free(labels);
    free(logits);
    safetensors_close(&s);
}

/* Batches of any size count every image once. */
static void test_evaluation_batches(void **state)
{
    (void)state;
    static const char *const sizes[] = {"1", "7", "50", "64"};
    struct metrics first = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct config *c = training_configure((const char *const[][2]){
            {"train.eval_batch", sizes[i]}, {"train.epochs", "1"}, {NULL, NULL}});
        struct device d = training_device();
        struct metrics m;
        struct trainer t;
        training_whole(&t, c, &d, 3, &m);
        assert_int_equal(t.evaluation.images, 50);
        assert_int_equal(t.evaluation.scores[0].images, 50);
        int bits = 0;
        for (int k = 0; k < 50; k++)
            bits += t.evaluation.correct[k / 8] >> k % 8 & 1;
        assert_int_equal(bits, t.evaluation.scores[0].top1);
        if (!i)
            first = m;
        assert_true(metrics_get(&m, "val/top1") == metrics_get(&first, "val/top1"));
        assert_true(metrics_get(&m, "val/top5") == metrics_get(&first, "val/top5"));
        assert_true(fabs(metrics_get(&m, "val/loss") - metrics_get(&first, "val/loss")) < 1e-5);
        trainer_close(&t);
        config_free(c);
    }
}

/* The cross entropy is always there; what is trained besides, of each classifier and their sum. */
static void test_own_loss(void **state)
{
    (void)state;
    struct config *c = training_configure((const char *const[][2]){{"train.loss", "bce"},
                                                                   {"train.epochs", "1"},
                                                                   {"train.warmup_epochs", "0"},
                                                                   {"train.average", "ema"},
                                                                   {NULL, NULL}});
    struct device d = training_device();
    struct error err = {0};
    struct metrics m;
    struct trainer t;
    struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
    assert_true(isnan(metrics_get(&training_reference.metrics, "val/bce")));
    if (trainer_open(&t, &o, &err) || trainer_run(&t, &err) || trainer_finish(&t, &m, &err))
        fail_msg("%s", err.msg);
    double sum = metrics_get(&m, "val/memory_bce") + metrics_get(&m, "val/process_bce");
    assert_true(fabs(metrics_get(&m, "val/bce") - sum) < 1e-9 * sum);
    assert_true(isfinite(metrics_get(&m, "val/ema_bce")) && isfinite(metrics_get(&m, "val/loss")));
    assert_true(metrics_get(&m, "val/bce") != metrics_get(&m, "val/loss"));
    trainer_close(&t);
    config_free(c);
}

/* Which of two classifiers counts changes names and bits, and nothing that is trained. */
static void test_eval_head(void **state)
{
    (void)state;
    static const char *const heads[] = {"memory", "process", "mean"};
    struct metrics m[3];
    for (int i = 0; i < 3; i++) {
        struct config *c = training_configure((const char *const[][2]){
            {"train.eval_head", heads[i]}, {"train.epochs", "2"}, {NULL, NULL}});
        struct device d = training_device();
        struct trainer t;
        training_whole(&t, c, &d, 3, &m[i]);
        assert_int_equal(t.evaluation.head, i);
        int bits = 0;
        for (int k = 0; k < 50; k++)
            bits += t.evaluation.correct[k / 8] >> k % 8 & 1;
        assert_int_equal(bits, t.evaluation.scores[i].top1);
        assert_true(metrics_get(&m[i], "val/top1") == 2.0 * bits);
        assert_true(metrics_get(&m[i], "val/best_top1") >= metrics_get(&m[i], "val/top1"));
        assert_true(metrics_get(&m[i], "val/loss") == metrics_get(&m[0], "val/loss"));
        trainer_close(&t);
        config_free(c);
    }
    static const char *const numbers[] = {"top1", "top5"};
    for (int k = 0; k < 2; k++) {
        char top[32], memory[32], process[32];
        snprintf(top, sizeof top, "val/%s", numbers[k]);
        snprintf(memory, sizeof memory, "val/memory_%s", numbers[k]);
        snprintf(process, sizeof process, "val/process_%s", numbers[k]);
        assert_true(isnan(metrics_get(&m[0], memory)) && isnan(metrics_get(&m[1], process)));
        assert_true(metrics_get(&m[1], top) == metrics_get(&m[0], process));
        assert_true(metrics_get(&m[1], memory) == metrics_get(&m[0], top));
        assert_true(metrics_get(&m[2], memory) == metrics_get(&m[0], top));
        assert_true(metrics_get(&m[2], process) == metrics_get(&m[0], process));
    }
    assert_true(metrics_get(&m[0], "val/top1") != metrics_get(&m[0], "val/process_top1"));
}

/* Of two classifiers one of which says nothing, the mean says what the other does. */
static void test_mean_of_logits(void **state)
{
    (void)state;
    static const char *const modules[] = {"process_head", "head"};
    struct config *c = training_configure(
        (const char *const[][2]){{"train.eval_head", "mean"}, {"train.epochs", "2"}, {NULL, NULL}});
    struct device d = training_device();
    struct error err = {0};
    struct metrics m;
    struct trainer t;
    training_whole(&t, c, &d, 3, &m);
    for (int mute = 0; mute < 2; mute++) {
        struct evaluate_options o;
        struct evaluation e;
        weights_get(&t.weights, &t.net);
        for (int i = 0; i < t.weights.n; i++) {
            const struct tensor *p = t.weights.tensors[i];
            size_t n = strlen(modules[mute]);
            if (!strncmp(p->name, modules[mute], n) && p->name[n] == '.')
                memset(t.weights.values[i], 0,
                       t.weights.value_size * (size_t)shape_count(p->shape));
        }
        weights_put(&t.weights, &t.eval_net);
        assert_int_equal(evaluate_options_init(&o, c, &err), 0);
        assert_int_equal(evaluate(&e, &t.eval_net, t.val_set, &o, &err), 0);
        assert_int_equal(e.scores[2].images, 50);
        assert_int_equal(e.scores[2].top1, e.scores[mute].top1);
        assert_int_equal(e.scores[2].top5, e.scores[mute].top5);
        assert_int_not_equal(e.scores[2].top1, e.scores[!mute].top1);
        evaluation_release(&e);
    }
    trainer_close(&t);
    config_free(c);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scores),
                                       cmocka_unit_test(test_scores_golden),
                                       cmocka_unit_test(test_evaluation_batches),
                                       cmocka_unit_test(test_own_loss),
                                       cmocka_unit_test(test_eval_head),
                                       cmocka_unit_test(test_mean_of_logits)};
    return cmocka_run_group_tests_name("evaluate", tests, training_setup, training_teardown);
}
