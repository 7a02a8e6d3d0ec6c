/* How an attempt ended: what it means, what of it is kept, whether the run is tried again. */
#include "runner/schedule_internal.h"

#include "base/clock.h"
#include "base/strbuf.h"
#include "runner/folder.h"
#include "runner/ingest.h"

#include <math.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

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
    progress_score_text(&line, &r->score);
    if (wall_s > 0)
        strbuf_addf(&line, "  %s", clock_format(wall_s, text, sizeof text));
    progress_say(q->progress, PROGRESS_GOOD, "%s", line.text);
    strbuf_release(&line);
}

/* What is reported of the weights that the run ended with, which need not be the last epoch's
 * (train.select). */
static void take_final_score(struct run_state *r)
{
    const char *name;
    json_t *value, *result = folder_result(r->task->folder, NULL);
    json_object_foreach(json_object_get(result, "metrics"), name, value)
        progress_score_note(&r->score, name, json_number_value(value));
    json_decref(result);
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
        take_final_score(r);
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

void ending_note(void *context, int epoch, const char *metric, double value)
{
    struct run_state *r = context;
    if (!strncmp(metric, "step/", 5))
        return; /* inside the epoch */
    if (epoch > r->complete)
        r->complete = epoch;
    if (!strcmp(metric, "train/loss"))
        r->loss = value;
    progress_score_note(&r->score, metric, value);
}

static int note_event(void *context, const struct folder_metric *m)
{
    ending_note(context, m->epoch, m->name, m->value);
    return 0;
}

void ending_take(struct schedule *q, struct run_state *r, const struct launch_ending *e)
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
    attempt_board(q, r, 1);
    attempt_free_slot(q, r);
    if (record(q, r, &attempt, retry, &state, &why, &err)) {
        r->phase = PHASE_LEFT; /* its folder is taken in by the next command */
        schedule_fail(q, &err);
    } else {
        settle(q, r, state, retry, wall_s, why.code ? why.msg : v.message.text);
    }
    strbuf_release(&v.message);
}

void ending_recover(struct schedule *q, struct run_state *r)
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
    r->score = (struct progress_score){0};
    r->events_at = 0;
    folder_events(r->task->folder, &r->events_at, note_event, r, NULL, NULL);
    attempt_board(q, r, 1);
    r->recovered = 1;
    if (record(q, r, &attempt, 1, &state, &why, &err)) {
        r->phase = PHASE_LEFT;
        schedule_fail(q, &err);
    } else {
        settle(q, r, state, 1, 0, why.msg); /* a refused result is a reason to run it */
    }
    r->recovered = r->phase == PHASE_DONE;
}
