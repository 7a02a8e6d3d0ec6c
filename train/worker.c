#include "train/worker.h"

#include "base/number.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "data/dataset.h"
#include "train/cost.h"
#include "train/keys.h"
#include "train/frames.h"
#include "train/measure.h"
#include "train/run_config.h"
#include "train/trainer.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

/* Set by the handlers, read by the training loop: saving happens there, never in a handler. */
static volatile sig_atomic_t stop_requested;
_Static_assert(sizeof(sig_atomic_t) == sizeof(int), "trainer_options.stop points at it");

static void request_stop(int signal)
{
    (void)signal;
    stop_requested = 1;
}

static void install_handlers(void)
{
    static const int signals[] = {SIGTERM, SIGINT, SIGUSR1};
    struct sigaction action = {.sa_handler = request_stop, .sa_flags = SA_RESTART};
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++)
        sigaction(signals[i], &action, NULL);
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error of write(), not the end */
    prctl(PR_SET_PDEATHSIG, SIGTERM);
}

/* The runner that started us died before we could ask to be told: its number is in the environment.
 */
static int is_orphan(void)
{
    const char *runner = getenv("VITTM_RUNNER");
    int64_t pid;
    return runner && (number_int(runner, &pid) || pid != getppid());
}

/* What the steps of a run share. */
struct work {
    const char *folder;
    struct run_config run;
    struct device device;
    struct trainer trainer;
    struct metrics metrics;
    json_t *facts, *cost_rows, *latency_rows;
    char weights_digest[65];
};

static char *in_folder(struct strbuf *s, const char *folder, const char *name)
{
    strbuf_clear(s);
    strbuf_addf(s, "%s/%s", folder, name);
    return s->text;
}

/* ---- costs ----------------------------------------------------------------------------------- */

static json_t *cost_row_json(const struct cost_row *r)
{
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "by", r->by, "name", r->name,
                     "calls", (json_int_t)r->calls, "params", (json_int_t)r->params, "macs",
                     (json_int_t)r->cost.macs, "macs_fvcore", (json_int_t)r->cost.macs_fvcore,
                     "flops", (json_int_t)(2 * r->cost.macs + r->cost.other_flops), "bytes_read",
                     (json_int_t)r->cost.bytes_read, "bytes_written",
                     (json_int_t)r->cost.bytes_written);
}

static int measure_cost(struct work *w, struct error *err)
{
    struct cost_table t;
    if (cost_table_init(&t, w->run.config, err))
        return -1;
    for (int i = 0; i < t.n; i++)
        json_array_append_new(w->cost_rows, cost_row_json(&t.rows[i]));
    metrics_set(&w->metrics, "cost/params", (double)t.rows[0].params);
    metrics_set(&w->metrics, "cost/macs", (double)t.rows[0].cost.macs);
    metrics_set(&w->metrics, "cost/macs_fvcore", (double)t.rows[0].cost.macs_fvcore);
    cost_table_release(&t);
    return 0;
}

/* ---- latency --------------------------------------------------------------------------------- */

static int asked_to_stop(void *ctx)
{
    (void)ctx;
    return stop_requested;
}

static void add_latency_row(struct work *w, const struct latency_figures *f,
                            const struct network *n, const struct device *d, const char *protocol)
{
    json_array_append_new(
        w->latency_rows,
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:i, s:I, s:I, s:f, s:f, s:f, s:f, s:f, s:f, s:f}",
                  "model", config_string(w->run.config, "model.family"), "precision",
                  device_precision(d), "device", d->text, "protocol", protocol, "batch",
                  (json_int_t)n->batch, "threads", d->options.threads, "blocks",
                  (json_int_t)f->blocks, "peak_bytes", (json_int_t)network_bytes(n), "p50_ms",
                  f->p50_ms, "p90_ms", f->p90_ms, "p99_ms", f->p99_ms, "iqr_ms", f->iqr_ms,
                  "mean_ms", f->mean_ms, "min_ms", f->min_ms, "images_per_s", f->images_per_s));
}

