/* Backends: something that runs plans. Members are listed in backends.def.
 *
 * A program is a plan loaded on a device: two memory blocks, and one kernel call a step. Nothing
 * allocates while it runs. Same plan, seed and device: same bits, whatever the number of threads.
 */
#ifndef BACKEND_BACKEND_H
#define BACKEND_BACKEND_H

#include "backend/precision.h"
#include "base/config.h"
#include "tensor/compile/plan.h"

#include <stddef.h>
#include <stdint.h>

struct program;
struct plugin;

struct backend_options {
    int threads;              /* >= 1 */
    const char *variant;      /* cpu: portable, avx2, avx512, avx512_bf16; NULL: the best that this
                                 machine has for the precision */
    enum precision precision; /* of products; what a backend lacks, its probe and load refuse */
    int device;               /* which of several: 1 in cuda:1 */
};

/* One kind of device. choice.name is what --device takes. */
struct backend {
    struct config_choice choice;
    size_t value_size;
    int dry; /* computes nothing: for plans and counts, never for a run */
    /* Where everything below is, for a row of the registry that only names it; else NULL. */
    const struct plugin *plugin;
    /* 0 if this machine can run it; else -1 and one line why. device describes it ("AMD EPYC,
     * avx512"). */
    int (*probe)(const struct backend_options *o, char *device, size_t size, struct error *err);
    int (*has)(const void *ctx, const struct op *op);
    size_t (*scratch)(const void *ctx, const struct node *n);
    /* What its kernels can store in bf16 where products are in that precision (half_rule); NULL:
     * nothing. */
    void (*halves)(const struct node *n, struct half_rule *r);
    struct program *(*load)(const struct plan *p, const struct backend_options *o,
                            struct error *err);
    void (*unload)(struct program *p);
    /* All of a tensor. Host values are float (int32 for TENSOR_INT, uint8 for TENSOR_BYTE tensors);
     * judge converts. */
    void (*write)(struct program *p, const struct tensor *t, const void *host);
    void (*read)(struct program *p, const struct tensor *t, void *host);
    void (*read_double)(struct program *p, const struct tensor *t, double *host);
    void (*write_double)(struct program *p, const struct tensor *t, const double *host);
    void (*run)(struct program *p, uint64_t seed, uint64_t step);
    /* Returns when every run is done; NULL where a run is done when it returns. */
    void (*wait)(struct program *p);
    /* profile(1) clears and begins to time every step of each run, profile(0) ends it;
     * profile_step: seconds spent in step i meanwhile. */
    void (*profile)(struct program *p, int on);
    double (*profile_step)(const struct program *p, int step);
};

const struct backend *backend_at(int i);
const struct backend *backend_find(const char *name); /* NULL if unknown */
const struct config_choice *backend_choice(int i);

/* What a row of the registry stands for, ready to be used: a plugin is loaded (backend/plugin.h),
 * then the device is probed. device describes it. NULL and one line, EXIT_ENVIRONMENT where the
 * machine lacks something. */
const struct backend *backend_open(const struct backend *row, const struct backend_options *o,
                                   char *device, size_t size, struct error *err);

/* The capability of a backend, for plan_compile; a program is loaded with the same precision. */
struct capability backend_capability(const struct backend *b, enum precision precision);

/* Fills every parameter and state tensor of the plan from its init rule, keyed by (seed, name);
 * state and gradients by their rule too. Done once after load, before weights are written over it.
 */
void program_init(const struct backend *b, struct program *p, const struct plan *plan,
                  uint64_t seed);

#endif
