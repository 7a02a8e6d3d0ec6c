/* A run from its first step to its last: batches, epochs, and what it says and saves between them.
 * Before it comes trainer_open.c, after it trainer_finish.c. */
#include "train/trainer_internal.h"

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/loader.h"
#include "train/masker.h"
#include "train/update.h"
#include "train/views.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- progress -------------------------------------------------------------------------------- */

static int told_to_stop(const struct trainer *t)
{
    if (t->options.stop_after && t->steps_done >= t->options.stop_after)
        return 1;
    return t->options.stop && *t->options.stop;
}

static double time_left(const struct trainer *t)
{
    int64_t batches = (t->epochs - t->at.epoch) * t->batches - t->at.batch;
    int64_t every = config_int(t->options.config, "train.eval_every");
    int64_t evaluations = (t->epochs - t->at.epoch + every - 1) / every;
    return t->batch_s > 0 ? (double)batches * t->batch_s + (double)evaluations * t->eval_s : NAN;
}

static void note_progress(struct trainer *t, int now)
{
    if (!t->options.folder)
        return;
    struct progress_note p = {.epoch = (t->at.step + t->steps - 1) / t->steps,
                              .epochs = t->epochs,
                              .step = t->at.step,
                              .steps = t->epochs * t->steps,
                              .img_s = t->batch_s > 0 ? (double)t->net.batch / t->batch_s : NAN,
                              .eta_s = time_left(t),
                              .loss = t->last_loss};
    journal_progress(&t->journal, &p, now);
}

/* Once at least every so many epochs a save must work: a run whose disk is full ends in the end. */
static int save(struct trainer *t, struct error *err)
{
    enum { FAILED_SAVES_MAX = 3 };
    struct error why = {0};
    if (!t->options.folder)
        return 0;
    t->saved_step = t->at.step;
    int rc = checkpoint_save(&t->owner, &t->at, &t->net, &t->weights,
                             t->keeps_best ? &t->best : NULL, &why);
    t->saved_at = clock_now();
    if (!rc) {
        t->failed_saves = 0;
        return 0;
    }
    if (++t->failed_saves < FAILED_SAVES_MAX) {
        warn("%s: going on with the checkpoint before", why.msg);
        return 0;
    }
    if (err)
        *err = why;
    return error_prefix(err, "%d checkpoints in a row could not be written", t->failed_saves);
}

static int save_is_due(const struct trainer *t)
{
    const struct config *c = t->options.config;
    double every = config_float(c, "train.checkpoint_every");
    int64_t steps = config_int(c, "train.checkpoint_steps");
    return (every > 0 && clock_now() - t->saved_at >= every) ||
           (steps && t->at.step - t->saved_step >= steps);
}

/* ---- one batch ------------------------------------------------------------------------------- */

static void count_hits(struct trainer *t, const struct batch *b, float *logits)
{
    if (!t->net.n_logits)
        return;
    network_read(&t->net, t->net.logits[0], logits);
    for (int i = 0; i < b->count; i++)
        t->at.sums.top1 +=
            score_rank(logits + (int64_t)i * t->net.classes, t->net.classes, b->labels[i]) == 0;
    t->at.sums.images += b->count;
}

static int take_loss(struct trainer *t, int last, struct error *err)
{
    struct batch_note note;
    const struct config *c = t->options.config;
    tally_read(&note, &t->net, &t->mixer);
    tally_step(&t->update, &note);
    t->last_loss = note.loss;
    if (tally_epoch(&t->at.sums, &note, config_float(c, "train.clip"), last) ||
        !strcmp(config_string(c, "train.on_nonfinite"), "continue"))
        return 0;
    return error_code(err, EXIT_FAILED,
                      "the %s is not finite in epoch %lld, step %lld: the run diverged (a lower "
                      "train.lr, a longer train.warmup_epochs or train.clip may help; "
                      "train.on_nonfinite=continue goes on)",
                      isfinite(note.loss) ? "gradient" : "loss", (long long)t->at.epoch + 1,
                      (long long)t->at.step + 1);
}

