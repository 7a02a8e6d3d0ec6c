/* The scheduler: a process per run, so many at a time, until nothing is missing.
 *
 * What holds at every moment, also across kill -9 of the scheduler or of any worker:
 *
 *   - a run is worked on by at most one process: it is claimed in one transaction, and a worker
 *     that outlived its runner is stopped before another one starts in its folder;
 *   - a result is in the run's folder, whole, or in the database, whole: a folder that was finished
 *     but not taken in is taken in when the same command is run again;
 *   - what was interrupted resumes from its checkpoint, what is done is kept.
 *
 * Signals, while it runs: SIGINT, SIGTERM, SIGHUP and SIGUSR1 stop it in two stages. First: nothing
 * new is launched, the workers get SIGTERM, write a checkpoint and end. Second: they are killed. */
#ifndef RUNNER_SCHEDULE_H
#define RUNNER_SCHEDULE_H

#include "results/store.h"
#include "runner/launcher.h"

struct error;
struct provenance;

/* One run to be had. Strings must outlive the call. */
struct schedule_task {
    const char *run;    /* id in the store, where it is already (store_put_run) */
    const char *folder; /* path from here; made where missing */
    const char *label;  /* "linear/add seed 0" */
    const char *config; /* text of run.yaml, frozen now: editing the experiment changes nothing */
    double work;        /* MACs x images x epochs, for the expected end; 0 where unknown */
    long long memory_bytes; /* planned peak, 0 where unknown */
    long long disk_bytes;   /* of what it will write, about; 0 where unknown */
};

struct schedule_options {
    const struct launcher *launcher;
    struct launch_plan launch;
    const struct provenance *provenance;
    int retry_failed; /* run what failed or timed out earlier once more */
    int retries;      /* further attempts after each kind of failure */
    double timeout_s; /* of one attempt; 0: none */
    double stall_s;   /* a worker without a heartbeat for so long is stopped; 0: never */
    double grace_s;   /* between SIGTERM and SIGKILL of a worker that is timed out or stalled */
    long long memory_bytes;  /* running tasks together; 0: no limit */
    const char *tensorboard; /* folder for TensorBoard's event files; NULL: none */
    int progress_fd;         /* 2 */
};

struct schedule_report {
    int done;        /* of all tasks, now */
    int ran;         /* done by this call */
    int recovered;   /* found finished in their folder */
    int failed;      /* failed or timed out, earlier ones too */
    int interrupted; /* not done, not failed */
    double wall_s;
};

/* Runs what is missing of the tasks. Returns an exit code: EXIT_FINE where all are done,
 * EXIT_FAILED where any has failed, EXIT_CTRL_C after SIGINT, EXIT_INTERRUPTED after another signal
 * or where runs are left to resume; or -1 with err set (the database or the launcher does not work;
 * running workers were stopped in an orderly way first). One scheduler per process at a time; call
 * it from the main thread. */
int schedule_run(struct store *s, const struct schedule_task *tasks, size_t count,
                 const struct schedule_options *options, struct schedule_report *report,
                 struct error *err);

/* What schedule_run would do with each task, without doing it. */
enum schedule_fate {
    SCHEDULE_KEEP,    /* done */
    SCHEDULE_RECOVER, /* finished in its folder, to be taken in */
    SCHEDULE_START,
    SCHEDULE_RESUME,
    SCHEDULE_RETRY,     /* failed or timed out earlier, retry_failed */
    SCHEDULE_LEAVE,     /* failed or timed out earlier, not retry_failed */
    SCHEDULE_ELSEWHERE, /* another runner is at it */
    SCHEDULE_FATES
};
const char *schedule_fate_name(enum schedule_fate fate);
/* Is the process that claimed a run possibly alive? Of a run that is STORE_RUNNING and not held the
 * runner was killed: the next one takes it over. */
int schedule_held(const struct store_run *row);

/* Returns a fate, or -1 with err set. */
int schedule_fate(struct store *s, const struct schedule_task *task,
                  const struct schedule_options *options, struct error *err);

#endif
