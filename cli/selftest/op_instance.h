/* What the contracts of the op table are checked on. */
#ifndef CLI_SELFTEST_OP_INSTANCE_H
#define CLI_SELFTEST_OP_INSTANCE_H

#include "tensor/graph/graph.h"

struct op_instance {
    const char *op;
    struct tensor *(*build)(struct graph *g);
};

/* Both end in a NULL op. */
extern const struct op_instance op_instances[]; /* must work */
extern const struct op_instance op_refused[];   /* must be refused */

#endif
