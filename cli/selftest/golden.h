/* What the runners of golden files share: reading a file's configuration and comparing tensors. */
#ifndef CLI_SELFTEST_GOLDEN_H
#define CLI_SELFTEST_GOLDEN_H

#include "backend/backend.h"
#include "base/config.h"
#include "train/safetensors.h"

#include <jansson.h>

struct selftest;

/* The file's "config", or NULL where it has none; the caller releases it. */
json_t *golden_json(const struct safetensors *s);
/* The model that a file describes: every key of its configuration assigned, and read. NULL and the
 * reason otherwise. */
struct config *golden_config(const struct safetensors *s, struct error *err);
/* Assigns the keys of a JSON object below prefix. Facts that follow from other keys are assigned
 * only with want_derived, where the model reads them. */
int golden_assign(struct config *c, const char *prefix, json_t *object, int want_derived,
                  const char *path, struct error *err);

/* The tensor prefix NAME if the file has it with count values, else NULL; the caller frees. */
double *golden_stored(const struct safetensors *s, const char *prefix, const char *name,
                      int64_t count);

/* All values of a tensor of the file, which the caller frees, and their number (n may be NULL);
 * NULL and the reason where it lacks it. */
double *golden_values(const struct safetensors *f, const char *name, int64_t *n, struct error *err);

/* A number of the file's configuration or case; 0 where it is missing. */
double golden_number(const json_t *o, const char *key);

#define GOLDEN_TOLERANCE_FLOAT  1e-4
#define GOLDEN_TOLERANCE_DOUBLE 1e-6

struct comparison {
    double worst; /* largest error / tolerance */
    char what[200];
    int compared;
};

double golden_norm(const double *x, int64_t n);
/* Relative error of the tensor's norm, floor being the smallest norm taken seriously. */
void golden_compare(struct comparison *c, const char *name, const double *got, const double *want,
                    int64_t n, double tolerance, double floor);
/* Whole numbers: any difference fails. */
void golden_compare_exactly(struct comparison *c, const char *name, const double *got,
                            const double *want, int64_t n);

/* Counts the verdict of one file on one backend; rc and err are the runner's. */
void golden_verdict(struct selftest *t, const char *name, const char *backend, int rc,
                    const struct comparison *c, const struct error *err);

/* A file about sliding windows or mIoU: compared, counted and 1; else 0. */
int golden_segment(struct selftest *t, const char *name, const struct safetensors *file);

/* A file about one operation: compared, counted and 1; 0 where it describes a model. */
int golden_step(struct selftest *t, const char *name, const struct safetensors *file);

#endif
