/* run.yaml: a run's complete configuration and what surrounds it. */
#ifndef TRAIN_RUN_CONFIG_H
#define TRAIN_RUN_CONFIG_H

#include "base/config.h"

#include <stddef.h>
#include <stdint.h>

struct error;

enum { RUN_MEASURE_COST = 1, RUN_MEASURE_ACCURACY = 2, RUN_MEASURE_LATENCY = 4 };

struct run_config {
    struct config *config; /* resolved */
    uint64_t seed;         /* seed: N */
    int threads;           /* threads: N; 0 where missing: as many as cores allowed */
    char device[64];       /* device: NAME; auto where missing */
    char cell[65];         /* cell: ID; may be "" */
    unsigned measure;      /* measure: [cost, accuracy, latency]; all where missing */
};

/* Unknown keys, other top-level names and bad values are errors with their place in the file. */
int run_config_load(struct run_config *r, const char *path, struct error *err);
void run_config_release(struct run_config *r);

/* A configuration from text that config_dump wrote (weights keep it in their metadata); name is for
 * messages. */
int run_config_parse(struct config **c, const char *name, const char *text, size_t size,
                     struct error *err);

#endif
