#include "tests/support/training.h"

#include "base/error.h"
#include "base/file.h"
#include "tests/support/run.h"
#include "train/trainer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static const char tiny[] =
    "model: {family: vittm, image_size: 16, classes: 10, dim: 16, depth: 2, heads: 2,\n"
    "  memory_patch: 4, process_patch: 8, rw_head: linear, fusion: add,\n"
    "  drop_path: 0.3}\n"
    "data: {dataset: shapes, train_size: 100, val_size: 50}\n"
    "train: {epochs: 3, batch: 16, lr: 3e-3, eval_batch: 20, label_smoothing: 0.1}\n";

struct config *training_configure(const char *const pairs[][2])
{
    return run_configure(tiny, pairs);
}

struct device training_device(void)
{
    return run_device("cpu", 1);
}

/* ---- folders --------------------------------------------------------------------------------- */

static char root[200];

static int make_root(void **state)
{
    (void)state;
    const char *tmp = getenv("TMPDIR");
    snprintf(root, sizeof root, "%s/vittm-trainer-XXXXXX", tmp ? tmp : "/tmp");
    return mkdtemp(root) ? 0 : -1;
}

const char *training_path(const char *folder, const char *name)
{
    static char path[2][500];
    static int turn;
    turn = !turn;
    snprintf(path[turn], sizeof path[turn], "%s/%s", folder, name);
    return path[turn];
}

void training_remove(const char *folder)
{
    static const char *const names[] = {"events.jsonl",
                                        "progress.json",
                                        "weights.safetensors",
                                        "correct.bits",
                                        "checkpoint.safetensors",
                                        "checkpoint.previous.safetensors",
                                        "checkpoint.next.safetensors"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        unlink(training_path(folder, names[i]));
    rmdir(folder);
}

static int remove_root(void **state)
{
    (void)state;
    return rmdir(root);
}

void training_whole(struct trainer *t, const struct config *c, const struct device *d,
                    uint64_t seed, struct metrics *m)
{
    struct error err = {0};
    struct trainer_options o = {.config = c, .device = d, .seed = seed, .cell = ""};
    if (trainer_open(t, &o, &err) || trainer_run(t, &err) || trainer_finish(t, m, &err))
        fail_msg("%s", err.msg);
}

char *training_folder(const char *name)
{
    struct error err = {0};
    char *folder = strdup(training_path(root, name));
    if (file_make_folder(folder, &err))
        fail_msg("%s", err.msg);
    return folder;
}

/* ---- running --------------------------------------------------------------------------------- */

struct training_outcome training_run(const char *folder, const struct config *c,
                                     const struct device *d, int64_t stop_after)
{
    struct training_outcome o = {.attempts = 0};
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
    if (file_sha256(training_path(folder, "correct.bits"), o.bits, &err))
        fail_msg("%s", err.msg);
    return o;
}

void training_history(const char *folder, struct strbuf *out)
{
    char *data, *line, *rest;
    size_t size;
    struct error err = {0};
    char *lines[100] = {NULL};
    if (file_read(training_path(folder, "events.jsonl"), 1 << 20, &data, &size, &err))
        fail_msg("%s", err.msg);
    for (line = strtok_r(data, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
        json_t *event = json_loads(line, 0, NULL);
        json_t *m = json_object_get(event, "metrics");
        json_int_t epoch = json_integer_value(json_object_get(event, "epoch"));
        assert_true(epoch >= 1 && epoch < 100);
        json_object_del(m, "train/img_s");
        json_object_del(m, "train/data_wait_s");
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

void training_part(const char *folder, const struct config *c, const struct device *d,
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

/* ---- the reference --------------------------------------------------------------------------- */

struct training_outcome training_reference;
struct strbuf training_reference_history = STRBUF_INIT;

int training_setup(void **state)
{
    if (make_root(state))
        return -1;
    struct config *c = training_configure(NULL);
    struct device d = training_device();
    char *folder = training_folder("reference");
    training_reference = training_run(folder, c, &d, 0);
    training_history(folder, &training_reference_history);
    training_remove(folder);
    free(folder);
    config_free(c);
    return 0;
}

int training_teardown(void **state)
{
    strbuf_release(&training_reference_history);
    return remove_root(state);
}

void training_expect_reference(const char *what, const char *folder,
                               const struct training_outcome *o)
{
    struct strbuf history = STRBUF_INIT;
    if (strcmp(o->weights, training_reference.weights))
        fail_msg("%s: other weights", what);
    if (strcmp(o->bits, training_reference.bits))
        fail_msg("%s: other images are right", what);
    training_history(folder, &history);
    if (strcmp(history.text, training_reference_history.text))
        fail_msg("%s: other curves:\n%snot\n%s", what, history.text,
                 training_reference_history.text);
    strbuf_release(&history);
    for (int i = 0; i < training_reference.metrics.n; i++) {
        const struct metric *m = &training_reference.metrics.all[i];
        double have = metrics_get(&o->metrics, m->name);
        if (strcmp(m->name, "train/img_s") && strcmp(m->name, "train/data_wait_s") &&
            have != m->value)
            fail_msg("%s: %s is %.17g, not %.17g", what, m->name, have, m->value);
    }
}
