/* Planted bugs inside kernels: races, memory, divergence. */
#include "tests/sim/bugs.h"

/* ---- races ----------------------------------------------------------------------------------- */

__global__ void missing_barrier(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    s[threadIdx.x] = (float)threadIdx.x;
    o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
}

__global__ void with_barrier(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncthreads();
        o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
        __syncthreads();
    }
}

/* The second write comes before everybody has read the first. */
__global__ void barrier_too_few(float *o)
{
    VT_SHARED(float, s, [THREADS]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncthreads();
        o[threadIdx.x] = s[THREADS - 1 - threadIdx.x];
    }
}

__global__ void missing_syncwarp(float *o)
{
    VT_SHARED(float, s, [32]);
    s[threadIdx.x] = (float)threadIdx.x;
    float one = __shfl_sync(VT_FULL, 1.0f, 0); /* a shuffle orders nothing */
    o[threadIdx.x] = one + s[31 - threadIdx.x];
}

__global__ void with_syncwarp(float *o)
{
    VT_SHARED(float, s, [32]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncwarp();
        o[threadIdx.x] = s[31 - threadIdx.x];
        __syncwarp();
    }
}

__global__ void syncwarp_too_few(float *o)
{
    VT_SHARED(float, s, [32]);
    for (int i = 0; i < 3; i++) {
        s[threadIdx.x] = (float)threadIdx.x;
        __syncwarp();
        o[threadIdx.x] = s[31 - threadIdx.x];
    }
}

__global__ void all_write_one(float *o)
{
    VT_SHARED(float, s, [1]);
    s[0] = (float)threadIdx.x;
    __syncthreads();
    o[0] = s[0];
}

__global__ void blocks_share(float *o)
{
    if (threadIdx.x == 0)
        o[0] = o[0] + 1;
}

__global__ void blocks_apart(float *o)
{
    if (threadIdx.x == 0)
        o[blockIdx.x] = o[blockIdx.x] + 1;
}

__global__ void blocks_count(float *o)
{
    atomicAdd(reinterpret_cast<int *>(o), 1);
}

/* ---- memory ---------------------------------------------------------------------------------- */

__global__ void global_overrun(float *o, int n)
{
    int i = (int)threadIdx.x;
    if (i <= n)
        o[i] = 1;
}

__global__ void static_overrun(float *o)
{
    VT_SHARED(float, s, [32]);
    s[threadIdx.x + 1] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x];
}

__global__ void dynamic_overrun(float *o)
{
    VT_SHARED_DYN(float, s); /* 32 floats */
    s[threadIdx.x + 1] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x];
}

__global__ void misaligned(float *o)
{
    float4 v = *reinterpret_cast<float4 *>(o + 1);
    o[0] = v.x;
}

__global__ void overflow(float *o, int most)
{
    o[threadIdx.x] = (float)(most + (int)threadIdx.x);
}

__global__ void unset_shared(float *o)
{
    VT_SHARED(float, s, [64]);
    s[threadIdx.x] = 1;
    __syncthreads();
    o[threadIdx.x] = s[threadIdx.x + 32];
}

__global__ void deep_stack(float *o)
{
    volatile char big[512 << 10];
    for (int i = (int)sizeof big - 1; i >= 0; i -= 512)
        big[i] = 1;
    o[0] = big[5];
}

/* ---- divergence ------------------------------------------------------------------------------ */

__global__ void divergent_barrier(float *o)
{
    if (threadIdx.x < 16) {
        __syncthreads();
        o[0] = 1;
    } else {
        __syncthreads();
        o[1] = 1;
    }
}

__global__ void divergent_shuffle(float *o)
{
    float v = (float)threadIdx.x;
    if (threadIdx.x < 16)
        v += __shfl_xor_sync(VT_FULL, v, 1);
    else
        v += __shfl_down_sync(VT_FULL, v, 1);
    o[threadIdx.x] = v;
}

__global__ void overlapping_masks(float *o)
{
    float v = (float)threadIdx.x;
    v += threadIdx.x < 16 ? __shfl_sync(0x0001ffffu, v, 0) : __shfl_sync(0xffff0000u, v, 16);
    o[threadIdx.x] = v;
}

__global__ void halves(float *o)
{
    float v = (float)threadIdx.x;
    v += threadIdx.x < 16 ? __shfl_sync(0x0000ffffu, v, 0) : __shfl_sync(0xffff0000u, v, 16);
    o[threadIdx.x] = v;
}

__global__ void stuck(float *o)
{
    float v = (float)threadIdx.x;
    if (threadIdx.x < 16)
        v += __shfl_xor_sync(VT_FULL, v, 1);
    else
        __syncthreads();
    o[threadIdx.x] = v;
}

