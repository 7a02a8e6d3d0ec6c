/* One run's way through the scheduler: claim, folder, worker, heartbeat. See also ending.c. */
#include "runner/schedule_internal.h"

#include "base/arena.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "runner/folder.h"
#include "runner/ingest.h"
#include "runner/provenance.h"

#include <math.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const double look_s = 0.5;   /* between looks at progress.json */
static const double ingest_s = 2.0; /* between commits of curves */

/* ---- claim and start ------------------------------------------------------------------------ */

static const char *const fate_names[SCHEDULE_FATES] = {
    "keep", "take in", "start", "resume", "retry", "leave failed", "in another runner"};

const char *schedule_fate_name(enum schedule_fate fate)
{
    return fate_names[fate];
}

int schedule_held(const struct store_run *row)
{
    struct machine_process p = {.pid = (long)row->pid, .start = (unsigned long long)row->pid_start};
    if (row->state != STORE_RUNNING)
        return 0;
    snprintf(p.host, sizeof p.host, "%s", row->host);
    snprintf(p.boot, sizeof p.boot, "%s", row->boot);
    return machine_life(&p) != MACHINE_DEAD;
}

static int look_up(struct store *s, const char *run, struct arena *arena, struct store_run *row,
                   struct error *err)
{
    int found = store_run(s, run, arena, row, err);
    return found ? found : error_env(err, "run %s is not in the database any more", run);
}

static enum schedule_fate fate_of(const struct store_run *row, const struct schedule_task *task,
                                  int retry_failed)
{
    if (row->state == STORE_DONE)
        return SCHEDULE_KEEP;
    if (schedule_held(row))
        return SCHEDULE_ELSEWHERE;
    if (folder_has_result(task->folder))
        return SCHEDULE_RECOVER;
    if (row->state == STORE_FAILED || row->state == STORE_TIMEOUT)
        return retry_failed ? SCHEDULE_RETRY : SCHEDULE_LEAVE;
    return row->attempts ? SCHEDULE_RESUME : SCHEDULE_START;
}

int schedule_fate(struct store *s, const struct schedule_task *task,
                  const struct schedule_options *options, struct error *err)
{
    struct arena arena = {0};
    struct store_run row;
    int rc = look_up(s, task->run, &arena, &row, err);
    if (rc == 1)
        rc = fate_of(&row, task, options->retry_failed);
    arena_release(&arena);
    return rc;
}

/* Within a transaction: is it still to be run, then claim it. 1 ours, 0 not, -1 error. */
static int claim_checked(struct schedule *q, struct run_state *r, struct error *err)
{
    struct arena arena = {0};
    struct store_run row;
    const struct store_claim claim = {.pid = q->self.pid,
                                      .pid_start = (int64_t)q->self.start,
                                      .host = q->self.host,
                                      .boot = q->self.boot};
    int rc = look_up(q->store, r->task->run, &arena, &row, err);
    if (rc != 1)
        goto done;
    /* An earlier failure is tried again once, not once by each of two runners. */
    int again = r->retry && row.attempts == r->attempts;
    switch (fate_of(&row, r->task, again)) {
    case SCHEDULE_START:
    case SCHEDULE_RESUME:
    case SCHEDULE_RETRY:
        rc =
            row.state == STORE_RUNNING /* by a process that is gone */
                ? store_set_state(q->store, r->task->run, STORE_STALE, "its runner was killed", err)
                : 0;
        if (!rc)
            rc = store_claim(q->store, r->task->run, &claim, err);
        r->attempts = row.attempts + 1;
        r->phase = rc == 0 ? PHASE_ELSEWHERE : r->phase;
        break;
    case SCHEDULE_KEEP:
        r->phase = PHASE_DONE;
        rc = 0;
        break;
    case SCHEDULE_LEAVE:
        r->phase = PHASE_FAILED;
        rc = 0;
        break;
    default:
        r->phase = PHASE_ELSEWHERE; /* looked at again soon, a finished folder too */
        rc = 0;
    }
done:
    arena_release(&arena);
    return rc;
}

static int claim(struct schedule *q, struct run_state *r, struct error *err)
{
    if (store_begin(q->store, err))
        return -1;
    int rc = claim_checked(q, r, err);
    if (rc < 0)
        store_rollback(q->store);
    else if (store_commit(q->store, err))
        rc = -1;
    return rc;
}

