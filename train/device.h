/* The device of a run: a backend by name (cuda:1: the second device of its kind), as --device and
 * run.yaml give it. */
#ifndef TRAIN_DEVICE_H
#define TRAIN_DEVICE_H

#include "backend/backend.h"

struct error;

struct device {
    const struct backend *backend;
    struct backend_options options;
    char text[200]; /* what the backend says of itself: "AMD EPYC 7543, avx2" */
};

/* name is a backend's, or "auto": the first of backends.def that works here and computes in single
 * precision. threads 0: as many as this process may use cores. Unknown names are EXIT_USAGE with
 * the known ones, a device that this machine lacks is EXIT_ENVIRONMENT. */
int device_open(struct device *d, const char *name, int threads, struct error *err);

/* What its products are computed in from now on. What the device lacks is refused with the reason
 * (EXIT_ENVIRONMENT). */
int device_set_precision(struct device *d, enum precision p, struct error *err);

/* "fp32", "tf32", "bf16"; "fp64" of judge. */
const char *device_precision(const struct device *d);

#endif
