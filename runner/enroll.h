/* An experiment into the database: its description, its planned cells, a run for each seed; and the
 * tasks for the scheduler that come of it. */
#ifndef RUNNER_ENROLL_H
#define RUNNER_ENROLL_H

#include "runner/experiment.h"
#include "runner/schedule.h"

struct arena;
struct error;
struct store;

struct enroll_options {
    const char *out; /* run folders are OUT/runs/CELL-sSEED, with -DEVICE behind for all but cpu */
    /* as run.yaml says it: "cpu", "cuda:1"; its class is what is before the colon */
    const char *device;
    int threads;
    const char *title; /* in place of the experiment's, or NULL */
    int keep_members;  /* cells that are not planned now stay in the experiment (run --only) */
    /* Training images of a cell, 0 where unknown. May be NULL. */
    double (*images)(void *context, const struct cell *c);
    void *context;
};

/* One transaction. *tasks lives in the arena, as long as e does. A run that has a folder already
 * keeps it. */
int enroll(struct store *s, const struct experiment *e, const struct enroll_options *o,
           struct arena *arena, struct schedule_task **tasks, size_t *count, struct error *err);

/* The same tasks without a database to write to. */
void enroll_preview(const struct experiment *e, const struct enroll_options *o, struct arena *arena,
                    struct schedule_task **tasks, size_t *count);

#endif
