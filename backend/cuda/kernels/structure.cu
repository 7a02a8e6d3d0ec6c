/* slice, pad, concat, repeat, swap: moves of rows. */
#include "backend/cuda/kernels/device.h"

template <class Y, class X>
static __global__ void copy_rows_kernel(Y *y, int64_t ldy, const X *x, int64_t ldx, int64_t rows,
                                        int64_t width)
{
    VT_EACH(i, rows * width)
    {
        int64_t r = i / width, col = i - r * width;
        vt_io<Y>::st(y + r * ldy + col, x ? vt_io<X>::ld(x + r * ldx + col) : 0);
    }
}

/* Where rows, leading dimensions and both ends allow it: four values at a time. */
template <class Y, class X>
static __global__ void copy_fours_kernel(Y *y, int64_t ldy, const X *x, int64_t ldx, int64_t rows,
                                         int64_t fours)
{
    VT_EACH(i, rows * fours)
    {
        int64_t r = i / fours, col = 4 * (i - r * fours);
        vt_io<Y>::st4(y + r * ldy + col, vt_io<X>::ld4(x + r * ldx + col));
    }
}

template <class Y, class X>
static __global__ void swap_kernel(Y *y, const X *x, int64_t n, int64_t m, int64_t inner,
                                   int64_t count)
{
    VT_EACH(i, count)
    {
        int64_t col = i % inner, row = i / inner;
        int64_t k = row % n, j = row / n % m, outer = row / n / m;
        vt_io<Y>::st(y + i, vt_io<X>::ld(x + ((outer * n + k) * m + j) * inner + col));
    }
}

template <class T> static bool is_fours(const T *p)
{
    return (uintptr_t)p % (4 * sizeof(T)) == 0;
}

template <class Y, class X>
static int copy_rows(Y *y, int64_t ldy, const X *x, int64_t ldx, int64_t rows, int64_t width,
                     cudaStream_t stream)
{
    if (x && is_fours(x) && is_fours(y) && width % 4 == 0 && ldx % 4 == 0 && ldy % 4 == 0)
        return VT_LAUNCH((copy_fours_kernel<Y, X>), vt_grid(rows * width / 4), dim3(VT_THREADS), 0,
                         stream, y, ldy, x, ldx, rows, width / 4);
    return VT_LAUNCH((copy_rows_kernel<Y, X>), vt_grid(rows * width), dim3(VT_THREADS), 0, stream,
                     y, ldy, x, ldx, rows, width);
}

extern "C" int vt_copy_rows(void *y, int64_t ldy, const void *x, int64_t ldx, int64_t rows,
                            int64_t width, unsigned half, cudaStream_t stream)
{
    if (rows * width == 0)
        return 0;
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        return copy_rows((decltype(of_y) *)y, ldy, (const decltype(of_x) *)x, ldx, rows, width,
                         stream);
    });
}

template <class Y, class X>
static int swap_rows(Y *y, const X *x, int64_t n, int64_t m, int64_t inner, int64_t count,
                     cudaStream_t stream)
{
    return VT_LAUNCH((swap_kernel<Y, X>), vt_grid(count), dim3(VT_THREADS), 0, stream, y, x, n, m,
                     inner, count);
}

extern "C" int vt_swap(void *y, const void *x, int64_t outer, int64_t n, int64_t m, int64_t inner,
                       unsigned half, cudaStream_t stream)
{
    int64_t count = outer * n * m * inner;
    if (count == 0)
        return 0;
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        return swap_rows((decltype(of_y) *)y, (const decltype(of_x) *)x, n, m, inner, count,
                         stream);
    });
}
