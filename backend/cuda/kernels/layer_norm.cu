/* Layer normalisation, alone and of a sum, a warp a row; backward sums dgamma and dbeta beside dx, so that x and dy are
 * read from memory once. */
#include "backend/cuda/kernels/device.h"

/* Four columns at a time where the width allows it: FOURS is 4 or 1. */
template <int FOURS> struct columns;
template <> struct columns<4> {
    typedef float4 value;
    static __device__ __forceinline__ float4 ld(const float *p)
    {
        return vt_io<float>::ld4(p);
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
    static __device__ __forceinline__ float ld(const float *p)
    {
        return *p;
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

/* The norm of x, or with more of x = a + more, which is written to sum first. The row stays in the
 * first-level cache between the three passes over it: a lane reads what it wrote itself. */
template <int FOURS, int ADDS, class T>
static __global__ void layer_norm_kernel(float *sum_out, T *y, float *mean, float *rstd,
                                         const float *x, const float *more, const float *gamma,
                                         const float *beta, int64_t rows, int width, float eps)
{
    typedef columns<FOURS> io;
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    float share = 1.0f / (float)width;
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        const float *from = x + r * width;
        T *to = y + r * width;
        float sum = 0, square = 0;
        for (int i = lane * FOURS; i < width; i += 32 * FOURS) {
            typename io::value v = io::ld(from + i);
            if (ADDS) {
                v = io::add(v, io::ld(more + r * width + i));
                io::st(sum_out + r * width + i, v);
            }
            sum += io::sum(v);
        }
        if (ADDS)
            from = sum_out + r * width;
        float m = vt_warp_sum(sum) * share;
        for (int i = lane * FOURS; i < width; i += 32 * FOURS)
            square += io::square(io::ld(from + i), m);
        float s = 1 / sqrtf(vt_warp_sum(square) * share + eps);
        for (int i = lane * FOURS; i < width; i += 32 * FOURS)
            io::st(to + i, io::norm(io::ld(from + i), m, s, io::ld(gamma + i), io::ld(beta + i)));
        if (lane == 0) {
            mean[r] = m;
            rstd[r] = s;
        }
    }
}

struct norm {
    float *mean, *rstd;
    const float *x, *gamma, *beta;
    int64_t rows, width;
    float eps;
};

template <int FOURS, class T>
static int layer_norm(const struct norm *n, float *sum, T *y, const float *more,
                      cudaStream_t stream)
{
    dim3 grid = vt_grid(32 * n->rows), block(VT_THREADS);
    if (n->rows == 0)
        return 0;
    if (more)
        return VT_LAUNCH((layer_norm_kernel<FOURS, 1, T>), grid, block, 0, stream, sum, y, n->mean,
                         n->rstd, n->x, more, n->gamma, n->beta, n->rows, (int)n->width, n->eps);
    return VT_LAUNCH((layer_norm_kernel<FOURS, 0, T>), grid, block, 0, stream, sum, y, n->mean,
                     n->rstd, n->x, more, n->gamma, n->beta, n->rows, (int)n->width, n->eps);
}

extern "C" int vt_layer_norm(float *sum, void *y, int half, float *mean, float *rstd,
                             const float *x, const float *more, const float *gamma,
                             const float *beta, int64_t rows, int64_t width, float eps,
                             cudaStream_t stream)
{
    struct norm n = {mean, rstd, x, gamma, beta, rows, width, eps};
    if (width % 4 == 0)
        return half ? layer_norm<4>(&n, sum, (vt_bf16 *)y, more, stream)
                    : layer_norm<4>(&n, sum, (float *)y, more, stream);
    return half ? layer_norm<1>(&n, sum, (vt_bf16 *)y, more, stream)
                : layer_norm<1>(&n, sum, (float *)y, more, stream);
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

/* dx = rstd (g - mean(g) - xhat mean(g xhat)) + more, g = dy gamma, xhat = (x - mean) rstd; more may
 * be NULL, and dx may lie on dy, x or more. A block takes
 * every gridDim.x-th group of rows; parts (blocks, 2, width) get its dgamma and dbeta. A column of
 * a warp's sums belongs to one lane. */
static __global__ void layer_norm_grad_kernel(float *dx, float *parts, const float *dy,
                                              const float *x, const float *gamma, const float *mean,
                                              const float *rstd, const float *more, int64_t rows,
                                              int width)
{
    VT_SHARED_DYN(float, sums); /* [warps][2][width] */
    int lane = (int)threadIdx.x & 31, warp = (int)threadIdx.x >> 5;
    int warps = (int)blockDim.x >> 5;
    float *dgamma = sums + warp * 2 * width, *dbeta = dgamma + width;
    float share = 1.0f / (float)width;
    for (int i = lane; i < 2 * width; i += 32)
        dgamma[i] = 0;
    __syncwarp();
    for (int64_t r = (int64_t)blockIdx.x * warps + warp; r < rows;
         r += (int64_t)gridDim.x * warps) {
        const float *xr = x + r * width, *dyr = dy + r * width;
        float m = mean[r], s = rstd[r], shift = 0, slope = 0;
        for (int i = lane; i < width; i += 32) {
            float xhat = (xr[i] - m) * s, down = dyr[i], g = down * gamma[i];
            shift += g;
            slope += g * xhat;
            dgamma[i] += down * xhat;
            dbeta[i] += down;
        }
        shift = vt_warp_sum(shift) * share;
        slope = vt_warp_sum(slope) * share;
        for (int i = lane; i < width; i += 32) {
            float xhat = (xr[i] - m) * s;
            float d = s * (dyr[i] * gamma[i] - shift - xhat * slope);
            dx[r * width + i] = more ? d + more[r * width + i] : d;
        }
    }
    __syncthreads();
    for (int i = (int)threadIdx.x; i < 2 * width; i += (int)blockDim.x) {
        float sum = sums[i];
        for (int w = 1; w < warps; w++)
            sum += sums[w * 2 * width + i];
        parts[(int64_t)blockIdx.x * 2 * width + i] = sum;
    }
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

extern "C" int vt_layer_norm_grad(float *dx, float *dgamma, float *dbeta, const float *dy,
                                  const float *x, const float *gamma, const float *mean,
                                  const float *rstd, const float *more, float *parts, int64_t rows,
                                  int64_t width, cudaStream_t stream)
{
    int warps = warps_of(width), blocks = (int)blocks_of(rows, width);
    int code = VT_LAUNCH(layer_norm_grad_kernel, dim3((unsigned)blocks), dim3((unsigned)warps * 32),
                         (size_t)warps * 2 * (size_t)width * sizeof(float), stream, dx, parts, dy,
                         x, gamma, mean, rstd, more, rows, (int)width);
    if (code)
        return code;
    return VT_LAUNCH(layer_norm_parts_kernel, dim3((unsigned)vt_ceil(2 * width, 32)),
                     dim3(VT_THREADS), 0, stream, dgamma, dbeta, parts, blocks, (int)width);
}
