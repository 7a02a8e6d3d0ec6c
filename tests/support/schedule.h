/* Runners as processes over a grid of fake workers (tests/support/fake_worker.h), and what must be
 * true of them afterwards. A program that asks for them is the worker, too: called with `worker
 * FOLDER` its main returns fake_worker(FOLDER). Failures fail the test. */
#ifndef TESTS_SUPPORT_SCHEDULE_H
#define TESTS_SUPPORT_SCHEDULE_H

#include <sys/types.h>

#include "base/arena.h"

/* What a test asks of a runner. */
struct request {
    char root[200]; /* database and runs are in here */
    char mode[32];  /* of the workers */
    int runs, epochs, epoch_ms;
    int jobs, retries, retry_failed, n_gpus;
    double timeout_s, stall_s, grace_s;
};

/* A new folder; 3 epochs of 5 ms, 2 jobs, 5 s of grace. request_close removes the folder. */
void request_open(struct request *q, const char *mode, int runs);
void request_close(const struct request *q);

/* A runner in a child; its messages go to ROOT/messages. */
pid_t request_start(const struct request *q);

/* The exit code, or minus the signal. */
int runner_wait(pid_t pid);

/* Both at once. */
int request_run(const struct request *q);

/* Waits until n workers have started. */
void request_wait_starts(const struct request *q, int n);

/* Starts of workers so far: of run i, of all runs. */
int request_starts_of(const struct request *q, int i);
int request_starts(const struct request *q);

/* Runs whose process may be alive. */
int request_held(const struct request *q);

/* The folder of run i. */
char *request_run_folder(struct arena *a, const struct request *q, int i);

/* The one integer that a query of the database gives. */
long long request_ask(const struct request *q, const char *sql);

/* Every run is in the database once, done, with the bits an undisturbed run has; no two workers
 * ever met. */
void request_expect_complete(const struct request *q);

/* The runner said this. */
void request_expect_message(const struct request *q, const char *part);

void sleep_ms(double ms);

#endif
