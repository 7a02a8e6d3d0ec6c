/* Layer normalisation, alone and of a sum, a warp a row. */
#include "backend/cuda/kernels/layer_norm.h"

template <int FOURS, class T, class X>
static __device__ __forceinline__ void norm_row(T *to, vt_bf16 *copy, float *mean, float *rstd,
                                                const X *from, const float *gamma,
                                                const float *beta, float sum, int width, float eps)
{
    typedef columns<FOURS> io;
    int lane = (int)threadIdx.x & 31;
    float share = 1.0f / (float)width, square = 0;
    float m = vt_warp_sum(sum) * share;
    for (int i = lane * FOURS; i < width; i += 32 * FOURS)
        square += io::square(io::ld(from + i), m);
    float s = 1 / sqrtf(vt_warp_sum(square) * share + eps);
    for (int i = lane * FOURS; i < width; i += 32 * FOURS) {
        auto v = io::norm(io::ld(from + i), m, s, io::ld(gamma + i), io::ld(beta + i));
        io::st(to + i, v);
        if (copy)
            io::st(copy + i, v);
    }
    if (lane == 0) {
        *mean = m;
        *rstd = s;
    }
}

/* ---- rows in registers ----------------------------------------------------------------------- */

/* The rest of a norm, from the sum of a lane's values on. */
template <class T>
static __device__ __forceinline__ void norm_held(T *to, vt_bf16 *copy, float *mean, float *rstd,
                                                 const float4 (&v)[QUARTERS], const float *gamma,
                                                 const float *beta, float sum, int width, float eps)
{
    typedef columns<4> io;
    float share = 1.0f / (float)width, square = 0;
    float m = vt_warp_sum(sum) * share;
#pragma unroll
    for (int j = 0; j < QUARTERS; j++)
        if (column_of(j) < width)
            square += io::square(v[j], m);
    float s = 1 / sqrtf(vt_warp_sum(square) * share + eps);
#pragma unroll
    for (int j = 0; j < QUARTERS; j++) {
        int i = column_of(j);
        if (i >= width)
            continue;
        float4 y = io::norm(v[j], m, s, io::ld(gamma + i), io::ld(beta + i));
        io::st(to + i, y);
        if (copy)
            io::st(copy + i, y);
    }
    if ((threadIdx.x & 31) == 0) {
        *mean = m;
        *rstd = s;
    }
}

template <class T, class X>
static __global__ void layer_norm_held_kernel(T *y, vt_bf16 *copy, float *mean, float *rstd,
                                              const X *x, const float *gamma, const float *beta,
                                              int64_t rows, int width, float eps)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        float4 v[QUARTERS];
        float sum = 0;
#pragma unroll
        for (int j = 0; j < QUARTERS; j++)
            v[j] = quarter_of(x + r * width, column_of(j), width);
#pragma unroll
        for (int j = 0; j < QUARTERS; j++)
            sum += columns<4>::sum(v[j]);
        norm_held(y + r * width, copy ? copy + r * width : nullptr, mean + r, rstd + r, v, gamma,
                  beta, sum, width, eps);
    }
}

template <class T, class M>
static __global__ void add_layer_norm_held_kernel(float *sum_out, T *y, vt_bf16 *copy, float *mean,
                                                  float *rstd, const float *x, const M *more,
                                                  const float *gamma, const float *beta,
                                                  int64_t rows, int width, float eps)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        float4 v[QUARTERS];
        float sum = 0;
#pragma unroll
        for (int j = 0; j < QUARTERS; j++)
            v[j] = columns<4>::add(quarter_of(x + r * width, column_of(j), width),
                                   quarter_of(more + r * width, column_of(j), width));
#pragma unroll
        for (int j = 0; j < QUARTERS; j++) {
            if (column_of(j) < width)
                vt_io<float>::st4(sum_out + r * width + column_of(j), v[j]);
            sum += columns<4>::sum(v[j]);
        }
        norm_held(y + r * width, copy ? copy + r * width : nullptr, mean + r, rstd + r, v, gamma,
                  beta, sum, width, eps);
    }
}

/* ---- rows of any width ----------------------------------------------------------------------- */

/* The row stays in the first-level cache between the three passes over it. */
template <int FOURS, class T, class X>
static __global__ void layer_norm_kernel(T *y, vt_bf16 *copy, float *mean, float *rstd, const X *x,
                                         const float *gamma, const float *beta, int64_t rows,
                                         int width, float eps)
{
    typedef columns<FOURS> io;
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        const X *from = x + r * width;
        float sum = 0;
        for (int i = ((int)threadIdx.x & 31) * FOURS; i < width; i += 32 * FOURS)
            sum += io::sum(io::ld(from + i));
        norm_row<FOURS>(y + r * width, copy ? copy + r * width : nullptr, mean + r, rstd + r, from,
                        gamma, beta, sum, width, eps);
    }
}

