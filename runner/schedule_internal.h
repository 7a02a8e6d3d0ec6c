/* What schedule.c (the loop), attempt.c (one run's way through it) and ending.c share. */
#ifndef RUNNER_SCHEDULE_INTERNAL_H
#define RUNNER_SCHEDULE_INTERNAL_H

#include <sys/types.h>

#include "base/error.h"
#include "runner/estimate.h"
#include "runner/machine.h"
#include "runner/progress.h"
#include "runner/schedule.h"
#include "runner/tensorboard.h"

enum phase {
    PHASE_WAITING,  /* for a slot */
    PHASE_CLEARING, /* claimed; a worker of a dead runner is being stopped */
    PHASE_RUNNING,
    PHASE_ELSEWHERE, /* claimed by another runner */
    PHASE_DONE,
    PHASE_FAILED,
    PHASE_LEFT /* interrupted, and not taken up again by this call */
};

/* Why an attempt ended without a result. Attempts are counted by cause. */
enum cause {
    CAUSE_ERROR,   /* it said so and exited */
    CAUSE_CRASH,   /* a signal that means a bug: SIGSEGV, SIGABRT, … */
    CAUSE_STALL,   /* no heartbeat */
    CAUSE_STOPPED, /* somebody else stopped or killed it */
    CAUSE_TIMEOUT,
    CAUSE_REFUSED, /* configuration or environment: trying again is no use */
    CAUSE_USER,    /* we were told to stop */
    CAUSES
};

struct run_state {
    const struct schedule_task *task;
    enum phase phase;
    struct launch_job job;
    int retry; /* may be claimed although it failed earlier */
    int left;  /* failed earlier and is left so */
    int recovered;
    int attempts;                                    /* in the store, when it was last looked at */
    int failures[CAUSES];                            /* in this call */
    int stopping;                                    /* signal sent */
    enum cause why;                                  /* meaningful where stopping */
    double started, beat, looked, ingested, stopped; /* clock_now */
    long long beat_version;
    off_t log_from, events_at;
    int epoch, epochs;  /* under way, of how many */
    int complete, said; /* epochs with an event, and the last one that was told */
    double loss, images_per_s, eta_s;
    struct progress_score score;
    struct tensorboard *board; /* while it runs, with options.tensorboard */
    int boardless;             /* it could not be written, and that was said */
};

struct schedule {
    struct store *store;
    const struct schedule_options *options;
    struct run_state *runs;
    size_t n;
    struct run_state **slots; /* of launch.jobs */
    void *launcher;
    struct machine_process self;
    struct progress *progress;
    struct estimate estimate;
    struct schedule_report *report;
    long long memory_used;
    int stage;  /* 0; 1 stopping; 2 killing */
    int signal; /* that began the stop, 0 where an error did */
    struct error fatal;
    double now;
};

/* Ends the command in an orderly way over an error: the first one is kept. */
void schedule_fail(struct schedule *q, const struct error *err);

/* Claims a waiting run and starts its worker in a free slot. 1: it took the slot, 0: it did not
 * (another runner has it, or it is done), -1: the command must end (fatal is set). */
int attempt_start(struct schedule *q, struct run_state *r, int slot);
/* One look at a run that has a slot: heartbeat, curves, limits, ending. */
void attempt_watch(struct schedule *q, struct run_state *r);
/* Sends SIGTERM (once) or SIGKILL because of `why`. */
void attempt_stop(struct schedule *q, struct run_state *r, enum cause why, int signal);
/* A look at a run that another runner had. */
void attempt_look_elsewhere(struct schedule *q, struct run_state *r);

/* Brings the run's TensorBoard file up to date, where there is to be one; last closes it. */
void attempt_board(struct schedule *q, struct run_state *r, int last);

void attempt_free_slot(struct schedule *q, struct run_state *r);

/* The worker has ended: its folder goes into the database, and the run is done, failed, left or
 * waits to be tried again. */
void ending_take(struct schedule *q, struct run_state *r, const struct launch_ending *e);
/* Takes in a folder that was finished by an earlier runner. */
void ending_recover(struct schedule *q, struct run_state *r);
/* The newest metrics, as ingest_events hands them over; context is the run_state. */
void ending_note(void *context, int epoch, const char *metric, double value);

#endif