static int prepare_folder(struct schedule *q, struct run_state *r, struct error *err)
{
    const struct schedule_task *t = r->task;
    char *config = folder_path(t->folder, "run.yaml");
    char *progress = folder_path(t->folder, "progress.json");
    int rc = file_make_folder(t->folder, err) ||
             file_write(config, t->config, strlen(t->config), err) ||
             provenance_write(q->options->provenance, t->folder, err);
    if (!rc)
        unlink(progress); /* an earlier attempt's heartbeat */
    free(config);
    free(progress);
    return rc ? -1 : 0;
}

static void give_back(struct schedule *q, struct run_state *r, enum store_state state,
                      const char *message)
{
    struct error err = {0};
    if (store_set_state(q->store, r->task->run, state, message, &err))
        schedule_fail(q, &err);
}

void attempt_free_slot(struct schedule *q, struct run_state *r)
{
    q->slots[r->job.slot] = NULL;
    q->memory_used -= r->task->memory_bytes;
}

/* The claim is ours and nobody is in the folder: start the worker. */
static int launch(struct schedule *q, struct run_state *r)
{
    struct error err = {0};
    const struct launcher *l = q->options->launcher;
    int slot = r->job.slot, rc = prepare_folder(q, r, &err);
    r->log_from = folder_log_size(r->task->folder);
    if (!rc)
        rc = l->start(q->launcher, r->task->folder, slot, &r->job, &err);
    if (rc && err.code == EXIT_INTERRUPTED) {
        r->phase = PHASE_CLEARING; /* somebody came in between */
        r->stopped = clock_now();
        return 0;
    }
    if (rc) {
        attempt_free_slot(q, r);
        r->phase = PHASE_LEFT;
        give_back(q, r, STORE_INTERRUPTED, err.msg);
        schedule_fail(q, &err);
        return -1;
    }
    r->phase = PHASE_RUNNING;
    r->started = r->beat = r->looked = r->ingested = clock_now();
    r->stopping = 0;
    r->epoch = r->epochs = r->complete = r->said = 0;
    r->events_at = 0;
    r->loss = r->images_per_s = r->eta_s = NAN;
    r->score = (struct progress_score){0};
    if (!progress_is_live(q->progress))
        progress_say(q->progress, PROGRESS_PLAIN, "%-7s %s", r->attempts > 1 ? "resume" : "start",
                     r->task->label);
    return 0;
}

static void begin_clearing(struct schedule *q, struct run_state *r, int survivors)
{
    r->phase = PHASE_CLEARING;
    r->stopped = clock_now();
    progress_say(q->progress, PROGRESS_PLAIN,
                 "%-7s %s: %d process%s of an earlier runner still at work in its folder", "wait",
                 r->task->label, survivors, survivors == 1 ? " is" : "es are");
    q->options->launcher->survivors(q->launcher, r->task->folder, SIGTERM);
}

int attempt_start(struct schedule *q, struct run_state *r, int slot)
{
    struct error err = {0};
    int rc = claim(q, r, &err);
    if (rc < 0)
        schedule_fail(q, &err);
    if (rc != 1)
        return rc;
    r->job = (struct launch_job){.slot = slot};
    q->slots[slot] = r;
    q->memory_used += r->task->memory_bytes;
    int survivors = q->options->launcher->survivors(q->launcher, r->task->folder, 0);
    if (survivors) {
        begin_clearing(q, r, survivors);
        return 1;
    }
    return launch(q, r) ? -1 : 1;
}

/* ---- watching ------------------------------------------------------------------------------- */

void attempt_stop(struct schedule *q, struct run_state *r, enum cause why, int signal)
{
    if (r->phase == PHASE_CLEARING) {
        if (signal == SIGKILL)
            q->options->launcher->survivors(q->launcher, r->task->folder, SIGKILL);
        return;
    }
    if (!r->stopping)
        r->why = why;
    if (!r->stopping)
        r->stopped = clock_now();
    r->stopping = signal;
    q->options->launcher->signal(q->launcher, &r->job, signal);
}

static void watch_limits(struct schedule *q, struct run_state *r)
{
    const struct schedule_options *o = q->options;
    if (!r->stopping && o->timeout_s > 0 && q->now - r->started > o->timeout_s)
        attempt_stop(q, r, CAUSE_TIMEOUT, SIGTERM);
    if (!r->stopping && o->stall_s > 0 && q->now - r->beat > o->stall_s)
        attempt_stop(q, r, CAUSE_STALL, SIGTERM);
    if (r->stopping == SIGTERM && r->why != CAUSE_USER && q->now - r->stopped > o->grace_s)
        attempt_stop(q, r, r->why, SIGKILL);
}