/* The randomness of a batch is keyed by its number in the whole run. */
static uint64_t batch_number(const struct trainer *t)
{
    return (uint64_t)(t->at.epoch * t->batches + t->at.batch);
}

static int train_batch(struct trainer *t, const struct batch *b, float *logits, struct error *err)
{
    float hyper[HYPER_COUNT];
    struct update u = {.lr = lr_plan_rate(&t->lr, t->at.step),
                       .t = t->at.step,
                       .part = t->at.batch % t->accumulate};
    u.last = u.part + 1 == t->accumulate || t->at.batch + 1 == t->batches;
    if (!u.part)
        t->update = (struct step_sums){0};
    ASSERT(b->epoch == t->at.epoch && b->number == t->at.batch);
    update_hyper(t->options.config, &u, hyper);
    mixer_write(&t->mixer, &t->net, b, t->options.seed);
    masker_write(&t->net, b, t->options.seed, (uint64_t)b->epoch);
    network_write(&t->net, t->net.hyper, hyper);
    network_run(&t->net, t->options.seed, batch_number(t));
    if (take_loss(t, u.last, err))
        return -1;
    count_hits(t, b, logits);
    t->at.sums.skipped += b->skipped;
    t->at.batch++;
    t->at.step += u.last;
    t->steps_done += u.last;
    return 0;
}

static void clock_batch(struct trainer *t, double seconds)
{
    t->epoch_s += seconds;
    t->epoch_batches++;
    t->batch_s = t->batch_s > 0 ? 0.95 * t->batch_s + 0.05 * seconds : seconds;
}

/* Whether what the last batches did to the weights is complete: what a checkpoint may hold. */
static int is_between_updates(const struct trainer *t)
{
    return t->at.batch % t->accumulate == 0 || t->at.batch == t->batches;
}

/* ---- one epoch ------------------------------------------------------------------------------- */

/* A point of the curves by step. */
static int note_step(struct trainer *t, struct error *err)
{
    struct metrics m = {0};
    const struct config *c = t->options.config;
    int64_t every = config_int(c, "train.log_every");
    if (!t->options.folder || !every || t->at.step % every)
        return 0;
    tally_step_metrics(&t->update, &t->net, &t->mixer, config_float(c, "train.clip"), &m);
    metrics_set(&m, "step/lr", lr_plan_rate(&t->lr, t->at.step - 1));
    metrics_set(&m, "step/img_s", (double)t->net.batch / t->batch_s);
    return journal_step(&t->journal, t->at.epoch + 1, t->at.step, &m, err);
}

/* After an update: 0, 1 where told to stop, -1. The last one of an epoch is left to end_epoch. */
static int after_update(struct trainer *t, struct error *err)
{
    if (note_step(t, err))
        return -1;
    if (told_to_stop(t))
        return 1;
    return t->at.batch < t->batches && save_is_due(t) ? save(t, err) : 0;
}

/* The rest of the current epoch: 0, 1 where told to stop, -1. */
static int train_epoch(struct trainer *t, struct loader *l, struct error *err)
{
    float *logits = mem_alloc(sizeof(float) * (size_t)(t->net.batch * t->net.classes) + 1);
    struct error failure = {0};
    int rc = told_to_stop(t) ? 1 : 0;
    double start = clock_now();
    t->epoch_s = 0;
    t->epoch_batches = 0;
    double waited = loader_wait_s(l);
    for (const struct batch *b; !rc && (b = loader_next(l, &failure));) {
        rc = train_batch(t, b, logits, err);
        double now = clock_now();
        clock_batch(t, now - start);
        start = now;
        if (!rc) {
            note_progress(t, t->epoch_batches == 1); /* the first one at once: it works */
            rc = is_between_updates(t) ? after_update(t, err) : 0;
        }
    }
    free(logits);
    t->epoch_wait_s = loader_wait_s(l) - waited;
    if (!failure.code)
        return rc;
    if (err)
        *err = failure;
    return -1;
}