/* The norm of x + more, which is written to sum_out first: a lane reads what it wrote itself. */
template <int FOURS, class T, class M>
static __global__ void add_layer_norm_kernel(float *sum_out, T *y, vt_bf16 *copy, float *mean,
                                             float *rstd, const float *x, const M *more,
                                             const float *gamma, const float *beta, int64_t rows,
                                             int width, float eps)
{
    typedef columns<FOURS> io;
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        float sum = 0;
        for (int i = ((int)threadIdx.x & 31) * FOURS; i < width; i += 32 * FOURS) {
            typename io::value v = io::add(io::ld(x + r * width + i), io::ld(more + r * width + i));
            io::st(sum_out + r * width + i, v);
            sum += io::sum(v);
        }
        norm_row<FOURS>(y + r * width, copy ? copy + r * width : nullptr, mean + r, rstd + r,
                        sum_out + r * width, gamma, beta, sum, width, eps);
    }
}

struct norm_of {
    float *sum, *mean, *rstd; /* sum: with more */
    vt_bf16 *copy;
    const float *gamma, *beta;
    int64_t rows, width;
    float eps;
};

template <class T, class X>
static int layer_norm_held(const norm_of &n, T *y, const X *x, cudaStream_t stream)
{
    return VT_LAUNCH((layer_norm_held_kernel<T, X>), vt_grid(32 * n.rows), dim3(VT_THREADS), 0,
                     stream, y, n.copy, n.mean, n.rstd, x, n.gamma, n.beta, n.rows, (int)n.width,
                     n.eps);
}

template <class T, class M>
static int add_layer_norm_held(const norm_of &n, T *y, const float *x, const M *more,
                               cudaStream_t stream)
{
    return VT_LAUNCH((add_layer_norm_held_kernel<T, M>), vt_grid(32 * n.rows), dim3(VT_THREADS), 0,
                     stream, n.sum, y, n.copy, n.mean, n.rstd, x, more, n.gamma, n.beta, n.rows,
                     (int)n.width, n.eps);
}

template <int FOURS, class T, class X>
static int layer_norm(const norm_of &n, T *y, const X *x, cudaStream_t stream)
{
    return VT_LAUNCH((layer_norm_kernel<FOURS, T, X>), vt_grid(32 * n.rows), dim3(VT_THREADS), 0,
                     stream, y, n.copy, n.mean, n.rstd, x, n.gamma, n.beta, n.rows, (int)n.width,
                     n.eps);
}

template <int FOURS, class T, class M>
static int add_layer_norm(const norm_of &n, T *y, const float *x, const M *more,
                          cudaStream_t stream)
{
    return VT_LAUNCH((add_layer_norm_kernel<FOURS, T, M>), vt_grid(32 * n.rows), dim3(VT_THREADS),
                     0, stream, n.sum, y, n.copy, n.mean, n.rstd, x, more, n.gamma, n.beta, n.rows,
                     (int)n.width, n.eps);
}

extern "C" int vt_layer_norm(void *y, void *copy, float *mean, float *rstd, const void *x,
                             const float *gamma, const float *beta, int64_t rows, int64_t width,
                             float eps, unsigned half, cudaStream_t stream)
{
    norm_of n = {nullptr, mean, rstd, (vt_bf16 *)copy, gamma, beta, rows, width, eps};
    if (rows == 0)
        return 0;
    return vt_typed2(half, [&](auto of_y, auto of_x) {
        auto *to = (decltype(of_y) *)y;
        auto *from = (const decltype(of_x) *)x;
        return is_held(width) ? layer_norm_held(n, to, from, stream)
               : width % 4    ? layer_norm<1>(n, to, from, stream)
                              : layer_norm<4>(n, to, from, stream);
    });
}

extern "C" int vt_add_layer_norm(float *sum, void *y, void *copy, float *mean, float *rstd,
                                 const float *x, const void *more, const float *gamma,
                                 const float *beta, int64_t rows, int64_t width, float eps,
                                 unsigned half, cudaStream_t stream)
{
    norm_of n = {sum, mean, rstd, (vt_bf16 *)copy, gamma, beta, rows, width, eps};
    if (rows == 0)
        return 0;
    return vt_typed2(half, [&](auto of_y, auto of_more) {
        auto *to = (decltype(of_y) *)y;
        auto *added = (const decltype(of_more) *)more;
        return is_held(width) ? add_layer_norm_held(n, to, x, added, stream)
               : width % 4    ? add_layer_norm<1>(n, to, x, added, stream)
                              : add_layer_norm<4>(n, to, x, added, stream);
    });
}
