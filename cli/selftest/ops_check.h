/* What an instance of an op must satisfy, in double. Every check counts its verdict. */
#ifndef CLI_SELFTEST_OPS_CHECK_H
#define CLI_SELFTEST_OPS_CHECK_H

#include "cli/selftest/probe.h"

struct selftest;

struct op_instance {
    const char *op;
    struct tensor *(*build)(struct graph *g);
};

/* <cotangent, op(x)> along a random direction, by autograd and by differences; part names what of
 * the op is meant. */
void ops_check_gradient(struct selftest *t, const struct backend *judge,
                        const struct op_instance *in, const struct probe_options *o,
                        const char *part);
/* Value and gradients on a device, against judge; with expand, without fused ops. Run three times,
 * of which a device may capture: the same bits. */
void ops_check_device(struct selftest *t, const struct backend *device,
                      const struct op_instance *in, int expand);
/* A fused op and its expansion: same value, gradients and multiply-adds. */
void ops_check_expansion(struct selftest *t, const struct backend *judge,
                         const struct op_instance *in);

#endif