static void training_metrics(const struct trainer *t, struct metrics *m)
{
    tally_epoch_metrics(&t->at.sums, &t->net, config_float(t->options.config, "train.clip"), m);
    metrics_set(m, "train/lr", lr_plan_rate(&t->lr, t->at.step - 1));
    if (!t->epoch_batches)
        return;
    metrics_set(m, "train/img_s", (double)(t->epoch_batches * t->net.batch) / t->epoch_s);
    metrics_set(m, "train/data_wait_s", t->epoch_wait_s);
}

/* One line an epoch, for people who read the log. */
static void say_epoch(const struct trainer *t, int64_t epoch, const struct metrics *m)
{
    static const char *const names[] = {"train/loss", "val/loss",    "val/top1",
                                        "val/miou",   "train/img_s", "train/skipped"};
    struct strbuf line = STRBUF_INIT;
    strbuf_addf(&line, "epoch %lld/%lld", (long long)epoch, (long long)t->epochs);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        if (isfinite(metrics_get(m, names[i])))
            strbuf_addf(&line, "  %s %.5g", names[i], metrics_get(m, names[i]));
    fprintf(stderr, "%s\n", line.text);
    strbuf_release(&line);
}

/* Between the last step of an epoch and the first of the next. The event comes before the
 * checkpoint: a kill between them makes the event appear twice, with the same numbers, never not at
 * all. */
static int end_epoch(struct trainer *t, struct error *err)
{
    struct metrics m = {0};
    int64_t epoch = t->at.epoch + 1;
    training_metrics(t, &m);
    if (epoch % config_int(t->options.config, "train.eval_every") == 0 || epoch == t->epochs) {
        int rc = trainer_evaluate_epoch(t, &m, err);
        if (rc)
            return rc;
        trainer_keep_best(t, epoch, &m);
    }
    if (t->options.folder) {
        if (journal_event(&t->journal, epoch, t->at.step, &m, err))
            return -1;
        say_epoch(t, epoch, &m);
    }
    t->at.last = m;
    t->at.epoch = epoch;
    t->at.batch = 0;
    t->at.sums = (struct epoch_sums){0};
    note_progress(t, 1);
    return save(t, err);
}

static struct loader_options loader_of(const struct trainer *t)
{
    return (struct loader_options){.batch = (int)t->net.batch,
                                   .image_size = views_side(&t->net),
                                   .channels = (int)t->net.image->shape.dim[1],
                                   .masks = t->net.segment || views_need_masks(&t->net),
                                   .seed = t->options.seed,
                                   .train = 1,
                                   .shuffle = 1,
                                   .bytes = t->net.levels != NULL,
                                   .threads =
                                       (int)config_int(t->options.config, "train.loader_threads"),
                                   .epoch = t->at.epoch,
                                   .first_batch = t->at.batch,
                                   .batches = t->batches};
}

int trainer_run(struct trainer *t, struct error *err)
{
    struct loader *l;
    struct loader_options o = loader_of(t);
    int rc = 0;
    if (t->at.epoch >= t->epochs)
        return 0;
    if (loader_open(&l, t->train_set, &o, err))
        return -1;
    note_progress(t, 1);
    t->saved_at = clock_now();
    t->saved_step = t->at.step;
    while (!rc && t->at.epoch < t->epochs) {
        rc = train_epoch(t, l, err);
        if (!rc)
            rc = end_epoch(t, err);
    }
    loader_close(l);
    if (rc == 1 && t->options.folder && t->at.epoch < t->epochs) {
        note_progress(t, 1);
        return save(t, err) ? -1 : 1;
    }
    return rc;
}
