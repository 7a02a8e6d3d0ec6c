/* The loop: take stock, fill the slots, look at what runs, wait for a signal or a tenth of a
 * second.
 *
 * Signals are blocked and fetched by sigtimedwait, so there are no handlers and nothing is
 * interrupted in the middle of a transaction. */
#include "runner/schedule.h"
#include "runner/schedule_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static const double draw_s = 0.25, elsewhere_s = 1.0;
static const struct timespec tick = {.tv_nsec = 100000000};

void schedule_fail(struct schedule *q, const struct error *err)
{
    if (!q->fatal.code)
        q->fatal = *err;
    if (!q->stage)
        q->stage = 1;
}

/* ---- stock ---------------------------------------------------------------------------------- */

static const enum phase first_phases[SCHEDULE_FATES] = {
    [SCHEDULE_KEEP] = PHASE_DONE,           [SCHEDULE_RECOVER] = PHASE_WAITING,
    [SCHEDULE_START] = PHASE_WAITING,       [SCHEDULE_RESUME] = PHASE_WAITING,
    [SCHEDULE_RETRY] = PHASE_WAITING,       [SCHEDULE_LEAVE] = PHASE_FAILED,
    [SCHEDULE_ELSEWHERE] = PHASE_ELSEWHERE,
};

static int take_stock_of(struct schedule *q, struct run_state *r, struct arena *arena,
                         struct error *err)
{
    struct store_run row;
    int fate = schedule_fate(q->store, r->task, q->options, err);
    if (fate < 0 || store_run(q->store, r->task->run, arena, &row, err) != 1)
        return -1;
    r->phase = first_phases[fate];
    r->retry = fate == SCHEDULE_RETRY;
    r->left = fate == SCHEDULE_LEAVE;
    r->recovered = fate == SCHEDULE_RECOVER; /* until recover_all has looked: a mark for it */
    r->attempts = row.attempts;
    r->score = (struct progress_score){0};
    if (fate == SCHEDULE_KEEP && row.attempts == 1)
        estimate_add(&q->estimate, r->task->work, row.wall_s);
    if (fate == SCHEDULE_START)
        return store_set_state(q->store, r->task->run, STORE_QUEUED, NULL, err);
    return 0;
}

/* One transaction: marking thousands of runs as queued costs one commit. */
static int take_stock(struct schedule *q, struct error *err)
{
    struct arena arena = {0};
    int rc = store_begin(q->store, err);
    if (rc)
        return rc;
    for (size_t i = 0; i < q->n && !rc; i++)
        rc = take_stock_of(q, &q->runs[i], &arena, err);
    if (rc)
        store_rollback(q->store);
    else
        rc = store_commit(q->store, err);
    arena_release(&arena);
    return rc;
}

static void recover_all(struct schedule *q)
{
    for (size_t i = 0; i < q->n && !q->stage; i++)
        if (q->runs[i].recovered)
            ending_recover(q, &q->runs[i]);
}

/* What nobody is going to start now is no longer queued. */
static void unqueue(struct schedule *q)
{
    struct error err = {0};
    if (store_begin(q->store, &err))
        return;
    for (size_t i = 0; i < q->n; i++) {
        struct arena arena = {0};
        struct store_run row;
        const struct run_state *r = &q->runs[i];
        if (r->phase == PHASE_WAITING &&
            store_run(q->store, r->task->run, &arena, &row, &err) == 1 && row.state == STORE_QUEUED)
            store_set_state(q->store, r->task->run,
                            row.attempts ? STORE_INTERRUPTED : STORE_PLANNED, NULL, &err);
        arena_release(&arena);
    }
    if (store_commit(q->store, &err))
        warn("%s", err.msg);
}

/* ---- slots ---------------------------------------------------------------------------------- */

static int free_slot_of(const struct schedule *q)
{
    for (int i = 0; i < q->options->launch.jobs; i++)
        if (!q->slots[i])
            return i;
    return -1;
}

static int count(const struct schedule *q, enum phase phase)
{
    int n = 0;
    for (size_t i = 0; i < q->n; i++)
        n += q->runs[i].phase == phase;
    return n;
}

static int busy(const struct schedule *q)
{
    return count(q, PHASE_RUNNING) + count(q, PHASE_CLEARING);
}

/* A run that needs more than there is runs alone. */
static int fits(const struct schedule *q, const struct run_state *r)
{
    long long limit = q->options->memory_bytes;
    return !limit || !busy(q) || q->memory_used + r->task->memory_bytes <= limit;
}

static void fill_slots(struct schedule *q)
{
    int slot = free_slot_of(q);
    for (size_t i = 0; i < q->n && slot >= 0 && !q->stage; i++) {
        struct run_state *r = &q->runs[i];
        if (r->phase != PHASE_WAITING || !fits(q, r))
            continue;
        attempt_start(q, r, slot);
        slot = free_slot_of(q);
    }
}

