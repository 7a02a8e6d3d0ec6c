/* How the emulator runs, from the environment:
 *   VT_SIM_ORDER    forward, reverse or random: which of several ready threads goes on
 *   VT_SIM_STREAMS  eager: work is done when it is put into a stream; lazy: only when somebody
 *                   waits; random: lazy, in any order that streams and events allow. Copies to
 *                   shared memory alike: at once, in the wait for them, either
 *   VT_SIM_SEED     of both random orders
 *   VT_SIM_WORKERS  blocks that run at once, 1 to 16
 *   VT_SIM_STRICT   1: the host may not touch device memory (needs AddressSanitizer), and kernels
 *                   get no pointer to anything else
 *   VT_SIM_DEVICES  how many there are, 0 to 8
 *   VT_SIM_ALGORITHMS  how many ways to compute a product cuBLASLt proposes, 0 to 8
 *   VT_SIM_SUMS     0: cuBLASLt has no way to add up an operand beside a product (1)
 *   VT_SIM_GRIDS    how many grids run before the device fails: of all that follows comes
 *                   cudaErrorIllegalAddress, as late as a stream is late. 0: the device is of an
 *                   architecture that the kernels were not built for
 * A word that is none of these ends the process. */
#ifndef BACKEND_SIM_OPTIONS_H
#define BACKEND_SIM_OPTIONS_H

#include <stddef.h>
#include <stdint.h>

enum sim_order { SIM_FORWARD, SIM_REVERSE, SIM_RANDOM };
enum sim_streams { SIM_EAGER, SIM_LAZY, SIM_SHUFFLED };

enum { SIM_WORKERS_MAX = 16, SIM_DEVICES_MAX = 8, SIM_ALGORITHMS_MAX = 8 };

struct sim_options {
    enum sim_order order;
    enum sim_streams streams;
    uint64_t seed;
    int workers, strict, devices, algorithms, sums, grids;
};

/* Read once. */
const struct sim_options *sim_options(void);

#endif
