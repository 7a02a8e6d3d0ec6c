/* What a training step does besides the loss: sums over micro-batches, running means, frozen and
 * undecayed parameters, gradient descent; through the trainer on a tiny ViTTM. */
#include "train/update.h"

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "train/keys.h"
#include "train/run_config.h"
#include "train/trainer.h"
#include "train/weights_fit.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char tiny[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, rw_head: linear, fusion: add}\n"
    "data: {dataset: shapes, train_size: 110, val_size: 50}\n"
    "train: {epochs: 2, batch: 16, lr: 3e-3, eval_batch: 20, warmup_epochs: 0}\n";

/* "key=value …" over the tiny configuration. */
static struct config *configure(const char *settings)
{
    struct error err = {0};
    struct config *c;
    char copy[500], *rest = copy;
    snprintf(copy, sizeof copy, "%s", settings);
    if (run_config_parse(&c, "tiny", tiny, strlen(tiny), &err))
        fail_msg("%s", err.msg);
    for (char *word; (word = strtok_r(rest, " ", &rest));) {
        char *value = strchr(word, '=');
        *value++ = '\0';
        if (config_set(c, word, value, (struct config_origin){"test", 0, 0}, &err))
            fail_msg("%s", err.msg);
    }
    if (config_resolve(c, &err))
        fail_msg("%s", err.msg);
    return c;
}

/* A trainer with what it borrows. */
struct run {
    struct config *config;
    struct device device;
    struct trainer trainer;
};

static void open_run(struct run *r, const char *settings, const char *folder, int64_t stop_after)
{
    struct error err = {0};
    *r = (struct run){.config = configure(settings)};
    if (device_open(&r->device, "cpu", 1, &err))
        fail_msg("%s", err.msg);
    struct trainer_options o = {.config = r->config,
                                .device = &r->device,
                                .seed = 7,
                                .cell = "tiny",
                                .folder = folder,
                                .stop_after = stop_after};
    if (trainer_open(&r->trainer, &o, &err))
        fail_msg("%s", err.msg);
}

static void close_run(struct run *r)
{
    trainer_close(&r->trainer);
    config_free(r->config);
}

/* Runs until it ends or stops, with the weights in trainer.weights. Returns trainer_run's code. */
static int go(struct run *r)
{
    struct error err = {0};
    int rc = trainer_run(&r->trainer, &err);
    if (rc < 0)
        fail_msg("%s", err.msg);
    weights_get(&r->trainer.weights, &r->trainer.net);
    return rc;
}

static void train(struct run *r, const char *settings, int64_t stop_after)
{
    open_run(r, settings, NULL, stop_after);
    assert_int_equal(go(r), stop_after > 0);
}

static size_t bytes(const struct weights *w, int i)
{
    return (size_t)shape_count(w->tensors[i]->shape) * w->value_size;
}

/* Parameters that differ between two runs in a bit, of those that is accepts. */
static int count_different(const struct weights *a, const struct weights *b,
                           int (*is)(const struct tensor *t), int *of)
{
    int n = 0;
    *of = 0;
    for (int i = 0; i < a->n; i++)
        if (is(a->tensors[i]) && !a->tensors[i]->unused) {
            ++*of;
            n += memcmp(a->values[i], weights_find(b, a->tensors[i]->name), bytes(a, i)) != 0;
        }
    return n;
}

static double distance(const struct weights *a, const struct weights *b)
{
    double most = 0;
    for (int i = 0; i < a->n; i++) {
        const float *x = (const float *)(const void *)a->values[i];
        const float *y = weights_find(b, a->tensors[i]->name);
        for (int64_t k = 0; k < shape_count(a->tensors[i]->shape); k++)
            most = fmax(most, fabs((double)x[k] - (double)y[k]));
    }
    return most;
}

static int is_any(const struct tensor *t)
{
    (void)t;
    return 1;
}

/* ---- accumulation ---------------------------------------------------------------------------- */

/* 6 batches of 16 in threes are 2 of 48 up to rounding. SGD, so that rounding stays small. */
static void test_accumulate(void **state)
{
    (void)state;
    static const char sgd[] = "train.optimizer=sgd train.lr=0.1 train.clip=0.5 ";
    struct run parts, whole, other;
    char settings[200];
    snprintf(settings, sizeof settings, "%s train.accumulate=3", sgd);
    train(&parts, settings, 0);
    snprintf(settings, sizeof settings, "%s train.batch=48", sgd);
    train(&whole, settings, 0);
    train(&other, sgd, 0);
    assert_int_equal(parts.trainer.at.step, 4);
    double same = distance(&parts.trainer.weights, &whole.trainer.weights);
    double apart = distance(&parts.trainer.weights, &other.trainer.weights);
    print_message("3 x 16 against 48: %.2g apart; against 16: %.2g\n", same, apart);
    if (!(same < 1e-5) || !(apart > 1e-2))
        fail_msg("%g and %g apart", same, apart);
    close_run(&parts);
    close_run(&whole);
    close_run(&other);
}

