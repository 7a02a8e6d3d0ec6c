/* The trainer on a tiny ViTTM and the built-in shapes: it learns, and neither threads nor
 * interruptions nor damaged checkpoints change a bit of what it ends with. */
#include "train/trainer.h"

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "tests/support/run.h"
#include "train/keys.h"
#include "train/run_config.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

enum { EPOCHS = 3, STEPS_AN_EPOCH = 6, STEPS = EPOCHS * STEPS_AN_EPOCH };

static const char tiny[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, rw_head: linear, fusion: add,\n"
    "  drop_path: 0.3}\n"
    "data: {dataset: shapes, train_size: 100, val_size: 50}\n"
    "train: {epochs: 3, batch: 16, lr: 3e-3, eval_batch: 20, label_smoothing: 0.1}\n";

static struct config *configure(const char *const pairs[][2])
{
    return run_configure(tiny, pairs);
}

static struct device one_thread(void)
{
    return run_device("cpu", 1);
}

/* ---- folders
 * ------------------------------------------------------------------------------------- */

static char root[200];

static int make_root(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/vittm-trainer-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

static const char *in(const char *folder, const char *name)
{
    static char path[2][500];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

static void remove_run(const char *folder)
{
    static const char *const names[] = {"events.jsonl",
                                        "progress.json",
                                        "weights.safetensors",
                                        "correct.bits",
                                        "checkpoint.safetensors",
                                        "checkpoint.previous.safetensors",
                                        "checkpoint.next.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(in(folder, names[i]));
    rmdir(folder);
}

static int remove_root(void **state)
{
    (void)state;
    return rmdir(root);
}

static char *make_run(const char *name)
{
    struct error err = {0};
    char *folder = strdup(in(root, name));
    if (file_make_folder(folder, &err))
        fail_msg("%s", err.msg);
    return folder;
}

/* ---- running
 * ------------------------------------------------------------------------------------- */

/* What a run ended with. */
struct outcome {
    char weights[65], bits[65];
    struct metrics metrics;
    int attempts;
};

/* Attempts that stop after so many steps each, until it is done. 0: one attempt. */
static struct outcome run_in(const char *folder, const struct config *c, const struct device *d,
                             int64_t stop_after)
{
    struct outcome o = {.attempts = 0};
    for (int rc = 1; rc == 1;) {
        struct error err = {0};
        struct trainer t;
        struct trainer_options options = {.config = c,
                                          .device = d,
                                          .seed = 7,
                                          .cell = "tiny",
                                          .folder = folder,
                                          .stop_after = stop_after};
        if (trainer_open(&t, &options, &err))
            fail_msg("%s", err.msg);
        if (++o.attempts > 100)
            fail_msg("it does not come forward");
        rc = trainer_run(&t, &err);
        if (!rc)
            rc = trainer_finish(&t, &o.metrics, &err);
        if (!rc)
            rc = trainer_save(&t, o.weights, &err);
        if (rc < 0)
            fail_msg("%s", err.msg);
        trainer_close(&t);
    }
    struct error err = {0};
    if (file_sha256(in(folder, "correct.bits"), o.bits, &err))
        fail_msg("%s", err.msg);
    return o;
}

/* "epoch metric value" of every event that is not a time, the last one of each winning, as text. */
static void read_history(const char *folder, struct strbuf *out)
{
    char *data, *line, *rest;
    size_t size;
    struct error err = {0};
    char *lines[100] = {NULL};
    if (file_read(in(folder, "events.jsonl"), 1 << 20, &data, &size, &err))
        fail_msg("%s", err.msg);
    for (line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        json_t *m = json_object_get(event, "metrics");
        json_int_t epoch = json_integer_value(json_object_get(event, "epoch"));
        assert_true(epoch >= 1 && epoch < 100);
        json_object_del(m, "train/img_s");
        json_object_del(event, "time");
        free(lines[epoch]);
        lines[epoch] = json_dumps(event, JSON_SORT_KEYS | JSON_REAL_PRECISION(17));
        json_decref(event);
    }
    for (int i = 0; i < 100; i++) {
        if (lines[i])
            strbuf_addf(out, "%s\n", lines[i]);
        free(lines[i]);
    }
    free(data);
}

static struct outcome reference;
static struct strbuf reference_history = STRBUF_INIT;

/* The uninterrupted run that all others must equal. */
static int make_reference(void **state)
{
    if (make_root(state))
        return -1;
    struct config *c = configure(NULL);
    struct device d = one_thread();
    char *folder = make_run("reference");
    reference = run_in(folder, c, &d, 0);
    read_history(folder, &reference_history);
    remove_run(folder);
    free(folder);
    config_free(c);
    return 0;
}

static int drop_reference(void **state)
{
    strbuf_release(&reference_history);
    return remove_root(state);
}

static void expect_reference(const char *what, const char *folder, const struct outcome *o)
{
    struct strbuf history = STRBUF_INIT;
    if (strcmp(o->weights, reference.weights))
        fail_msg("%s: other weights", what);
    if (strcmp(o->bits, reference.bits))
        fail_msg("%s: other images are right", what);
    read_history(folder, &history);
    if (strcmp(history.text, reference_history.text))
        fail_msg("%s: other curves:\n%snot\n%s", what, history.text, reference_history.text);
    strbuf_release(&history);
    for (int i = 0; i < reference.metrics.n; i++) {
        const struct metric *m = &reference.metrics.all[i];
        double have = metrics_get(&o->metrics, m->name);
        if (strcmp(m->name, "train/img_s") && have != m->value)
            fail_msg("%s: %s is %.17g, not %.17g", what, m->name, have, m->value);
    }
}

/* ---- tests
 * --------------------------------------------------------------------------------------- */

static void test_learns(void **state)
{
    (void)state;
    struct config *c = configure((const char *const[][2]){{"train.epochs", "60"},
                                                          {"model.drop_path", "0"},
                                                          {"train.label_smoothing", "0"},
                                                          {"train.lr", "0.01"},
                                                          {"train.eval_every", "60"},
                                                          {NULL, NULL}});
    struct device d = one_thread();
    struct error err = {0};
    struct metrics m;
    struct trainer t;
    struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
    if (trainer_open(&t, &o, &err) || trainer_run(&t, &err) || trainer_finish(&t, &m, &err))
        fail_msg("%s", err.msg);
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
    for (const char *p = reference_history.text; *p; p++)
        lines += *p == '\n';
    assert_int_equal(lines, EPOCHS);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        if (!strstr(reference_history.text, names[i]))
            fail_msg("no %s in %s", names[i], reference_history.text);
        assert_true(isfinite(metrics_get(&reference.metrics, names[i])));
    }
}

static void test_resume(void **state)
{
    (void)state;
    /* Within the first epoch, at its end, after it, one step at a time. */
    static const int64_t stops[] = {1, 4, STEPS_AN_EPOCH, STEPS_AN_EPOCH + 1, STEPS - 1};
    struct config *c = configure(NULL);
    struct device d = one_thread();
    for (size_t i = 0; i < sizeof stops / sizeof *stops; i++) {
        char what[60];
        char *folder = make_run("resumed");
        struct outcome o = run_in(folder, c, &d, stops[i]);
        snprintf(what, sizeof what, "stopped every %lld steps", (long long)stops[i]);
        assert_int_equal(o.attempts,
                         (STEPS + stops[i] - 1) / stops[i] + (STEPS % stops[i] == 0 ? 1 : 0));
        expect_reference(what, folder, &o);
        remove_run(folder);
        free(folder);
    }
    config_free(c);
}

/* train.steps ends every epoch early, evaluates all the same, and resumes like any other run. */
static void test_short_epochs(void **state)
{
    (void)state;
    struct config *c = configure(
        (const char *const[][2]){{"train.steps", "2"}, {"train.warmup_epochs", "0"}, {NULL, NULL}});
    struct device d = one_thread();
    char *whole = make_run("short"), *parts = make_run("short-resumed");
    struct outcome a = run_in(whole, c, &d, 0), b = run_in(parts, c, &d, 2 * EPOCHS - 1);
    struct strbuf history = STRBUF_INIT;
    char last[40];
    read_history(whole, &history);
    snprintf(last, sizeof last, "\"step\": %d}", 2 * EPOCHS);
    assert_non_null(strstr(history.text, last));
    assert_int_equal(a.attempts, 1);
    assert_int_equal(b.attempts, 2); /* 2 * EPOCHS steps in all, and one attempt left one out */
    assert_string_equal(a.weights, b.weights);
    assert_string_not_equal(a.weights, reference.weights);
    strbuf_release(&history);
    remove_run(whole);
    remove_run(parts);
    free(whole);
    free(parts);
    config_free(c);
}

/* Mixing and erasing draw by seed, epoch and batch: an interrupted run ends with the same bits. */
static void test_mixing(void **state)
{
    (void)state;
    struct config *c = configure((const char *const[][2]){{"data.mix.mixup_alpha", "0.8"},
                                                          {"data.mix.cutmix_alpha", "0.8"},
                                                          {"data.erase.probability", "0.5"},
                                                          {"train.loss", "bce"},
                                                          {NULL, NULL}});
    struct device d = one_thread();
    char *whole = make_run("mixed"), *parts = make_run("mixed-resumed"), *plain = make_run("plain");
    struct outcome a = run_in(whole, c, &d, 0), b = run_in(parts, c, &d, 4);
    config_free(c);
    c = configure((const char *const[][2]){{"train.loss", "bce"}, {NULL, NULL}});
    struct outcome without = run_in(plain, c, &d, 0);
    assert_string_equal(a.weights, b.weights);
    assert_string_not_equal(a.weights, without.weights);
    remove_run(whole);
    remove_run(parts);
    remove_run(plain);
    free(whole);
    free(parts);
    free(plain);
    config_free(c);
}

static void test_threads(void **state)
{
    (void)state;
    struct config *c =
        configure((const char *const[][2]){{"train.loader_threads", "3"}, {NULL, NULL}});
    struct device d = one_thread();
    char *folder = make_run("threads");
    d.options.threads = 2;
    struct outcome o = run_in(folder, c, &d, 0);
    expect_reference("two threads", folder, &o);
    remove_run(folder);
    free(folder);
    config_free(c);
}

/* Stops a run after some steps, so that checkpoints are there. */
static void run_part(const char *folder, const struct config *c, const struct device *d,
                     int64_t steps, uint64_t seed)
{
    struct error err = {0};
    struct trainer t;
    struct trainer_options o = {.config = c,
                                .device = d,
                                .seed = seed,
                                .cell = "tiny",
                                .folder = folder,
                                .stop_after = steps};
    if (trainer_open(&t, &o, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(trainer_run(&t, &err), 1);
    trainer_close(&t);
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
    struct config *c = configure(NULL);
    struct device d = one_thread();
    char *folder = make_run("damaged");
    int64_t stop = STEPS_AN_EPOCH + 2;
    run_part(folder, c, &d, stop, 7);
    assert_int_equal(resumes_at(folder, c, &d), stop);
    flip(in(folder, "checkpoint.safetensors"), -100);
    assert_int_equal(resumes_at(folder, c, &d), STEPS_AN_EPOCH); /* the one before */
    /* Killed between writing the new one and moving it in. */
    rename(in(folder, "checkpoint.previous.safetensors"),
           in(folder, "checkpoint.next.safetensors"));
    assert_int_equal(resumes_at(folder, c, &d), STEPS_AN_EPOCH);
    struct outcome o = run_in(folder, c, &d, 0);
    expect_reference("damaged checkpoint", folder, &o);
    remove_run(folder);

    free(folder);
    folder = make_run("damaged");
    run_part(folder, c, &d, stop, 7);
    flip(in(folder, "checkpoint.safetensors"), 40); /* in the header */
    truncate(in(folder, "checkpoint.previous.safetensors"), 1000);
    assert_int_equal(resumes_at(folder, c, &d), 0);
    o = run_in(folder, c, &d, 0);
    expect_reference("no checkpoint left", folder, &o);
    remove_run(folder);
    free(folder);
    config_free(c);
}

static void test_foreign_checkpoint(void **state)
{
    (void)state;
    struct config *c = configure(NULL),
                  *other = configure((const char *const[][2]){{"model.dim", "32"}, {NULL, NULL}});
    struct device d = one_thread();
    char *folder = make_run("foreign");
    run_part(folder, c, &d, 3, 8); /* another seed */
    assert_int_equal(resumes_at(folder, c, &d), 0);
    run_part(folder, other, &d, 3, 7); /* another order or size of parameters under the same name */
    assert_int_equal(resumes_at(folder, c, &d), 0);
    remove_run(folder);
    free(folder);
    config_free(other);
    config_free(c);
}

static void test_torn_event(void **state)
{
    (void)state;
    struct config *c = configure(NULL);
    struct device d = one_thread();
    char *folder = make_run("torn"), *data;
    size_t size;
    struct error err = {0};
    run_part(folder, c, &d, STEPS_AN_EPOCH + 1, 7);
    FILE *f = fopen(in(folder, "events.jsonl"), "a");
    fputs("{\"epoch\":2,\"st", f);
    fclose(f);
    run_part(folder, c, &d, STEPS_AN_EPOCH, 7);
    assert_int_equal(file_read(in(folder, "events.jsonl"), 1 << 20, &data, &size, &err), 0);
    assert_non_null(strstr(data, "{\"epoch\":2,\"st\n{\"epoch\":2,"));
    free(data);
    remove_run(folder);
    free(folder);
    config_free(c);
}

/* train.select: best ends with the weights of the best epoch, also when interrupted after it. */
static void test_best(void **state)
{
    (void)state;
    struct config *c = configure((const char *const[][2]){{"train.select", "best"},
                                                          {"train.epochs", "6"},
                                                          {"train.lr", "0.02"},
                                                          {"train.schedule", "constant"},
                                                          {NULL, NULL}});
    struct device d = one_thread();
    char *a = make_run("best"), *b = make_run("best-resumed");
    struct outcome whole = run_in(a, c, &d, 0), parts = run_in(b, c, &d, 5);
    double best = metrics_get(&whole.metrics, "val/best_top1");
    assert_true(metrics_get(&whole.metrics, "val/top1") == best);
    assert_string_equal(whole.weights, parts.weights);
    assert_string_equal(whole.bits, parts.bits);
    print_message("best epoch %g of 6\n", metrics_get(&whole.metrics, "val/best_epoch"));
    remove_run(a);
    remove_run(b);
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
    struct config *c = configure(huge);
    struct device d = one_thread();
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

static void expect_refusal(const char *const pairs[][2], int code, const char *says)
{
    struct config *c = configure(pairs);
    struct device d = one_thread();
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

/* Batches of any size count every image once. */
static void test_evaluation_batches(void **state)
{
    (void)state;
    static const char *const sizes[] = {"1", "7", "50", "64"};
    struct metrics first = {0};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct config *c = configure((const char *const[][2]){
            {"train.eval_batch", sizes[i]}, {"train.epochs", "1"}, {NULL, NULL}});
        struct device d = one_thread();
        struct error err = {0};
        struct metrics m;
        struct trainer t;
        struct trainer_options o = {.config = c, .device = &d, .seed = 3, .cell = ""};
        if (trainer_open(&t, &o, &err) || trainer_run(&t, &err) || trainer_finish(&t, &m, &err))
            fail_msg("%s", err.msg);
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

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_scores),
                                       cmocka_unit_test(test_scores_golden),
                                       cmocka_unit_test(test_learns),
                                       cmocka_unit_test(test_events),
                                       cmocka_unit_test(test_resume),
                                       cmocka_unit_test(test_short_epochs),
                                       cmocka_unit_test(test_mixing),
                                       cmocka_unit_test(test_threads),
                                       cmocka_unit_test(test_damage),
                                       cmocka_unit_test(test_foreign_checkpoint),
                                       cmocka_unit_test(test_torn_event),
                                       cmocka_unit_test(test_best),
                                       cmocka_unit_test(test_nonfinite),
                                       cmocka_unit_test(test_refusals),
                                       cmocka_unit_test(test_evaluation_batches)};
    return cmocka_run_group_tests_name("trainer", tests, make_reference, drop_reference);
}
