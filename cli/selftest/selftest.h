/* The self-test: what a build must satisfy on the machine it runs on. Each part counts cases and
 * prints a line for every failure and skip. */
#ifndef CLI_SELFTEST_SELFTEST_H
#define CLI_SELFTEST_SELFTEST_H

#include "backend/backend.h"

struct error;

enum { SELFTEST_BACKENDS = 8 };

struct selftest_count {
    int passed, failed;
};

struct selftest {
    const struct backend *const *backends; /* under test; NULL-terminated */
    int threads;
    int verbose; /* a line for every passed case too */
    int passed, failed, skipped;
    /* The same by what was under test: each of backends, and what no device has a part in. */
    struct selftest_count of[SELFTEST_BACKENDS], of_none;
    struct selftest_count *now; /* NULL: of_none */
};

/* The verdicts that follow are about this one of the backends; NULL: about none. */
void selftest_on(struct selftest *t, const char *backend);

/* One case's verdict: one line "ok|not ok|skip NAME: …" (passed ones with verbose) and a count. */
void selftest_pass(struct selftest *t, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void selftest_fail(struct selftest *t, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void selftest_skip(struct selftest *t, const char *name, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* Reference tensors: every .safetensors file of a folder, in name order. Of models: outputs, loss
 * and the gradient of every parameter within 1e-4 relative (of the tensor's norm) in float, 1e-6 in
 * the judge; of a model's family or option that this build does not have a file is skipped with the
 * reason. Of one operation, and of data and training (golden_kind.h): as the file's check says. */
int selftest_golden(struct selftest *t, const char *folder, struct error *err);

/* Contracts of the registries. */
/* Every op: gradients against differences; fused = expanded; refusals. */
void selftest_ops(struct selftest *t);
/* Kernels of devices other than the processor: twice the error of cpu at most; products in lower
 * precision, the processor's too: that of rounding. */
void selftest_kernels(struct selftest *t);
/* Every head x fusion x block x init builds, trains, repeats its bits; with decoders, reducers. */
void selftest_models(struct selftest *t);
void selftest_decoders(struct selftest *t); /* of segmentation */
void selftest_reducers(struct selftest *t); /* token reductions */
/* So many random graphs: plan verified, reuse changes no bit. */
void selftest_planner(struct selftest *t, int graphs);

/* One golden model file; name is for messages. Used by selftest_golden. */
void selftest_golden_model(struct selftest *t, const char *name, const char *path);

#endif