static void take_figures(struct work *w, const struct measure *m, const struct device *d)
{
    struct latency_figures f = latency_figures(&m->subject);
    add_latency_row(w, &f, &m->net, d, MEASURE_PROTOCOL);
    metrics_set(&w->metrics, "latency/p50_ms", f.p50_ms);
    metrics_set(&w->metrics, "latency/p90_ms", f.p90_ms);
    metrics_set(&w->metrics, "latency/iqr_ms", f.iqr_ms);
    metrics_set(&w->metrics, "throughput/img_s", f.images_per_s);
    double mhz = measure_clock_mhz();
    if (isfinite(mhz))
        json_object_set_new(w->facts, "latency_clock_mhz", json_integer((json_int_t)mhz));
    if (f.iqr_ms > LATENCY_IQR_WARN * f.p50_ms)
        warn("latency: the spread (IQR) is %.0f %% of the median: the machine was busy with other "
             "work",
             100 * f.iqr_ms / f.p50_ms);
}

/* Of a segmenting model also frames a second, by the authors' protocol. */
static int measure_frames(struct work *w, const struct device *d, struct error *err)
{
    const struct config *c = w->run.config;
    const struct weights *trained = w->trainer.train_set ? &w->trainer.weights : NULL;
    struct frames frames;
    int64_t count = config_is_active(c, "latency.frames") ? config_int(c, "latency.frames") : 0;
    int64_t skip = count ? config_int(c, "latency.frames_skipped") : 0;
    if (!count)
        return 0;
    if (skip >= count)
        return config_error(c, err, "latency.frames_skipped", "is not less than latency.frames");
    if (frames_open(&frames, c, d, 1, trained, err))
        return -1;
    int rc = frames_measure(&frames, count, skip, (volatile const int *)&stop_requested, err);
    if (!rc) {
        struct latency_figures f = latency_figures(&frames.subject);
        f.images_per_s = 1e3 / f.mean_ms;
        add_latency_row(w, &f, &frames.net, d, FRAMES_PROTOCOL);
        metrics_set(&w->metrics, "throughput/fps", f.images_per_s);
    }
    frames_close(&frames);
    return rc;
}

static int measure_latency(struct work *w, struct error *err)
{
    const struct config *c = w->run.config;
    struct measure m;
    struct device device = w->device;
    struct measure_options o = {.batch = config_int(c, "latency.batch")};
    struct latency_options how = {.min_time = config_float(c, "latency.min_time"),
                                  .stop = asked_to_stop};
    if (config_int(c, "latency.threads") > 0)
        device.options.threads = (int)config_int(c, "latency.threads");
    if (device_set_precision(&device, latency_precision(c), err))
        return error_prefix(err, "latency.precision");
    const struct weights *trained = w->trainer.train_set ? &w->trainer.weights : NULL;
    if (measure_open(&m, c, &device, &o, trained, err))
        return -1;
    int rc = latency_measure(&m.subject, 1, &how) ? 1 : 0;
    if (!rc)
        take_figures(w, &m, &device);
    measure_close(&m);
    return rc ? rc : measure_frames(w, &device, err);
}

/* ---- facts ----------------------------------------------------------------------------------- */

static void add_fact(struct work *w, const char *key, const char *text)
{
    json_object_set_new(w->facts, key, json_string(text));
}

static void add_device_facts(struct work *w)
{
    add_fact(w, "backend", w->device.backend->choice.name);
    add_fact(w, "device_text", w->device.text);
    add_fact(w, "precision", device_precision(&w->device));
    add_fact(w, "worker_commit", version_commit());
    json_object_set_new(w->facts, "threads", json_integer(w->device.options.threads));
    json_object_set_new(w->facts, "worker_rss_bytes", json_integer(measure_resident_bytes()));
}

/* What it was trained on, and the outcome. */
static int add_training_facts(struct work *w, struct error *err)
{
    char train_hash[65], val_hash[65], both[130], hash[65];
    const struct trainer *t = &w->trainer;
    if (dataset_hash(t->train_set, train_hash, err) || dataset_hash(t->val_set, val_hash, err))
        return -1;
    snprintf(both, sizeof both, "%s %s", train_hash, val_hash);
    file_sha256_bytes(both, strlen(both), hash);
    add_fact(w, "dataset", dataset_name(t->train_set));
    add_fact(w, "dataset_hash", hash);
    add_fact(w, "dataset_hash_train", train_hash);
    add_fact(w, "dataset_hash_val", val_hash);
    add_fact(w, "weights_sha256", w->weights_digest);
    json_object_set_new(w->facts, "train_images", json_integer(dataset_count(t->train_set)));
    json_object_set_new(w->facts, "eval_images", json_integer(t->evaluation.images));
    json_object_set_new(w->facts, "optimizer_steps", json_integer(t->at.step));
    return 0;
}

