/* What the kernels of a device are tried on. */
#ifndef CLI_SELFTEST_KERNEL_CASE_H
#define CLI_SELFTEST_KERNEL_CASE_H

#include "tensor/graph/graph.h"

struct size_case {
    const char *name;
    struct tensor *(*build)(struct graph *g, int64_t tokens);
};

struct rounded_case {
    struct size_case c;
    int products; /* one after the other: each adds its roundings */
};

/* Both end in a NULL name. */
extern const struct size_case kernel_cases[];            /* in single precision, at many sizes */
extern const struct rounded_case kernel_rounded_cases[]; /* in lower precision */

#endif
