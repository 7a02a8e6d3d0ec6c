/* What the golden files about one operation share: a case, and graphs over its tensors. */
#ifndef CLI_SELFTEST_GOLDEN_STEP_H
#define CLI_SELFTEST_GOLDEN_STEP_H

#include "cli/selftest/golden.h"

/* One file on one backend. */
struct step_case {
    const struct backend *backend; /* NULL: the operation is the host's */
    const struct safetensors *file;
    json_t *config;
    int threads;
    struct comparison *result;
    struct plan *plan;
    struct program *program;
};

/* Facts of the file's configuration; 0 where they are missing. */
int64_t step_number(const struct step_case *s, const char *key);
int step_truth(const struct step_case *s, const char *key);

/* Of the backend's precision, for golden_compare. */
double step_tolerance(const struct step_case *s);

/* Rank 0 where the file has no such tensor. */
struct shape step_stored_shape(const struct step_case *s, const char *name);
int step_has(const struct step_case *s, const char *name);

/* A leaf that gets the stored tensor of its name; param: with a gradient. */
struct tensor *step_input(const struct step_case *s, struct graph *g, const char *name, int param);
/* The sum of t times the stored cotangent: what the file's gradients are of. */
struct tensor *step_against(const struct step_case *s, struct graph *g, struct tensor *t,
                            const char *cotangent);
/* Takes g over, whose result "loss" is differentiated, and runs it on the stored tensors. */
int step_run(struct step_case *s, struct graph *g, struct error *err);
/* A result of the run, which the caller frees. */
double *step_computed(const struct step_case *s, const char *name, int64_t *count);
/* Every stored tensor with the name of a result. */
void step_compare_results(const struct step_case *s);

/* The operations. They compare into s->result; 0, or -1 and the reason. */
int step_tome(struct step_case *s, struct error *err);
int step_mctf(struct step_case *s, struct error *err);
int step_position_table(struct step_case *s, struct error *err);
int step_patch_kernels(struct step_case *s, struct error *err);

#endif
