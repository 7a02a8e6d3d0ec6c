/* What the benchmarks measure: models of fixed shapes, loaded on the cpu, and the machine's own
 * peak. */
#ifndef BENCH_SUBJECT_H
#define BENCH_SUBJECT_H

#include "backend/backend.h"
#include "base/error.h"

/* A model, its batch, its threads, and the goal. */
struct subject {
    const char *name;
    int training;
    int batch, threads;
    double goal;      /* fraction of peak */
    const char *keys; /* key=value, separated by blanks */
};

#define IMAGENET                                                                                   \
    "model.image_size=224 model.channels=3 model.classes=1000 model.memory_patch=28 "              \
    "model.process_init=patch model.process_patch=28 model.upstream_patch_size=16 "                \
    "model.fusion=add model.memory_block=none model.mlp_ratio=4 "

/* ViTTM-B(64,64) but for its depth and head. */
#define VITTM_B_KEYS "model.family=vittm " IMAGENET "model.dim=768 model.heads=12 "

/* The i-th; NULL past the last. Training comes first. */
const struct subject *subject_at(int i);

/* A subject on the device. */
struct loaded {
    struct plan *plan;
    struct program *program;
    double macs;    /* the whole batch's; a training step counts three times the forward */
    int64_t params; /* that are used */
    uint64_t step;
};

/* Ends the program with the reason where it cannot. */
void loaded_open(struct loaded *l, const struct subject *s, enum precision p);
void loaded_close(struct loaded *l);
/* One call of a struct loaded. */
void loaded_run(void *ctx);
/* Seconds of each step of the plan, the best of several runs: other work on the machine drops out.
 * The caller frees them. */
double *loaded_step_times(struct loaded *l);
/* Whether the cpu has that precision. */
int loaded_has(enum precision p);

/* One product of 2048^3 by OpenBLAS with so many threads: the peak's unit. Seconds. */
#define PEAK_MACS (2048.0 * 2048.0 * 2048.0)
double peak_seconds(int threads);

/* Ends the program with the message where rc is not 0. */
void bench_check(int rc, const struct error *err);

#endif