static void watch_slots(struct schedule *q)
{
    for (int i = 0; i < q->options->launch.jobs; i++)
        if (q->slots[i])
            attempt_watch(q, q->slots[i]);
}

static void look_elsewhere(struct schedule *q, double *last)
{
    if (q->now - *last < elsewhere_s)
        return;
    *last = q->now;
    for (size_t i = 0; i < q->n; i++)
        if (q->runs[i].phase == PHASE_ELSEWHERE)
            attempt_look_elsewhere(q, &q->runs[i]);
}

/* ---- signals -------------------------------------------------------------------------------- */

static const int stop_signals[] = {SIGINT, SIGTERM, SIGHUP, SIGUSR1};
enum { STOP_SIGNALS = sizeof stop_signals / sizeof *stop_signals };

static int is_stop(int signal)
{
    for (int i = 0; i < STOP_SIGNALS; i++)
        if (stop_signals[i] == signal)
            return 1;
    return 0;
}

/* SIGPIPE and SIGXFSZ are blocked too: a write that fails says so, and nobody is killed by it. */
static void block(sigset_t *fetched, sigset_t *before)
{
    sigset_t all;
    sigemptyset(fetched);
    for (int i = 0; i < STOP_SIGNALS; i++)
        sigaddset(fetched, stop_signals[i]);
    sigaddset(fetched, SIGCHLD);
    all = *fetched;
    sigaddset(&all, SIGPIPE);
    sigaddset(&all, SIGXFSZ);
    sigprocmask(SIG_BLOCK, &all, before);
}

static void unblock(const sigset_t *before)
{
    static const struct timespec none = {0};
    sigset_t ignored;
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    sigaddset(&ignored, SIGXFSZ);
    while (sigtimedwait(&ignored, NULL, &none) > 0)
        ;
    sigprocmask(SIG_SETMASK, before, NULL);
}

static void stop_all(struct schedule *q, int signal)
{
    for (int i = 0; i < q->options->launch.jobs; i++)
        if (q->slots[i] && q->slots[i]->stopping != signal)
            attempt_stop(q, q->slots[i], CAUSE_USER, signal);
}

static void on_stop(struct schedule *q, int signal)
{
    if (q->stage == 2)
        return;
    if (!q->signal)
        q->signal = signal;
    if (q->stage == 1) {
        q->stage = 2;
        progress_say(q->progress, PROGRESS_BAD, "stopping now");
        return;
    }
    q->stage = 1;
    if (busy(q))
        progress_say(q->progress, PROGRESS_PLAIN,
                     "stopping: running cells write a checkpoint (%s stops at once)",
                     signal == SIGINT ? "Ctrl-C again" : "the same signal again");
}

/* Waits for at most a tick; returns at once where a child has ended. */
static void wait_tick(struct schedule *q, const sigset_t *fetched)
{
    int signal = sigtimedwait(fetched, NULL, &tick);
    if (signal > 0 && is_stop(signal))
        on_stop(q, signal);
}

/* ---- what people see ------------------------------------------------------------------------ */

static double left_of(const struct schedule *q, const struct run_state *r)
{
    double whole = estimate_run(&q->estimate, r->task->work), elapsed = q->now - r->started;
    if (isfinite(r->eta_s))
        return r->eta_s;
    return whole > elapsed ? whole - elapsed : isfinite(whole) ? 0 : NAN;
}

static double expect(struct schedule *q)
{
    double waiting = 0, running = 0, longest = 0;
    estimate_forget(&q->estimate);
    for (size_t i = 0; i < q->n; i++) {
        const struct run_state *r = &q->runs[i];
        if (r->phase == PHASE_RUNNING)
            estimate_guess(&q->estimate, r->task->work, q->now - r->started, r->eta_s);
    }
    for (size_t i = 0; i < q->n; i++) {
        const struct run_state *r = &q->runs[i];
        if (r->phase == PHASE_WAITING)
            waiting += estimate_run(&q->estimate, r->task->work);
        if (r->phase != PHASE_RUNNING)
            continue;
        double left = left_of(q, r);
        running += left;
        longest = left > longest ? left : longest;
    }
    return estimate_total(waiting, running, longest, q->options->launch.jobs);
}

static void draw(struct schedule *q, double *last)
{
    if (!progress_is_live(q->progress) || q->now - *last < draw_s)
        return;
    *last = q->now;
    int n = 0;
    struct progress_run *lines = mem_zalloc((size_t)q->options->launch.jobs, sizeof *lines);
    for (int i = 0; i < q->options->launch.jobs; i++) {
        const struct run_state *r = q->slots[i];
        if (r && r->phase == PHASE_RUNNING)
            lines[n++] = (struct progress_run){.label = r->task->label,
                                               .epoch = r->epoch,
                                               .epochs = r->epochs,
                                               .loss = r->loss,
                                               .score = r->score,
                                               .images_per_s = r->images_per_s,
                                               .left_s = left_of(q, r)};
    }
    const struct progress_total total = {
        .runs = (int)q->n,
        .done = count(q, PHASE_DONE),
        .running = busy(q),
        .failed = count(q, PHASE_FAILED),
        .elsewhere = count(q, PHASE_ELSEWHERE),
        .left_s = expect(q),
        .stopping = q->stage ? "waiting for checkpoints (Ctrl-C again stops at once)" : NULL};
    progress_draw(q->progress, lines, n, &total);
    free(lines);
}

