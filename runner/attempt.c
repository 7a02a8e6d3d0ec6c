/* One run's way through the scheduler: claim, folder, worker, heartbeat, ending. */
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

/* ---- claim and start
 * --------------------------------------------------------------------------------- */

static const char *const fate_names[SCHEDULE_FATES] = {
    "keep", "take in", "start", "resume", "retry", "leave failed", "in another runner"};

const char *schedule_fate_name(enum schedule_fate fate)
{
    return fate_names[fate];
}

/* Is the process that claimed it possibly alive? */
static int is_held(const struct store_run *row)
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
    if (is_held(row))
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

static void free_slot(struct schedule *q, struct run_state *r)
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
        free_slot(q, r);
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
    r->loss = r->top1 = r->images_per_s = r->eta_s = NAN;
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

/* ---- endings
 * ----------------------------------------------------------------------------------------- */

struct verdict {
    enum cause cause;
    enum store_state state;
    struct strbuf message;
};

static enum cause cause_of_exit(int code)
{
    if (code == EXIT_INTERRUPTED)
        return CAUSE_STOPPED;
    return code == EXIT_USAGE || code == EXIT_ENVIRONMENT ? CAUSE_REFUSED : CAUSE_ERROR;
}

static enum cause cause_of_signal(int signal)
{
    switch (signal) {
    case SIGSEGV:
    case SIGBUS:
    case SIGFPE:
    case SIGILL:
    case SIGABRT:
    case SIGSYS:
    case SIGTRAP:
        return CAUSE_CRASH;
    default:
        return CAUSE_STOPPED; /* SIGKILL from outside, the kernel short of memory; unknown */
    }
}

/* What the ending of a worker without a result means. */
static void judge(const struct run_state *r, const struct launch_ending *e, double wall_s,
                  struct verdict *v)
{
    static const enum store_state states[CAUSES] = {
        [CAUSE_ERROR] = STORE_FAILED,     [CAUSE_CRASH] = STORE_FAILED,
        [CAUSE_STALL] = STORE_FAILED,     [CAUSE_STOPPED] = STORE_INTERRUPTED,
        [CAUSE_TIMEOUT] = STORE_TIMEOUT,  [CAUSE_REFUSED] = STORE_FAILED,
        [CAUSE_USER] = STORE_INTERRUPTED,
    };
    char text[32];
    struct strbuf last = STRBUF_INIT;
    folder_last_line(r->task->folder, r->log_from, &last);
    v->cause = r->stopping                ? r->why
               : e->signal || e->code < 0 ? cause_of_signal(e->signal)
                                          : cause_of_exit(e->code);
    v->state = states[v->cause];
    if (v->cause == CAUSE_TIMEOUT)
        strbuf_addf(&v->message, "stopped after %s (limits.timeout)",
                    clock_format(wall_s, text, sizeof text));
    else if (v->cause == CAUSE_STALL)
        strbuf_addf(&v->message, "stopped: no heartbeat for %s",
                    clock_format(r->stopped - r->beat, text, sizeof text));
    else if (v->cause == CAUSE_USER)
        strbuf_adds(&v->message, "stopped on request");
    else if (e->signal)
        strbuf_addf(&v->message, "killed by signal %d (%s)%s", e->signal, strsignal(e->signal),
                    e->signal == SIGKILL ? ": out of memory, or killed by hand" : "");
    else if (e->code == EXIT_FINE)
        strbuf_adds(&v->message, "ended without result.json");
    else if (!last.len)
        strbuf_addf(&v->message, "ended with exit code %d and no word", e->code);
    if (last.len && v->cause != CAUSE_USER)
        strbuf_addf(&v->message, "%s%s", v->message.len ? "; last line: " : "", last.text);
    strbuf_release(&last);
}

static int may_retry(const struct schedule *q, const struct run_state *r, enum cause cause)
{
    if (q->stage || cause == CAUSE_TIMEOUT || cause == CAUSE_REFUSED || cause == CAUSE_USER)
        return 0;
    return r->failures[cause] <= q->options->retries;
}

/* Everything of an ending in one transaction, so that no moment of a kill loses a retry. */
static int record(struct schedule *q, struct run_state *r, const struct ingest_attempt *attempt,
                  int retry, enum store_state *state, struct error *why, struct error *err)
{
    if (store_begin(q->store, err))
        return -1;
    int rc = ingest_run(q->store, attempt, state, why, err);
    if (!rc && retry && *state != STORE_DONE)
        rc = store_set_state(q->store, r->task->run, STORE_QUEUED, attempt->message, err);
    if (rc)
        store_rollback(q->store);
    else
        rc = store_commit(q->store, err);
    return rc;
}

static void say_done(struct schedule *q, const struct run_state *r, double wall_s)
{
    char text[32];
    struct strbuf line = STRBUF_INIT;
    strbuf_addf(&line, "%-7s %s", r->recovered ? "found" : "done", r->task->label);
    if (isfinite(r->top1))
        strbuf_addf(&line, "  top-1 %.1f %%", r->top1);
    if (wall_s > 0)
        strbuf_addf(&line, "  %s", clock_format(wall_s, text, sizeof text));
    progress_say(q->progress, PROGRESS_GOOD, "%s", line.text);
    strbuf_release(&line);
}

