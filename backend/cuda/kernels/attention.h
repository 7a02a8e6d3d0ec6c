/* What the kernels of attention share. */
#ifndef BACKEND_CUDA_KERNELS_ATTENTION_H
#define BACKEND_CUDA_KERNELS_ATTENTION_H

#include "backend/cuda/kernels/device.h"

/* One head of one batch element. */
struct head {
    int64_t b, h, first; /* first row of the block's tile */
};

static __device__ __forceinline__ head head_of(const vt_attention_size &a, int64_t tiles,
                                               int tile_rows)
{
    int64_t bh = blockIdx.x / tiles;
    return head{bh / a.heads, bh % a.heads, (int64_t)(blockIdx.x % tiles) * tile_rows};
}

static __device__ __forceinline__ int rows_left(int64_t first, int64_t rows, int tile_rows)
{
    return (int)min((int64_t)tile_rows, rows - first);
}

/* delta (batch, heads, queries) = sum of out * dout over a head's values: a warp each. */
template <class T>
static __global__ void delta_kernel(float *delta, const T *out, const T *dout, vt_attention_size a,
                                    int64_t count)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t i = warp; i < count; i += (int64_t)gridDim.x * VT_WARPS) {
        int64_t m = i % a.queries, h = i / a.queries % a.heads, b = i / a.queries / a.heads;
        int64_t at = (b * a.queries + m) * a.ldo + h * a.value_dim;
        float sum = 0;
        for (int64_t e = lane; e < a.value_dim; e += 32)
            sum += vt_io<T>::ld(out + at + e) * vt_io<T>::ld(dout + at + e);
        sum = vt_warp_sum(sum);
        if (lane == 0)
            delta[i] = sum;
    }
}

template <class T>
static int delta_of(float *delta, const T *out, const T *dout, const vt_attention_size &a,
                    cudaStream_t stream)
{
    int64_t count = a.batch * a.heads * a.queries;
    return VT_LAUNCH(delta_kernel<T>, vt_grid(32 * count), dim3(VT_THREADS), 0, stream, delta, out,
                     dout, a, count);
}

#endif
