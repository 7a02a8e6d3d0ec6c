/* The cpu backend: kernels compiled several times from one source, and the program that calls them.
 *
 * A kernel gets one node with resolved addresses. It cuts its work into blocks whose sizes depend
 * on the shapes alone; a block is computed by one thread, and partial sums are combined in block
 * order. So results do not depend on the number of threads. */
#ifndef BACKEND_CPU_CPU_H
#define BACKEND_CPU_CPU_H

#include "backend/precision.h"
#include "tensor/ops/op.h"

#include <stddef.h>
#include <stdint.h>

/* One kernel call. Values are float or, in the judge variant, double. */
struct kernel_call {
    const struct node *node;
    void *const *in;  /* addresses of node->in */
    void *const *out; /* addresses of node->out */
    void *scratch;    /* kernel.memory().shared bytes */
    char *work;       /* kernel.memory().thread bytes for each thread, work_stride apart */
    size_t work_stride;
    uint64_t seed, step; /* of the run: stochastic depth */
    int threads;
    int ordered; /* the weight that the kernel names is in the variant's order */
};

/* Temporary memory of one call in bytes. */
struct kernel_memory {
    size_t shared; /* seen by all threads: partial sums */
    size_t thread; /* private to each: tiles */
};

struct kernel {
    const char *name; /* of the op */
    void (*run)(const struct kernel_call *c);
    struct kernel_memory (*memory)(const struct node *n);
    int weight; /* which input may be ordered, a matrix (out,in); -1: none */
};

/* How a variant's products best read a weight: another order of the same values, in as much memory.
 * Matrices are packed; to and from are different memory. NULL, NULL: as it is. */
struct kernel_order {
    void (*order)(void *to, const void *w, int64_t rows, int64_t cols);
    void (*restore)(void *w, const void *from, int64_t rows, int64_t cols);
};

/* All kernels of one variant; kernels are looked up by op_index. */
struct kernel_table {
    const char *variant;
    size_t value_size;
    enum precision precision;         /* of products */
    const struct kernel_order *order; /* of weights */
    const struct kernel *kernels;
    int n_kernels;
};

/* The kernel of an op in a table, or NULL. */
const struct kernel *kernel_find(const struct kernel_table *t, const struct op *op);

/* The variants built into this program, best first; NULL past the last. */
const struct kernel_table *cpu_variant_at(int i);
/* Whether this machine can execute a variant. */
int cpu_variant_runs(const struct kernel_table *t);
/* The named variant, or the best one this machine runs in that precision where name is NULL; NULL
 * and a message if it is unknown, of another precision, or this machine cannot run it. */
const struct kernel_table *cpu_variant(const char *name, enum precision p, struct error *err);
const struct kernel_table *judge_variant(void);

#endif