/* The last update of an epoch takes what there is. */
static void test_short_group(void **state)
{
    (void)state;
    struct run r;
    train(&r, "train.accumulate=4", 0); /* 6 batches an epoch: 4 and 2 */
    assert_int_equal(r.trainer.steps, 2);
    assert_int_equal(r.trainer.at.step, 4);
    close_run(&r);
}

/* ---- interruption ---------------------------------------------------------------------------- */

static const char everything[] =
    "train.accumulate=4 train.average=ema train.ema_decay=0.9 train.select=best_average "
    "train.decay_groups=embeddings_free model.drop_path=0.3 data.mix.mixup_alpha=0.8";

static void remove_run(const char *folder)
{
    static const char *const names[] = {"events.jsonl",
                                        "progress.json",
                                        "weights.safetensors",
                                        "average.safetensors",
                                        "correct.bits",
                                        "checkpoint.safetensors",
                                        "checkpoint.previous.safetensors"};
    char path[400];
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        snprintf(path, sizeof path, "%s/%s", folder, names[i]);
        unlink(path);
    }
    assert_int_equal(rmdir(folder), 0);
}

/* Digests of the weights and of the running mean that a run ends with which stops all the time. */
static void ends_with(const char *settings, int64_t stop_after, char digests[2][65],
                      struct metrics *m)
{
    const char *tmp = getenv("TMPDIR");
    char folder[200], path[300];
    struct error err = {0};
    struct run r;
    snprintf(folder, sizeof folder, "%s/vittm-update-XXXXXX", tmp ? tmp : "/tmp");
    assert_non_null(mkdtemp(folder));
    for (int rc = 1; rc;) {
        open_run(&r, settings, folder, stop_after);
        rc = go(&r);
        if (rc)
            close_run(&r);
    }
    if (trainer_finish(&r.trainer, m, &err) || trainer_save(&r.trainer, digests[0], &err))
        fail_msg("%s", err.msg);
    snprintf(path, sizeof path, "%s/average.safetensors", folder);
    digests[1][0] = '\0';
    if (file_exists(path) && file_sha256(path, digests[1], &err))
        fail_msg("%s", err.msg);
    close_run(&r);
    remove_run(folder);
}

static void test_resumed(void **state)
{
    (void)state;
    static const char *const settings[] = {
        everything, "train.optimizer=sgd train.lr=0.1 train.nesterov=true train.average=swa",
        "train.freeze=all_but_new train.average=ema train.accumulate=2"};
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++) {
        char whole[2][65], parts[2][65];
        struct metrics a = {0}, b = {0};
        ends_with(settings[i], 0, whole, &a);
        ends_with(settings[i], 1, parts, &b);
        assert_string_equal(whole[0], parts[0]);
        assert_string_equal(whole[1], parts[1]);
        for (int k = 0; k < a.n; k++)
            if (strcmp(a.all[k].name, "train/img_s") &&
                strcmp(a.all[k].name, "train/data_wait_s") &&
                a.all[k].value != metrics_get(&b, a.all[k].name))
                fail_msg("%s: %s differs", settings[i], a.all[k].name);
    }
}

/* ---- running means --------------------------------------------------------------------------- */

static void test_mean(void **state)
{
    (void)state;
    struct run r, plain;
    struct weights mean;
    /* Decay 0 is the weights themselves; the mean changes nothing of the training. */
    train(&r, "train.average=ema train.ema_decay=0", 0);
    train(&plain, "train.epochs=2", 0);
    int of;
    assert_int_equal(count_different(&r.trainer.weights, &plain.trainer.weights, is_any, &of), 0);
    weights_init(&mean, &r.trainer.net);
    weights_get_mean(&mean, &r.trainer.net);
    assert_true(distance(&mean, &r.trainer.weights) < 1e-7);
    const struct metrics *m = &r.trainer.at.last;
    assert_true(metrics_get(m, "val/ema_top1") == metrics_get(m, "val/top1"));
    assert_true(isfinite(metrics_get(m, "val/ema_process_top5")));
    weights_release(&mean);
    close_run(&r);
    close_run(&plain);
    /* After one update it is a copy to the bit. */
    train(&r, "train.average=ema", 1);
    weights_init(&mean, &r.trainer.net);
    weights_get_mean(&mean, &r.trainer.net);
    assert_int_equal(count_different(&mean, &r.trainer.weights, is_any, &of), 0);
    weights_release(&mean);
    close_run(&r);
}

