/* What the kernels share: how work is cut, sums over a block. */
#ifndef BACKEND_CUDA_KERNELS_DEVICE_H
#define BACKEND_CUDA_KERNELS_DEVICE_H

#include "backend/cuda/kernels/launch.h"

enum {
    VT_THREADS = 256,     /* of a block, unless a kernel says otherwise */
    VT_WARPS = 8,         /* of such a block */
    VT_GRID_MOST = 65535, /* in y and z */
    VT_GRID_WAVES = 4096  /* blocks of a loop over elements: enough for any device */
};

static inline int64_t vt_ceil(int64_t a, int64_t b)
{
    return (a + b - 1) / b;
}

static inline int64_t vt_min(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

static inline int64_t vt_max_of(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* Blocks for a grid-stride loop over n pieces of work, one a thread. */
static inline dim3 vt_grid(int64_t n)
{
    return dim3((unsigned)vt_max_of(1, vt_min(vt_ceil(n, VT_THREADS), VT_GRID_WAVES)));
}

/* for (int64_t i = first; i < n; i += step) over all threads of a grid */
#define VT_EACH(i, n)                                                                              \
    for (int64_t i = (int64_t)blockIdx.x * blockDim.x + threadIdx.x; i < (n);                      \
         i += (int64_t)gridDim.x * blockDim.x)

/* ---- values in memory, float or bf16 --------------------------------------------------------- */

/* Calls f with a value of the type that bit 0 of half says, or of two or three types: kernels are
 * templates over the types of what they read and write. */
template <class F> static inline int vt_typed(unsigned half, F f)
{
    return half & 1 ? f(vt_bf16()) : f(float());
}

template <class F> static inline int vt_typed2(unsigned half, F f)
{
    return vt_typed(half,
                    [&](auto a) { return vt_typed(half >> 1, [&](auto b) { return f(a, b); }); });
}

template <class F> static inline int vt_typed3(unsigned half, F f)
{
    return vt_typed2(half, [&](auto a, auto b) {
        return vt_typed(half >> 2, [&](auto c) { return f(a, b, c); });
    });
}

/* A tensor to be read, or written, whose type is known when the kernel runs: for kernels whose time
 * is not in the choice between two loads. */
struct vt_in {
    const void *p;
    bool half;
    __device__ __forceinline__ float operator[](int64_t i) const
    {
        return half ? vt_io<vt_bf16>::ld((const vt_bf16 *)p + i) : ((const float *)p)[i];
    }
    __device__ __forceinline__ vt_in operator+(int64_t i) const
    {
        return half ? vt_in{(const vt_bf16 *)p + i, true} : vt_in{(const float *)p + i, false};
    }
};

struct vt_out {
    void *p;
    bool half;
    __device__ __forceinline__ void put(int64_t i, float v) const
    {
        if (half)
            vt_io<vt_bf16>::st((vt_bf16 *)p + i, v);
        else
            ((float *)p)[i] = v;
    }
};

static inline vt_in vt_in_of(const void *p, unsigned half, int bit)
{
    return vt_in{p, (half >> bit & 1) != 0};
}

static inline vt_out vt_out_of(void *p, unsigned half, int bit)
{
    return vt_out{p, (half >> bit & 1) != 0};
}

/* ---- sums ------------------------------------------------------------------------------------ */

/* Over a warp, any type. */
template <class T> static __device__ __forceinline__ T vt_lanes_sum(T v)
{
    for (int o = 16; o > 0; o >>= 1)
        v += __shfl_xor_sync(VT_FULL, v, o);
    return v;
}

/* Over a block of VT_THREADS threads, the result in every thread. Called by all of them. */
template <class T> static __device__ __forceinline__ T vt_block_sum(T v)
{
    VT_SHARED(T, part, [VT_WARPS]);
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5;
    v = vt_lanes_sum(v);
    __syncthreads(); /* the last call's parts are read */
    if (lane == 0)
        part[warp] = v;
    __syncthreads();
    return vt_lanes_sum(lane < VT_WARPS ? part[lane] : T(0));
}

static __device__ __forceinline__ float vt_block_max(float v)
{
    VT_SHARED(float, part, [VT_WARPS]);
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5;
    v = vt_warp_max(v);
    __syncthreads();
    if (lane == 0)
        part[warp] = v;
    __syncthreads();
    return vt_warp_max(lane < VT_WARPS ? part[lane] : -INFINITY);
}

/* elu(x) + 1 and its slope. */
static __device__ __forceinline__ float vt_phi_of(float x)
{
    float e = expf(fminf(x, 0.0f));
    return x > 0 ? x + 1 : e;
}

static __device__ __forceinline__ float vt_phi_slope(float x)
{
    return expf(fminf(x, 0.0f));
}

#endif
