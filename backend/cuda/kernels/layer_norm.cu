/* Layer normalisation, alone and of a sum, a warp a row; backward sums dgamma and dbeta beside dx,
 * so that x and dy are read from memory once. */
#include "backend/cuda/kernels/device.h"

/* Four columns at a time where the width allows it: FOURS is 4 or 1. */
template <int FOURS> struct columns;
template <> struct columns<4> {
    typedef float4 value;
    template <class T> static __device__ __forceinline__ float4 ld(const T *p)
    {
        return vt_io<T>::ld4(p);
    }
    template <class T> static __device__ __forceinline__ void st(T *p, float4 v)
    {
        vt_io<T>::st4(p, v);
    }
    static __device__ __forceinline__ float4 add(float4 a, float4 b)
    {
        return make_float4(a.x + b.x, a.y + b.y, a.z + b.z, a.w + b.w);
    }
    static __device__ __forceinline__ float sum(float4 v)
    {
        return (v.x + v.y) + (v.z + v.w);
    }
    static __device__ __forceinline__ float square(float4 v, float mean)
    {
        float a = v.x - mean, b = v.y - mean, c = v.z - mean, d = v.w - mean;
        return (a * a + b * b) + (c * c + d * d);
    }
    static __device__ __forceinline__ float4 norm(float4 v, float mean, float rstd, float4 gamma,
                                                  float4 beta)
    {
        return make_float4(
            (v.x - mean) * rstd * gamma.x + beta.x, (v.y - mean) * rstd * gamma.y + beta.y,
            (v.z - mean) * rstd * gamma.z + beta.z, (v.w - mean) * rstd * gamma.w + beta.w);
    }
};
template <> struct columns<1> {
    typedef float value;
    template <class T> static __device__ __forceinline__ float ld(const T *p)
    {
        return vt_io<T>::ld(p);
    }
    template <class T> static __device__ __forceinline__ void st(T *p, float v)
    {
        vt_io<T>::st(p, v);
    }
    static __device__ __forceinline__ float add(float a, float b)
    {
        return a + b;
    }
    static __device__ __forceinline__ float sum(float v)
    {
        return v;
    }
    static __device__ __forceinline__ float square(float v, float mean)
    {
        return (v - mean) * (v - mean);
    }
    static __device__ __forceinline__ float norm(float v, float mean, float rstd, float gamma,
                                                 float beta)
    {
        return (v - mean) * rstd * gamma + beta;
    }
};

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

/* A row of up to 1024 columns, of a number that is a multiple of four, lies in a warp's registers:
 * it is read once, with all reads under way at once. Value k of quarter j of a lane is column
 * column_of(j) + k. */
enum { QUARTERS = 8, HELD_MOST = 32 * 4 * QUARTERS };

static bool is_held(int64_t width)
{
    return width % 4 == 0 && width <= HELD_MOST;
}

static __device__ __forceinline__ int column_of(int quarter)
{
    return 4 * (((int)threadIdx.x & 31) + 32 * quarter);
}

template <class X> static __device__ __forceinline__ float4 quarter_of(const X *row, int i, int width)
{
    return i < width ? vt_io<X>::ld4(row + i) : make_float4(0, 0, 0, 0);
}

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
static int add_layer_norm(const norm_of &n, T *y, const float *x, const M *more, cudaStream_t stream)
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

/* ---- backward -------------------------------------------------------------------------------- */

enum { BLOCKS_MOST = 512, SHARED_MOST = 48 * 1024 };

/* Warps of a block: each has dgamma and dbeta of its rows in shared memory. */
static int warps_of(int64_t width)
{
    return (int)vt_max_of(1, vt_min(VT_WARPS, SHARED_MOST / (8 * width)));
}

static int64_t blocks_of(int64_t rows, int64_t width)
{
    return vt_max_of(1, vt_min(BLOCKS_MOST, vt_ceil(rows, 4 * warps_of(width))));
}

/* This warp's dgamma and dbeta (2, width) of the block's sums (warps, 2, width), set to 0. */
static __device__ float *empty_sums(float *sums, int width)
{
    float *mine = sums + ((int)threadIdx.x >> 5) * 2 * width;
    for (int i = (int)threadIdx.x & 31; i < 2 * width; i += 32)
        mine[i] = 0;
    __syncwarp();
    return mine;
}

