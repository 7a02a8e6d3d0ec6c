/* How work gets into a stream of the emulator: kernels through language.h, products and copies from
 * the emulated libraries. */
#ifndef BACKEND_SIM_LAUNCH_H
#define BACKEND_SIM_LAUNCH_H

#include "backend/sim/core.h"
#include "backend/sim/include/cuda_runtime_api.h"

#ifdef __cplusplus
extern "C" {
#endif

/* A grid to be launched. The arguments are copied; pointers are those among them, for the check
 * that they lead to device memory. */
struct sim_launch {
    struct sim_grid grid;
    size_t bytes; /* of the arguments */
    const void *const *pointers;
    int n_pointers;
};

/* cudaErrorInvalidConfiguration where a device would refuse the shape or the shared memory. */
cudaError_t sim_launch_grid(const struct sim_launch *l, cudaStream_t stream);

/* Puts work(arguments) into a stream, or into the graph being captured; arguments are copied. A
 * library's work; it may be done late, and with a graph often. */
cudaError_t sim_enqueue(cudaStream_t stream, void (*work)(const void *arguments),
                        const void *arguments, size_t bytes);

/* 1 if [p, p + bytes) lies in one allocation of device memory. */
int sim_is_device(const void *p, size_t bytes);

#ifdef __cplusplus
}
#endif
#endif