__global__ void not_in_mask(float *o)
{
    o[threadIdx.x] = __shfl_sync(0xffffu, 1.0f, 0);
}

__global__ void from_nobody(float *o)
{
    if (threadIdx.x >= 16)
        return;
    o[threadIdx.x] = __shfl_xor_sync(0xffffu, (float)threadIdx.x, 16);
}

/* ---- programs -------------------------------------------------------------------------------- */

#define KERNEL_BUG(name, blocks, threads)                                                          \
    static int run_##name()                                                                        \
    {                                                                                              \
        return run(name, blocks, threads);                                                         \
    }
KERNEL_BUG(missing_barrier, 1, THREADS)
KERNEL_BUG(with_barrier, 1, THREADS)
KERNEL_BUG(barrier_too_few, 1, THREADS)
KERNEL_BUG(missing_syncwarp, 1, 32)
KERNEL_BUG(with_syncwarp, 1, 32)
KERNEL_BUG(syncwarp_too_few, 1, 32)
KERNEL_BUG(all_write_one, 1, 64)
KERNEL_BUG(blocks_share, 64, 32)
KERNEL_BUG(blocks_apart, 64, 32)
KERNEL_BUG(blocks_count, 64, 32)
KERNEL_BUG(static_overrun, 1, 32)
KERNEL_BUG(dynamic_overrun, 1, 32)
KERNEL_BUG(misaligned, 1, 1)
KERNEL_BUG(unset_shared, 1, 32)
KERNEL_BUG(deep_stack, 1, 1)
KERNEL_BUG(divergent_barrier, 1, 32)
KERNEL_BUG(divergent_shuffle, 1, 32)
KERNEL_BUG(overlapping_masks, 1, 32)
KERNEL_BUG(halves, 1, 32)
KERNEL_BUG(stuck, 1, 32)
KERNEL_BUG(not_in_mask, 1, 32)
KERNEL_BUG(from_nobody, 1, 32)

static int run_global_overrun()
{
    return run(global_overrun, 1, 256, (int)THREADS);
}

static int run_overflow()
{
    return run(overflow, 1, 32, 2147483647);
}

template <int a, int b> __global__ void product(float *o)
{
    o[0] = a * b;
}

static int run_comma()
{
    float *d = device_floats(1);
    int e = VT_LAUNCH((product<3, 4>), dim3(1), dim3(1), 0, NULL, d);
    float x = first_of(d);
    cudaFree(d);
    return e == cudaSuccess && x == 12 ? FINE : NOTICED;
}

const planted kernel_bugs[] = {
    {"missing_barrier", "tsan", "", "data race", run_missing_barrier},
    {"barrier_too_few", "tsan", "", "data race", run_barrier_too_few},
    {"missing_syncwarp", "tsan", "", "data race", run_missing_syncwarp},
    {"syncwarp_too_few", "tsan", "", "data race", run_syncwarp_too_few},
    {"all_write_one", "tsan", "", "data race", run_all_write_one},
    {"blocks_share", "tsan", "VT_SIM_WORKERS=2", "data race", run_blocks_share},
    {"global_overrun", "asan", "", "heap-buffer-overflow", run_global_overrun},
    {"static_overrun", "asan", "", "out of bounds", run_static_overrun},
    {"dynamic_overrun", "asan", "", "heap-buffer-overflow", run_dynamic_overrun},
    {"misaligned", "asan", "", "misaligned address", run_misaligned},
    {"overflow", "asan", "", "signed integer overflow", run_overflow},
    {"deep_stack", "asan", "", "stack-overflow", run_deep_stack},
    {"unset_shared", "both", "", "wrong value", run_unset_shared},
    {"divergent_barrier", "both", "", "divergent __syncthreads", run_divergent_barrier},
    {"divergent_shuffle", "both", "", "different collective operations", run_divergent_shuffle},
    {"overlapping_masks", "both", "", "different masks that overlap", run_overlapping_masks},
    {"stuck", "both", "", "deadlock", run_stuck},
    {"not_in_mask", "both", "", "is not in the mask", run_not_in_mask},
    {"from_nobody", "both", "", "wrong value", run_from_nobody},
    /* right */
    {"with_barrier", "both", "VT_SIM_ORDER=random", "", run_with_barrier},
    {"with_syncwarp", "both", "VT_SIM_ORDER=random", "", run_with_syncwarp},
    {"blocks_apart", "both", "VT_SIM_WORKERS=2", "", run_blocks_apart},
    {"blocks_count", "both", "VT_SIM_WORKERS=2", "", run_blocks_count},
    {"halves", "both", "VT_SIM_ORDER=reverse", "", run_halves},
    {"comma", "both", "", "", run_comma},
    {},
};