/* ---- the run --------------------------------------------------------------------------------- */

/* Each step returns 0, 1 where told to stop, or -1. */
static int train(struct work *w, struct error *err)
{
    struct trainer_options o = {.config = w->run.config,
                                .device = &w->device,
                                .seed = w->run.seed,
                                .cell = w->run.cell,
                                .folder = w->folder,
                                .stop = (volatile const int *)&stop_requested};
    if (trainer_open(&w->trainer, &o, err))
        return -1;
    int rc = trainer_run(&w->trainer, err);
    if (!rc)
        rc = trainer_finish(&w->trainer, &w->metrics, err);
    if (!rc)
        rc = trainer_save(&w->trainer, w->weights_digest, err);
    metrics_set(&w->metrics, "memory/peak_bytes", (double)network_bytes(&w->trainer.net));
    return rc;
}

/* Only after the result: whoever is killed before goes on from them. */
static void tidy(const char *folder, const struct config *c)
{
    if (!config_bool(c, "train.keep_checkpoints"))
        checkpoint_remove(folder);
}

static int finish(struct work *w, struct error *err)
{
    struct journal j = {.folder = w->folder, .events = -1};
    add_device_facts(w);
    if (w->trainer.train_set && add_training_facts(w, err))
        return -1;
    json_t *rows = json_pack("{s:O, s:O}", "cost", w->cost_rows, "latency", w->latency_rows);
    if (journal_result(&j, metrics_json(&w->metrics), json_incref(w->facts), rows, err))
        return -1;
    tidy(w->folder, w->run.config);
    return 0;
}

static const struct stage {
    unsigned when; /* of run.measure; 0: always */
    int (*run)(struct work *w, struct error *err);
} stages[] = {{RUN_MEASURE_ACCURACY, train},
              {RUN_MEASURE_COST, measure_cost},
              {RUN_MEASURE_LATENCY, measure_latency},
              {0, finish}};

static int run(struct work *w, struct error *err)
{
    if (device_open(&w->device, w->run.device, w->run.threads, err))
        return -1;
    if (device_set_precision(&w->device, train_precision(w->run.config), err))
        return error_prefix(err, "train.precision");
    fprintf(stderr, "device %s: %s, %s, %d thread%s\n", w->device.backend->choice.name,
            w->device.text, device_precision(&w->device), w->device.options.threads,
            w->device.options.threads == 1 ? "" : "s");
    int rc = 0;
    for (size_t i = 0; !rc && i < sizeof stages / sizeof *stages; i++)
        if (!stages[i].when || w->run.measure & stages[i].when)
            rc = stages[i].run(w, err);
    if (rc != 1)
        return rc;
    fprintf(stderr, "stopped after step %lld, to be resumed\n", (long long)w->trainer.at.step);
    return EXIT_INTERRUPTED;
}

int worker_run(const char *folder, struct error *err)
{
    struct strbuf path = STRBUF_INIT;
    struct work w = {.folder = folder,
                     .trainer.journal.events = -1,
                     .facts = json_object(),
                     .cost_rows = json_array(),
                     .latency_rows = json_array()};
    int rc = EXIT_FINE;
    install_handlers();
    if (is_orphan()) {
        fprintf(stderr, "the runner is gone: not started\n");
        rc = EXIT_INTERRUPTED;
    } else if (file_exists(in_folder(&path, folder, "result.json"))) {
        fprintf(stderr, "%s is there: nothing to do\n", path.text);
    } else {
        rc = run_config_load(&w.run, in_folder(&path, folder, "run.yaml"), err);
        if (!rc)
            rc = run(&w, err);
        trainer_close(&w.trainer);
        run_config_release(&w.run);
    }
    json_decref(w.facts);
    json_decref(w.cost_rows);
    json_decref(w.latency_rows);
    strbuf_release(&path);
    return rc;
}