static void settle(struct schedule *q, struct run_state *r, enum store_state state, int retry,
                   double wall_s, const char *message)
{
    if (state == STORE_DONE) {
        r->phase = PHASE_DONE;
        if (r->recovered)
            q->report->recovered++;
        else
            q->report->ran++;
        if (!r->recovered && r->attempts == 1)
            estimate_add(&q->estimate, r->task->work, wall_s);
        say_done(q, r, r->recovered ? 0 : wall_s);
        return;
    }
    r->phase = retry                                             ? PHASE_WAITING
               : state == STORE_FAILED || state == STORE_TIMEOUT ? PHASE_FAILED
                                                                 : PHASE_LEFT;
    const char *word = retry                      ? "again"
                       : r->phase == PHASE_FAILED ? store_state_name(state)
                                                  : "stopped";
    progress_say(q->progress, r->phase == PHASE_FAILED ? PROGRESS_BAD : PROGRESS_PLAIN,
                 "%-7s %s: %s", word, r->task->label, message);
}

static void note_metric(void *context, int epoch, const char *metric, double value)
{
    struct run_state *r = context;
    if (epoch > r->complete)
        r->complete = epoch;
    if (!strcmp(metric, "train/loss"))
        r->loss = value;
    else if (!strcmp(metric, "val/top1"))
        r->top1 = value;
}

static int note_event(void *context, const struct folder_metric *m)
{
    note_metric(context, m->epoch, m->name, m->value);
    return 0;
}

static void end(struct schedule *q, struct run_state *r, const struct launch_ending *e)
{
    struct error err = {0}, why = {0};
    struct verdict v = {.message = STRBUF_INIT};
    enum store_state state;
    double wall_s = clock_now() - r->started;
    judge(r, e, wall_s, &v);
    r->failures[v.cause]++;
    int retry = may_retry(q, r, v.cause);
    folder_events(r->task->folder, &r->events_at, note_event, r, NULL, NULL);
    const struct ingest_attempt attempt = {.run = r->task->run,
                                           .folder = r->task->folder,
                                           .state = v.state,
                                           .exit_code = e->signal ? 128 + e->signal : e->code,
                                           .wall_s = wall_s,
                                           .cpu_s = e->cpu_s > 0 ? e->cpu_s : 0,
                                           .peak_bytes = e->peak_bytes,
                                           .message = v.message.text};
    free_slot(q, r);
    if (record(q, r, &attempt, retry, &state, &why, &err)) {
        r->phase = PHASE_LEFT; /* its folder is taken in by the next command */
        schedule_fail(q, &err);
    } else {
        settle(q, r, state, retry, wall_s, why.code ? why.msg : v.message.text);
    }
    strbuf_release(&v.message);
}

void attempt_recover(struct schedule *q, struct run_state *r)
{
    struct error err = {0}, why = {0};
    struct stat st;
    enum store_state state;
    char *path = folder_path(r->task->folder, "result.json");
    struct ingest_attempt attempt = {.run = r->task->run,
                                     .folder = r->task->folder,
                                     .state = STORE_INTERRUPTED,
                                     .peak_bytes = -1};
    if (!stat(path, &st))
        attempt.finished = (double)st.st_mtim.tv_sec + 1e-9 * (double)st.st_mtim.tv_nsec;
    free(path);
    r->top1 = NAN;
    r->events_at = 0;
    folder_events(r->task->folder, &r->events_at, note_event, r, NULL, NULL);
    r->recovered = 1;
    if (record(q, r, &attempt, 1, &state, &why, &err)) {
        r->phase = PHASE_LEFT;
        schedule_fail(q, &err);
    } else {
        settle(q, r, state, 1, 0, why.msg); /* a refused result is a reason to run it */
    }
    r->recovered = r->phase == PHASE_DONE;
}

/* ---- watching
 * ---------------------------------------------------------------------------------------- */

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

static void watch_events(struct schedule *q, struct run_state *r)
{
    struct error err = {0};
    if (q->now - r->ingested < ingest_s)
        return;
    r->ingested = q->now;
    off_t before = r->events_at;
    if (ingest_events(q->store, r->task->run, r->task->folder, &r->events_at, note_metric, r, &err))
        schedule_fail(q, &err);
    if (r->events_at == before || progress_is_live(q->progress) || r->complete == r->said)
        return;
    struct strbuf line = STRBUF_INIT;
    const struct progress_run run = {.label = r->task->label,
                                     .epoch = r->complete,
                                     .epochs = r->epochs,
                                     .loss = r->loss,
                                     .top1 = r->top1,
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
        free_slot(q, r);
        r->phase = PHASE_LEFT;
        give_back(q, r, STORE_INTERRUPTED, "stopped on request");
        return;
    }
    if (q->options->launcher->survivors(q->launcher, r->task->folder, 0))
        return;
    if (folder_has_result(r->task->folder)) { /* the survivor finished it */
        free_slot(q, r);
        attempt_recover(q, r);
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
        end(q, r, &e);
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
        attempt_recover(q, r);
        break;
    case SCHEDULE_ELSEWHERE:
        break;
    default:
        r->phase = PHASE_WAITING;
    }
done:
    arena_release(&arena);
}
