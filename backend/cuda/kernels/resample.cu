/* resample: a sparse linear map along one axis. */
#include "backend/cuda/kernels/device.h"

static __global__ void resample_kernel(float *y, const float *x, const int32_t *start,
                                       const int32_t *index, const float *weight, int64_t n_in,
                                       int64_t n_out, int64_t inner, int64_t count)
{
    VT_EACH(i, count)
    {
        int64_t col = i % inner, row = i / inner % n_out, outer = i / inner / n_out;
        const float *from = x + outer * n_in * inner + col;
        float sum = 0;
        for (int32_t k = start[row]; k < start[row + 1]; k++)
            sum += weight[k] * from[index[k] * inner];
        y[i] = sum;
    }
}

extern "C" int vt_resample(float *y, const float *x, const void *table, int64_t outer, int64_t n_in,
                           int64_t n_out, int64_t n, int64_t inner, cudaStream_t stream)
{
    const int32_t *start = (const int32_t *)table, *index = start + n_out + 1;
    const float *weight = (const float *)(index + n);
    int64_t count = outer * n_out * inner;
    if (count == 0)
        return 0;
    return VT_LAUNCH(resample_kernel, vt_grid(count), dim3(VT_THREADS), 0, stream, y, x, start,
                     index, weight, n_in, n_out, inner, count);
}