static void watch_progress(struct schedule *q, struct run_state *r)
{
    struct folder_progress p;
    if (q->now - r->looked < look_s)
        return;
    r->looked = q->now;
    if (!folder_progress(r->task->folder, &p))
        return;
    /* The age is measured by our own clock from the change of the file: no two clocks to agree. */
    if (p.version != r->beat_version)
        r->beat = q->now;
    r->beat_version = p.version;
    r->epochs = p.epochs;
    r->images_per_s = p.img_s;
    r->eta_s = p.eta_s;
    r->epoch = p.epoch;
    if (isfinite(p.loss))
        r->loss = p.loss;
}

/* Curves for another program are no reason to end a run: a failure is said once. */
void attempt_board(struct schedule *q, struct run_state *r, int last)
{
    struct error err = {0};
    const struct schedule_task *t = r->task;
    const char *dir = q->options->tensorboard;
    int rc = 0;
    if (!dir || r->boardless)
        return;
    if (r->board)
        rc = tensorboard_follow(r->board, &err);
    else
        rc = tensorboard_open(&r->board, dir, t->label, t->run, t->folder, &err);
    if (rc) {
        progress_say(q->progress, PROGRESS_BAD, "TensorBoard: %s", err.msg);
        r->boardless = 1;
    }
    if (rc || last) {
        tensorboard_close(r->board);
        r->board = NULL;
    }
}

static void watch_events(struct schedule *q, struct run_state *r)
{
    struct error err = {0};
    if (q->now - r->ingested < ingest_s)
        return;
    r->ingested = q->now;
    attempt_board(q, r, 0);
    off_t before = r->events_at;
    if (ingest_events(q->store, r->task->run, r->task->folder, &r->events_at, ending_note, r, &err))
        schedule_fail(q, &err);
    if (r->events_at == before || progress_is_live(q->progress) || r->complete == r->said)
        return;
    struct strbuf line = STRBUF_INIT;
    const struct progress_run run = {.label = r->task->label,
                                     .epoch = r->complete,
                                     .epochs = r->epochs,
                                     .loss = r->loss,
                                     .score = r->score,
                                     .images_per_s = r->images_per_s,
                                     .left_s = r->eta_s};
    progress_run_text(&line, &run, 200);
    progress_say(q->progress, PROGRESS_PLAIN, "%s", line.text);
    strbuf_release(&line);
    r->said = r->complete;
}

static void clear(struct schedule *q, struct run_state *r)
{
    if (q->now - r->stopped > q->options->grace_s) {
        q->options->launcher->survivors(q->launcher, r->task->folder, SIGKILL);
        r->stopped = q->now;
    }
    if (q->stage) {
        attempt_free_slot(q, r);
        r->phase = PHASE_LEFT;
        give_back(q, r, STORE_INTERRUPTED, "stopped on request");
        return;
    }
    if (q->options->launcher->survivors(q->launcher, r->task->folder, 0))
        return;
    if (folder_has_result(r->task->folder)) { /* the survivor finished it */
        attempt_free_slot(q, r);
        ending_recover(q, r);
        return;
    }
    launch(q, r);
}

void attempt_watch(struct schedule *q, struct run_state *r)
{
    struct launch_ending e;
    if (r->phase == PHASE_CLEARING) {
        clear(q, r);
        return;
    }
    if (q->options->launcher->poll(q->launcher, &r->job, &e)) {
        ending_take(q, r, &e);
        return;
    }
    watch_progress(q, r);
    watch_events(q, r);
    watch_limits(q, r);
}

void attempt_look_elsewhere(struct schedule *q, struct run_state *r)
{
    struct arena arena = {0};
    struct store_run row;
    struct error err = {0};
    if (look_up(q->store, r->task->run, &arena, &row, &err) != 1) {
        schedule_fail(q, &err);
        goto done;
    }
    switch (fate_of(&row, r->task, 0)) {
    case SCHEDULE_KEEP:
        r->phase = PHASE_DONE;
        break;
    case SCHEDULE_LEAVE:
        r->phase = PHASE_FAILED;
        break;
    case SCHEDULE_RECOVER:
        ending_recover(q, r);
        break;
    case SCHEDULE_ELSEWHERE:
        break;
    default:
        r->phase = PHASE_WAITING;
    }
done:
    arena_release(&arena);
}
