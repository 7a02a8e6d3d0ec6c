/* Learning-rate schedules. The rate is a closed form of the step, so a resumed run needs no state.
 *
 * All schedules warm up alike, lr(t) = warmup_lr + (lr - warmup_lr) t / W for t < W, and differ in
 * what they do at t >= W. A kind is one line of schedules.def and one function. */
#ifndef TRAIN_SCHEDULE_H
#define TRAIN_SCHEDULE_H

#include "base/config.h"

#include <stdint.h>

struct error;
struct lr_schedule;

/* A schedule with its numbers. Steps are optimiser steps, t = 0 for the first. */
struct lr_plan {
    const struct lr_schedule *kind;
    double lr, warmup_lr, min_lr;
    double power;   /* poly, poly_min */
    int64_t warmup; /* W */
    int64_t total;  /* T */
};

struct lr_schedule {
    struct config_choice choice;                        /* train.schedule */
    double (*rate)(const struct lr_plan *p, int64_t t); /* t >= W */
};

/* Registry: member i, NULL past the last; as a choice for config tables. */
const struct lr_schedule *lr_schedule_at(int i);
const struct config_choice *lr_schedule_choice(int i);

/* Reads train.*; W is train.warmup_steps, or train.warmup_epochs in steps, rounded to the nearest.
 * Refuses a warm-up that leaves no step at the full rate. */
int lr_plan_init(struct lr_plan *p, const struct config *c, int64_t steps_an_epoch,
                 struct error *err);

/* The rate of step t. Defined for every t: beyond T a cosine rises again and a poly stays at its
 * end. */
double lr_plan_rate(const struct lr_plan *p, int64_t t);

#endif