static void say_elsewhere(struct schedule *q)
{
    int n = count(q, PHASE_ELSEWHERE);
    if (n)
        progress_say(q->progress, PROGRESS_PLAIN,
                     "%d run%s at work in another runner on this database; waiting for %s", n,
                     n == 1 ? " is" : "s are", n == 1 ? "it" : "them");
}

static void summarise(struct schedule *q)
{
    struct schedule_report *report = q->report;
    struct progress_total total = {
        .runs = (int)q->n, .done = report->done, .failed = report->failed, .left_s = NAN};
    struct strbuf line = STRBUF_INIT;
    char text[32];
    int left = 0;
    for (size_t i = 0; i < q->n; i++)
        left += q->runs[i].left && q->runs[i].phase == PHASE_FAILED;
    progress_total_text(&line, &total, 200);
    if (left)
        strbuf_addf(&line, ", %d of these earlier: --retry-failed runs %s again", left,
                    left == 1 ? "it" : "them");
    if (report->interrupted)
        strbuf_addf(&line, ", %d left: run the same command again to go on", report->interrupted);
    progress_say(q->progress, report->failed ? PROGRESS_BAD : PROGRESS_PLAIN, "%s (%s)", line.text,
                 clock_format(report->wall_s, text, sizeof text));
    strbuf_release(&line);
}

/* ---- the whole ------------------------------------------------------------------------------ */

/* Over when nothing runs and nothing more is going to. */
static int is_over(const struct schedule *q)
{
    if (busy(q))
        return 0;
    return q->stage || (!count(q, PHASE_WAITING) && !count(q, PHASE_ELSEWHERE));
}

static void loop(struct schedule *q, const sigset_t *fetched)
{
    double drawn = 0, looked = clock_now();
    int said = 0;
    for (;;) {
        q->now = clock_now();
        watch_slots(q);
        look_elsewhere(q, &looked);
        fill_slots(q);
        if (is_over(q))
            return;
        if (!said && !busy(q) && count(q, PHASE_ELSEWHERE)) {
            say_elsewhere(q);
            said = 1;
        }
        draw(q, &drawn);
        wait_tick(q, fetched);
        if (q->stage == 1)
            stop_all(q, SIGTERM);
        else if (q->stage == 2)
            stop_all(q, SIGKILL);
    }
}

static int exit_code(const struct schedule *q)
{
    if (q->signal)
        return q->signal == SIGINT ? EXIT_CTRL_C : EXIT_INTERRUPTED;
    if (q->report->failed)
        return EXIT_FAILED;
    return q->report->interrupted ? EXIT_INTERRUPTED : EXIT_FINE;
}

static void count_up(struct schedule *q, double began)
{
    q->report->done = count(q, PHASE_DONE);
    q->report->failed = count(q, PHASE_FAILED);
    q->report->interrupted = (int)q->n - q->report->done - q->report->failed;
    q->report->wall_s = clock_now() - began;
}

int schedule_run(struct store *s, const struct schedule_task *tasks, size_t count_of_tasks,
                 const struct schedule_options *options, struct schedule_report *report,
                 struct error *err)
{
    sigset_t fetched, before;
    int rc = -1;
    double began = clock_now();
    struct schedule q = {.store = s, .options = options, .n = count_of_tasks, .report = report};
    *report = (struct schedule_report){0};
    block(&fetched, &before);
    machine_self(&q.self);
    q.runs = mem_zalloc(count_of_tasks + 1, sizeof *q.runs);
    q.slots = mem_zalloc((size_t)options->launch.jobs, sizeof *q.slots);
    for (size_t i = 0; i < q.n; i++)
        q.runs[i].task = &tasks[i];
    q.progress = progress_new(options->progress_fd);
    if (options->launcher->open(&options->launch, &q.launcher, err))
        goto done;
    if (!take_stock(&q, err)) {
        recover_all(&q);
        loop(&q, &fetched);
        unqueue(&q);
        count_up(&q, began);
        summarise(&q);
        rc = q.fatal.code ? -1 : exit_code(&q);
        if (q.fatal.code)
            *err = q.fatal;
    }
    options->launcher->close(q.launcher);
done:
    progress_free(q.progress);
    free(q.slots);
    free(q.runs);
    unblock(&before);
    return rc;
}
