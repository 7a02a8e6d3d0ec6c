/* softmax and its gradient: a warp a row along the last axis, a thread a column along another. */
#include "backend/cuda/kernels/device.h"

static __global__ void softmax_rows_kernel(float *y, const float *x, int64_t rows, int64_t n)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        const float *from = x + r * n;
        float top = -INFINITY, sum = 0;
        for (int64_t i = lane; i < n; i += 32)
            top = fmaxf(top, from[i]);
        top = vt_warp_max(top);
        for (int64_t i = lane; i < n; i += 32)
            sum += expf(from[i] - top);
        float share = 1 / vt_warp_sum(sum);
        for (int64_t i = lane; i < n; i += 32)
            y[r * n + i] = share * expf(from[i] - top);
    }
}

static __global__ void softmax_columns_kernel(float *y, const float *x, int64_t size, int64_t inner,
                                              int64_t count)
{
    VT_EACH(i, count)
    {
        int64_t start = i / inner * size * inner + i % inner;
        float top = x[start], sum = 0;
        for (int64_t r = 1; r < size; r++)
            top = fmaxf(top, x[start + r * inner]);
        for (int64_t r = 0; r < size; r++)
            sum += expf(x[start + r * inner] - top);
        float share = 1 / sum;
        for (int64_t r = 0; r < size; r++)
            y[start + r * inner] = share * expf(x[start + r * inner] - top);
    }
}

static __global__ void softmax_rows_grad_kernel(float *dx, const float *y, const float *dy,
                                                int64_t rows, int64_t n)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        float dot = 0;
        for (int64_t i = r * n + lane; i < (r + 1) * n; i += 32)
            dot += y[i] * dy[i];
        dot = vt_warp_sum(dot);
        for (int64_t i = r * n + lane; i < (r + 1) * n; i += 32)
            dx[i] = y[i] * (dy[i] - dot);
    }
}

static __global__ void softmax_columns_grad_kernel(float *dx, const float *y, const float *dy,
                                                   int64_t size, int64_t inner, int64_t count)
{
    VT_EACH(i, count)
    {
        int64_t start = i / inner * size * inner + i % inner;
        float dot = 0;
        for (int64_t r = 0; r < size; r++)
            dot += y[start + r * inner] * dy[start + r * inner];
        for (int64_t r = 0; r < size; r++)
            dx[start + r * inner] = y[start + r * inner] * (dy[start + r * inner] - dot);
    }
}

extern "C" int vt_softmax(float *y, const float *x, int64_t outer, int64_t size, int64_t inner,
                          cudaStream_t stream)
{
    if (outer * size * inner == 0)
        return 0;
    if (inner == 1)
        return VT_LAUNCH(softmax_rows_kernel, vt_grid(32 * outer), dim3(VT_THREADS), 0, stream, y,
                         x, outer, size);
    return VT_LAUNCH(softmax_columns_kernel, vt_grid(outer * inner), dim3(VT_THREADS), 0, stream, y,
                     x, size, inner, outer * inner);
}

extern "C" int vt_softmax_grad(float *dx, const float *y, const float *dy, int64_t outer,
                               int64_t size, int64_t inner, cudaStream_t stream)
{
    if (outer * size * inner == 0)
        return 0;
    if (inner == 1)
        return VT_LAUNCH(softmax_rows_grad_kernel, vt_grid(32 * outer), dim3(VT_THREADS), 0, stream,
                         dx, y, dy, outer, size);
    return VT_LAUNCH(softmax_columns_grad_kernel, vt_grid(outer * inner), dim3(VT_THREADS), 0,
                     stream, dx, y, dy, size, inner, outer * inner);
}
