/* Launchers: how a worker process gets to run. The scheduler decides what runs next and what an
 * ending means; a launcher only starts, watches and signals. A member is one file and one line of
 * launchers.def; the scheduler holds jobs as opaque numbers, so a cluster's queue fits behind the
 * same calls.
 *
 * What a launcher of other machines (Slurm's sbatch, squeue and scancel, started with an argument
 * vector each, never through a shell) must provide:
 *   - the run's folder on a file system that both sides see. All else passes through it (DESIGN.md,
 *     a run's folder): the worker gets nothing but `worker FOLDER`, answers by files that appear by
 *     rename, and result.json counts whatever became of the job. No worker opens the database.
 *   - descriptor 3 of the worker locked on FOLDER/lock as long as it lives, or, where flock(2) does
 *     not reach other hosts, survivors() answered from the queue: a job of this folder that is
 *     pending or running is a survivor. A cluster may start a job twice (requeue, a controller that
 *     crashed): start() must refuse while another one is there, with EXIT_INTERRUPTED.
 *   - VITTM_RUNNER unset, so that the worker does not end with the runner; SIGTERM before SIGKILL
 *     with room for a checkpoint (--signal=B:USR1@120, and USR1 is as TERM to the worker); exec of
 *     the worker, so that it, not a shell, gets the signals; logs opened for appending.
 *   - exit codes as they are: 75 is "checkpointed, run me again", which the scheduler does itself
 *     (so --no-requeue), every other failure it counts. A code that the queue forgot is -1: what
 *     the folder holds decides.
 *   - poll() that costs the queue one look for all jobs, once in a few seconds, whatever the number
 *     of runs: keep the answer in the state. start() may pack several folders into one array job
 *     as long as each has a number of its own in job->id.
 *   - jobs as the bound on what is submitted at once; threads as the cores of each; gpus is empty
 *     there, for the queue shares its own out. */
#ifndef RUNNER_LAUNCHER_H
#define RUNNER_LAUNCHER_H

#include "base/config.h"

struct error;

/* What every job of one runner has in common. Strings must outlive the launcher's state. */
struct launch_plan {
    const char *program; /* path of the binary; it is started as `name worker FOLDER` */
    const char *name;    /* what it calls itself (argv[0]) */
    int jobs;            /* at most this many at once: slots 0 .. jobs-1 */
    int threads;         /* of each job */
    const char *const
        *gpus;  /* slot i has gpus[i % n_gpus] to itself and the other slots that get it */
    int n_gpus; /* 0: GPUs are not shared out */
};

/* One job. The scheduler owns the struct; id means something to its launcher alone. */
struct launch_job {
    long long id; /* local: the process id, which is also its process group */
    int slot;     /* which share of the machine it has */
};

/* How a job ended. */
struct launch_ending {
    int code;             /* exit code, or -1 */
    int signal;           /* that killed it, or 0 */
    double cpu_s;         /* user and system time, -1 where unknown */
    long long peak_bytes; /* of resident memory, -1 where unknown */
};

struct launcher {
    struct config_choice choice; /* name and one line of help; first member */
    /* Makes the state that the other calls get: for local, the cores of each slot. */
    int (*open)(const struct launch_plan *plan, void **state, struct error *err);
    void (*close)(void *state);
    /* Starts `program worker folder`, both outputs appended to folder/log.txt. Fails with
     * EXIT_INTERRUPTED where a worker of a runner that died is still in the folder. */
    int (*start)(void *state, const char *folder, int slot, struct launch_job *job,
                 struct error *err);
    /* 0 while it runs, 1 with *ending filled once it has ended (and only once). */
    int (*poll)(void *state, struct launch_job *job, struct launch_ending *ending);
    /* Sends SIGTERM or SIGKILL to the job and everything it started. */
    void (*signal)(void *state, const struct launch_job *job, int signal);
    /* Number of processes that still work in the folder. Those whose runner is gone are sent
     * `signal` (0: none is sent); those of a runner that lives, on another database, are left to
     * end. */
    int (*survivors)(void *state, const char *folder, int signal);
};

/* Registry: member i or NULL past the last; by name or NULL. */
const struct launcher *launcher_at(int i);
const struct launcher *launcher_find(const char *name);

#define LAUNCHER(name) extern const struct launcher launch_##name;
#include "runner/launchers.def"
#undef LAUNCHER

#endif
