/* What the lanes of a warp do as one: the operations behind shuffles, votes and tensor cores, for
 * sim_collective (core.h). Each takes what the lanes brought, a struct a lane, and leaves the
 * result there. They are no thread's own accesses, so they are compiled without sanitizers. */
#ifndef BACKEND_SIM_WARP_H
#define BACKEND_SIM_WARP_H

#include "backend/sim/core.h"

#ifdef __cplusplus
extern "C" {
#endif

sim_combine sim_combine_nothing; /* whatever the lanes bring */

/* A value of 4 or 8 bytes in the lower bytes of `value`, the same size in all lanes; argument and
 * width: of the CUDA C++ programming guide, "Warp shuffle functions". From a lane that is not there
 * come bits that are all set: NaN, or -1. */
struct sim_shuffled {
    uint64_t value, result;
    unsigned bytes;
    int argument, width;
};
sim_combine sim_combine_index, sim_combine_xor, sim_combine_up, sim_combine_down;

struct sim_vote {
    int yes;
    uint32_t result; /* a bit a lane */
};
sim_combine sim_combine_votes;

/* d += a b, with operands in the registers that the PTX ISA names (backend/cuda/kernels/mma.h);
 * products of bf16 and tf32 are exact in float, sums are in float in the order of the depth. */
struct sim_product {
    const uint32_t *a, *b;
    float *d;
};
sim_combine sim_combine_bf16, sim_combine_tf32;

/* all[i]: mine of lane i. Every lane then reads its values itself, so that the sanitizers see who
 * reads what. */
struct sim_rows {
    const void *mine, *all[SIM_WARP];
};
sim_combine sim_combine_rows;

#ifdef __cplusplus
}
#endif
#endif
