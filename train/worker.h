/* The worker: one run in one folder, from run.yaml to result.json. */
#ifndef TRAIN_WORKER_H
#define TRAIN_WORKER_H

struct error;

/* Runs or resumes the run in folder, which holds run.yaml, and returns the exit code of the
 * process: EXIT_FINE once result.json is there (at once, where it is there already);
 * EXIT_INTERRUPTED after SIGTERM, SIGINT or SIGUSR1, with a checkpoint; or -1 with err set.
 * Installs handlers for these signals and asks for SIGTERM when the parent process dies; where
 * VITTM_RUNNER names another process than the parent, that has happened already. */
int worker_run(const char *folder, struct error *err);

#endif