/* The block's part: the sums of its warps, in order. */
static __device__ void add_warps(float *parts, const float *sums, int width)
{
    int warps = (int)blockDim.x >> 5;
    __syncthreads();
    for (int i = (int)threadIdx.x; i < 2 * width; i += (int)blockDim.x) {
        float sum = sums[i];
        for (int w = 1; w < warps; w++)
            sum += sums[w * 2 * width + i];
        parts[(int64_t)blockIdx.x * 2 * width + i] = sum;
    }
}

/* dx = rstd (g - mean(g) - xhat mean(g xhat)) + more, g = dy gamma, xhat = (x - mean) rstd; more
 * may be NULL, and dx may lie on dy, x or more. A block takes every gridDim.x-th group of rows;
 * parts (blocks, 2, width) get its dgamma and dbeta. A column of a warp's sums belongs to one lane.
 */
template <class DY, class X>
static __global__ void layer_norm_grad_kernel(float *dx, vt_bf16 *copy, float *parts, const DY *dy,
                                              const X *x, const float *gamma, const float *mean,
                                              const float *rstd, const float *more, int64_t rows,
                                              int width)
{
    VT_SHARED_DYN(float, sums); /* [warps][2][width] */
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5;
    int warps = (int)blockDim.x >> 5;
    float *dgamma = empty_sums(sums, width), *dbeta = dgamma + width;
    float share = 1.0f / (float)width;
    for (int64_t r = (int64_t)blockIdx.x * warps + warp; r < rows;
         r += (int64_t)gridDim.x * warps) {
        const X *xr = x + r * width;
        const DY *dyr = dy + r * width;
        float m = mean[r], s = rstd[r], shift = 0, slope = 0;
        for (int i = lane; i < width; i += 32) {
            float xhat = (vt_io<X>::ld(xr + i) - m) * s, down = vt_io<DY>::ld(dyr + i);
            float g = down * gamma[i];
            shift += g;
            slope += g * xhat;
            dgamma[i] += down * xhat;
            dbeta[i] += down;
        }
        shift = vt_warp_sum(shift) * share;
        slope = vt_warp_sum(slope) * share;
        for (int i = lane; i < width; i += 32) {
            float xhat = (vt_io<X>::ld(xr + i) - m) * s;
            float d = s * (vt_io<DY>::ld(dyr + i) * gamma[i] - shift - xhat * slope);
            d = more ? d + more[r * width + i] : d;
            dx[r * width + i] = d;
            if (copy)
                vt_io<vt_bf16>::st(copy + r * width + i, d);
        }
    }
    add_warps(parts, sums, width);
}

/* The same of rows that lie in registers. */
template <class DY, class X>
static __global__ void layer_norm_grad_held_kernel(float *dx, vt_bf16 *copy, float *parts,
                                                   const DY *dy, const X *x, const float *gamma,
                                                   const float *mean, const float *rstd,
                                                   const float *more, int64_t rows, int width)
{
    VT_SHARED_DYN(float, sums); /* [warps][2][width] */
    int warp = (int)threadIdx.x >> 5;
    int warps = (int)blockDim.x >> 5;
    float *dgamma = empty_sums(sums, width), *dbeta = dgamma + width;
    float share = 1.0f / (float)width;
    for (int64_t r = (int64_t)blockIdx.x * warps + warp; r < rows;
         r += (int64_t)gridDim.x * warps) {
        float4 xhat[QUARTERS], g[QUARTERS];
        float m = mean[r], s = rstd[r], shift = 0, slope = 0;
#pragma unroll
        for (int j = 0; j < QUARTERS; j++) {
            xhat[j] = quarter_of(x + r * width, column_of(j), width);
            g[j] = quarter_of(dy + r * width, column_of(j), width);
        }
#pragma unroll
        for (int j = 0; j < QUARTERS; j++) {
            int i = column_of(j);
            if (i >= width)
                continue;
            float4 c = vt_io<float>::ld4(gamma + i), h = xhat[j], d = g[j];
            float4 in_gamma = vt_io<float>::ld4(dgamma + i), in_beta = vt_io<float>::ld4(dbeta + i);
            h = make_float4((h.x - m) * s, (h.y - m) * s, (h.z - m) * s, (h.w - m) * s);
            vt_io<float>::st4(dgamma + i, make_float4(in_gamma.x + d.x * h.x, in_gamma.y + d.y * h.y,
                                                      in_gamma.z + d.z * h.z,
                                                      in_gamma.w + d.w * h.w));
            vt_io<float>::st4(dbeta + i, columns<4>::add(in_beta, d));
            d = make_float4(d.x * c.x, d.y * c.y, d.z * c.z, d.w * c.w);
            shift += columns<4>::sum(d);
            slope += (d.x * h.x + d.y * h.y) + (d.z * h.z + d.w * h.w);
            xhat[j] = h;
            g[j] = d;
        }
        shift = vt_warp_sum(shift) * share;
        slope = vt_warp_sum(slope) * share;
#pragma unroll
        for (int j = 0; j < QUARTERS; j++) {
            int i = column_of(j);
            if (i >= width)
                continue;
            float4 h = xhat[j], d = g[j];
            d = make_float4(s * (d.x - shift - h.x * slope), s * (d.y - shift - h.y * slope),
                            s * (d.z - shift - h.z * slope), s * (d.w - shift - h.w * slope));
            if (more)
                d = columns<4>::add(d, vt_io<float>::ld4(more + r * width + i));
            vt_io<float>::st4(dx + r * width + i, d);
            if (copy)
                vt_io<vt_bf16>::st4(copy + r * width + i, d);
        }
    }
    add_warps(parts, sums, width);
}