/* The selected weights are those that the final metrics are of. */
static void test_select(void **state)
{
    (void)state;
    char digests[2][65], plain[2][65];
    struct metrics m = {0}, other = {0};
    ends_with("train.average=ema train.ema_decay=0.99 train.select=average", 0, digests, &m);
    assert_string_equal(digests[1], "");
    assert_true(metrics_get(&m, "val/loss") == metrics_get(&m, "val/ema_loss"));
    ends_with("train.average=ema train.ema_decay=0.99", 0, plain, &other);
    assert_string_equal(plain[1][0] ? "both" : "one", "both");
    assert_string_not_equal(plain[0], digests[0]);
    assert_true(metrics_get(&other, "val/loss") != metrics_get(&other, "val/ema_loss"));
    assert_true(metrics_get(&other, "val/ema_loss") == metrics_get(&m, "val/ema_loss"));
    struct config *c = configure("train.select=average");
    struct error err = {0};
    assert_int_equal(train_check(c, &err), -1);
    assert_non_null(strstr(err.msg, "train.average=ema"));
    config_free(c);
}

/* ---- freezing -------------------------------------------------------------------------------- */

static int is_head(const struct tensor *t)
{
    return weights_is_head(t->name);
}

static int is_body(const struct tensor *t)
{
    return !is_head(t);
}

static int is_embedder(const struct tensor *t)
{
    return strstr(t->name, "embedder") != NULL;
}

static int is_block(const struct tensor *t)
{
    return !strncmp(t->name, "blocks.", 7);
}

static int is_read_head(const struct tensor *t)
{
    return !strncmp(t->name, "read_head.", 10);
}

/* The classifiers start at zero, so what lies before them moves from the second update on. */
static void expect_frozen(const char *how, int (*frozen)(const struct tensor *t),
                          int (*trained)(const struct tensor *t), double memory)
{
    struct run r, first;
    char settings[100];
    int moved, of;
    int64_t all;
    open_run(&first, "train.epochs=2", NULL, 0);
    weights_get(&first.trainer.weights, &first.trainer.net);
    all = network_bytes(&first.trainer.net);
    snprintf(settings, sizeof settings, "train.freeze=%s", how);
    train(&r, settings, 3);
    moved = count_different(&r.trainer.weights, &first.trainer.weights, frozen, &of);
    if (moved || !of)
        fail_msg("%s: %d of %d frozen parameters moved", how, moved, of);
    moved = count_different(&r.trainer.weights, &first.trainer.weights, trained, &of);
    if (moved != of || !of)
        fail_msg("%s: %d of %d parameters moved", how, moved, of);
    double share = (double)network_bytes(&r.trainer.net) / (double)all;
    print_message("%s: %.0f %% of the memory, %d of %d parameters trained\n", how, 100 * share,
                  r.trainer.net.plan->n_trained, r.trainer.net.plan->n_params);
    assert_true(share < memory);
    close_run(&r);
    close_run(&first);
}

static void test_freeze(void **state)
{
    (void)state;
    expect_frozen("embeddings", is_embedder, is_block, 1);
    expect_frozen("all_but_new", is_block, is_read_head, 0.95);
    expect_frozen("all_but_head", is_body, is_head, 0.4);
}

/* ---- decay groups ---------------------------------------------------------------------------- */

static int is_vector(const struct tensor *t)
{
    return t->shape.rank <= 1;
}

static int is_matrix(const struct tensor *t)
{
    return t->shape.rank == 2;
}

static int is_position(const struct tensor *t)
{
    return strstr(t->name, "pos_embed") != NULL;
}

static void test_groups(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        int vectors, positions; /* decayed */
    } groups[] = {{"one", 1, 1}, {"vectors_free", 0, 1}, {"embeddings_free", 0, 0}};
    struct run without, with;
    int of;
    for (size_t i = 0; i < 3; i++) {
        char settings[200];
        snprintf(settings, sizeof settings,
                 "train.decay_groups=%s train.weight_decay=1 train.lr=1e-3", groups[i].name);
        train(&without, "train.weight_decay=0 train.lr=1e-3", 1);
        train(&with, settings, 1);
        const struct weights *a = &without.trainer.weights, *b = &with.trainer.weights;
        assert_true(count_different(a, b, is_matrix, &of) > 0);
        assert_int_equal(count_different(a, b, is_vector, &of) > 0, groups[i].vectors);
        assert_int_equal(count_different(a, b, is_position, &of) > 0, groups[i].positions);
        close_run(&without);
        close_run(&with);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_accumulate), cmocka_unit_test(test_short_group),
        cmocka_unit_test(test_resumed),    cmocka_unit_test(test_mean),
        cmocka_unit_test(test_select),     cmocka_unit_test(test_freeze),
        cmocka_unit_test(test_groups)};
    return cmocka_run_group_tests_name("update", tests, NULL, NULL);
}
