/* What the golden files about training share, and the checks of its parts. */
#ifndef CLI_SELFTEST_GOLDEN_TRAIN_H
#define CLI_SELFTEST_GOLDEN_TRAIN_H

#include "cli/selftest/golden.h"
#include "cli/selftest/probe.h"

/* One file on one backend. */
struct train_case {
    const struct backend *backend; /* NULL: the check is the host's */
    const struct safetensors *file;
    const json_t *json;
    int threads;
    struct comparison result;
};

/* Compiles and loads g for the case's backend; probe_close it after 0. loss as in probe_open. */
int train_open(const struct train_case *s, struct probe *p, struct graph *g, const char *loss,
               struct error *err);
/* Values of the leaf of that name. */
void train_write(const struct probe *p, const char *name, const double *x);

/* Elementwise: |got - want| <= absolute + relative * |want|. */
void train_compare(struct comparison *c, const char *name, const double *got, const double *want,
                   int64_t n, double absolute, double relative);
/* The result called output; name is for messages. */
void train_compare_result(struct comparison *c, const struct probe *p, const char *output,
                          const char *name, const double *want, double absolute, double relative);

/* Compare into s->result; 0, or -1 and the reason. */
int train_check_loss(struct train_case *s, struct error *err);
int train_check_two_heads(struct train_case *s, struct error *err);
int train_check_adamw(struct train_case *s, struct error *err);
int train_check_schedule(struct train_case *s, struct error *err);
int train_check_topk(struct train_case *s, struct error *err);

#endif