/* Adds the parts of all blocks in order: eight threads a column. */
static __global__ void layer_norm_parts_kernel(float *dgamma, float *dbeta, const float *parts,
                                               int blocks, int width)
{
    VT_SHARED(float, part, [VT_WARPS][32]);
    int lane = (int)threadIdx.x & 31, line = (int)threadIdx.x >> 5;
    int col = (int)blockIdx.x * 32 + lane;
    float sum = 0;
    for (int b = line; col < 2 * width && b < blocks; b += VT_WARPS)
        sum += parts[(int64_t)b * 2 * width + col];
    part[line][lane] = sum;
    __syncthreads();
    if (line > 0 || col >= 2 * width)
        return;
    for (int i = 1; i < VT_WARPS; i++)
        sum += part[i][lane];
    if (col < width)
        dgamma[col] = sum;
    else
        dbeta[col - width] = sum;
}

extern "C" int64_t vt_layer_norm_parts(int64_t rows, int64_t width)
{
    return 2 * width * blocks_of(rows, width);
}

template <class DY, class X>
static int layer_norm_grad(float *dx, void *copy, const DY *dy, const X *x, const float *gamma,
                           const float *mean, const float *rstd, const float *more, float *parts,
                           int64_t rows, int64_t width, cudaStream_t stream)
{
    int warps = warps_of(width);
    dim3 grid((unsigned)blocks_of(rows, width)), block((unsigned)warps * 32);
    size_t shared = (size_t)warps * 2 * (size_t)width * sizeof(float);
    if (is_held(width))
        return VT_LAUNCH((layer_norm_grad_held_kernel<DY, X>), grid, block, shared, stream, dx,
                         (vt_bf16 *)copy, parts, dy, x, gamma, mean, rstd, more, rows, (int)width);
    return VT_LAUNCH((layer_norm_grad_kernel<DY, X>), grid, block, shared, stream, dx,
                     (vt_bf16 *)copy, parts, dy, x, gamma, mean, rstd, more, rows, (int)width);
}

extern "C" int vt_layer_norm_grad(float *dx, void *copy, float *dgamma, float *dbeta,
                                  const void *dy, const void *x, const float *gamma,
                                  const float *mean, const float *rstd, const float *more,
                                  float *parts, int64_t rows, int64_t width, unsigned half,
                                  cudaStream_t stream)
{
    int code = vt_typed2(half, [&](auto of_dy, auto of_x) {
        return layer_norm_grad(dx, copy, (const decltype(of_dy) *)dy, (const decltype(of_x) *)x,
                               gamma, mean, rstd, more, parts, rows, width, stream);
    });
    if (code)
        return code;
    return VT_LAUNCH(layer_norm_parts_kernel, dim3((unsigned)vt_ceil(2 * width, 32)),
                     dim3(VT_THREADS), 0, stream, dgamma, dbeta, parts, (int)blocks_of(rows, width),
                     (int)width);
}
