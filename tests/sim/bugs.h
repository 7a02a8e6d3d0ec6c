/* What the planted bugs of tests/sim/bugs*.cu share. */
#ifndef TESTS_SIM_BUGS_H
#define TESTS_SIM_BUGS_H

#include "backend/cuda/kernels/device.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

enum { FINE = 0, NOTICED = 7, THREADS = 128 };

/* A program. build: which sanitizer finds it, asan, tsan or both; environment: that it needs; says:
 * what is said of it, nothing of a right program. run returns FINE or NOTICED. */
struct planted {
    const char *name, *build, *environment, *says;
    int (*run)();
};

/* Each ends in an empty row. */
extern const planted kernel_bugs[];    /* races, memory, divergence inside a kernel */
extern const planted copies_bugs[];    /* asynchronous copies to shared memory */
extern const planted host_bugs[];      /* memory, streams, graphs */
extern const planted attention_bugs[]; /* attention on tensor cores */

static float *device_floats(int n)
{
    void *p = NULL;
    if (cudaMalloc(&p, sizeof(float) * (size_t)n) != cudaSuccess)
        return NULL;
    return static_cast<float *>(p);
}

static cudaStream_t stream_new()
{
    cudaStream_t s;
    cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking);
    return s;
}

/* The first value of device memory, once everything is done. */
static float first_of(const float *d)
{
    float x = 0;
    cudaDeviceSynchronize();
    cudaMemcpy(&x, d, sizeof x, cudaMemcpyDeviceToHost);
    return x;
}

/* Runs a kernel on n floats; 7 where a value it leaves is no number. */
template <class... A> static int run(void (*kernel)(float *, A...), int blocks, int threads, A... a)
{
    float *d = device_floats(THREADS), host[THREADS];
    cudaStream_t s = stream_new();
    cudaMemsetAsync(d, 0, sizeof host, s);
    cudaError_t e = sim_launch_kernel("a planted bug", kernel, dim3((unsigned)blocks),
                                      dim3((unsigned)threads), 128, s, d, a...);
    cudaStreamSynchronize(s);
    cudaMemcpy(host, d, sizeof host, cudaMemcpyDeviceToHost);
    cudaFree(d);
    cudaStreamDestroy(s);
    for (int i = 0; i < THREADS; i++)
        if (host[i] != host[i])
            e = cudaErrorUnknown;
    return e == cudaSuccess ? FINE : NOTICED;
}

#endif
