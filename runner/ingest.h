/* From a run's folder into the database: what a finished, failed or running worker has left there.
 * Every call is idempotent: a runner that is killed between a worker's end and the commit finds the
 * folder again and takes it in once. */
#ifndef RUNNER_INGEST_H
#define RUNNER_INGEST_H

#include <sys/types.h>

#include "results/store.h"

struct error;

/* What the runner knows of the attempt beyond what is in the folder. */
struct ingest_attempt {
    const char *run;    /* id */
    const char *folder; /* path that can be opened from here */
    /* of an attempt without a result.json; one with a result is STORE_DONE */
    enum store_state state;
    int exit_code;
    double wall_s, cpu_s; /* 0 where unknown */
    double finished;      /* unix time; 0: now */
    long long peak_bytes; /* of resident memory, or -1 */
    const char *message;  /* why it ended without a result; or NULL */
};

/* Takes the folder in: final metrics, curves, cost and latency rows, per-image correctness, facts,
 * provenance and the end of the log, in one transaction. *state says what the run is now:
 * STORE_DONE, or attempt->state, or STORE_FAILED where result.json is not as agreed (it is set
 * aside as result.refused.json, so that a retry can write another, and *why says what is wrong). */
int ingest_run(struct store *s, const struct ingest_attempt *attempt, enum store_state *state,
               struct error *why, struct error *err);

/* Stores what events.jsonl has got since *offset of a run that goes on; calls each metric's last
 * value back. Returns -1 only if the database fails. */
int ingest_events(struct store *s, const char *run, const char *folder, off_t *offset,
                  void (*last)(void *context, int epoch, const char *metric, double value),
                  void *context, struct error *err);

#endif
