/* slice, pad, concat, repeat, swap: moves of rows. */
#include "backend/cuda/kernels/device.h"

static __global__ void copy_rows_kernel(float *y, int64_t ldy, const float *x, int64_t ldx,
                                        int64_t rows, int64_t width)
{
    VT_EACH(i, rows * width)
    {
        int64_t r = i / width, col = i - r * width;
        y[r * ldy + col] = x ? x[r * ldx + col] : 0;
    }
}

/* Where rows, leading dimensions and both ends allow it: four values at a time. */
static __global__ void copy_fours_kernel(float *y, int64_t ldy, const float *x, int64_t ldx,
                                         int64_t rows, int64_t fours)
{
    VT_EACH(i, rows * fours)
    {
        int64_t r = i / fours, col = 4 * (i - r * fours);
        vt_io<float>::st4(y + r * ldy + col, vt_io<float>::ld4(x + r * ldx + col));
    }
}

static __global__ void swap_kernel(float *y, const float *x, int64_t n, int64_t m, int64_t inner,
                                   int64_t count)
{
    VT_EACH(i, count)
    {
        int64_t col = i % inner, row = i / inner;
        int64_t k = row % n, j = row / n % m, outer = row / n / m;
        y[i] = x[((outer * n + k) * m + j) * inner + col];
    }
}

static int is_fours(const void *p)
{
    return (uintptr_t)p % 16 == 0;
}

extern "C" int vt_copy_rows(float *y, int64_t ldy, const float *x, int64_t ldx, int64_t rows,
                            int64_t width, cudaStream_t stream)
{
    if (rows * width == 0)
        return 0;
    if (x && is_fours(x) && is_fours(y) && width % 4 == 0 && ldx % 4 == 0 && ldy % 4 == 0)
        return VT_LAUNCH(copy_fours_kernel, vt_grid(rows * width / 4), dim3(VT_THREADS), 0, stream,
                         y, ldy, x, ldx, rows, width / 4);
    return VT_LAUNCH(copy_rows_kernel, vt_grid(rows * width), dim3(VT_THREADS), 0, stream, y, ldy,
                     x, ldx, rows, width);
}

extern "C" int vt_swap(float *y, const float *x, int64_t outer, int64_t n, int64_t m, int64_t inner,
                       cudaStream_t stream)
{
    int64_t count = outer * n * m * inner;
    if (count == 0)
        return 0;
    return VT_LAUNCH(swap_kernel, vt_grid(count), dim3(VT_THREADS), 0, stream, y, x, n, m, inner,
                     count);
}
