/* A graph run on the judge: for checks that compare numbers. */
#ifndef CLI_SELFTEST_PROBE_H
#define CLI_SELFTEST_PROBE_H

#include "backend/backend.h"

struct probe_options {
    int expand;   /* pretend that the device has no fused op */
    int no_reuse; /* every tensor in a place of its own */
    int threads;  /* 0: 1 */
    enum precision precision;
};

/* A loaded program whose parameters hold their initial values for seed. */
struct probe {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

/* Adds the outputs y and loss = <cotangent, y> with a random cotangent, so that no symmetry hides a
 * wrong rule. */
void probe_loss(struct graph *g, struct tensor *y);

/* Takes g over. loss: name of the output to differentiate, every gradient kept; NULL: forward only.
 */
int probe_open(struct probe *p, const struct backend *backend, struct graph *g, const char *loss,
               const struct probe_options *o, uint64_t seed, struct error *err);
void probe_close(struct probe *p);
void probe_run(const struct probe *p, uint64_t seed, uint64_t step);
/* The named result; the caller frees. */
double *probe_read(const struct probe *p, const char *name, int64_t *count);
double probe_scalar(const struct probe *p, const char *name);
/* Three runs of one step: the first is eager, later ones may be captured and replayed. 1 if all
 * give the same bits. */
int probe_repeats(struct probe *p, uint64_t seed, uint64_t step);
/* SHA-256 over the bytes of all results. */
void probe_digest(const struct probe *p, char hex[65]);

#endif
