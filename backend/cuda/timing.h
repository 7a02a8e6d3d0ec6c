/* How long work on a device takes, for choices made by measurement (choices.h). */
#ifndef BACKEND_CUDA_TIMING_H
#define BACKEND_CUDA_TIMING_H

#include <cuda_runtime_api.h>

/* Puts work into a stream; 0 or an error code. */
typedef int timed_work(const void *ctx, cudaStream_t stream);

/* The shortest of several times of the work in ms, or less than 0 where it fails. One alone may be
 * shorter than the order to do it: short work is repeated in a row. Waits, so not in a capture. */
float timing_of(timed_work *work, const void *ctx, cudaStream_t stream);

#endif
