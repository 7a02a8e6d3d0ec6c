/* The gradient of layer normalisation: dgamma and dbeta are summed beside dx, so that x and dy are
 * read from memory once. */
#include "backend/cuda/kernels/layer_norm.h"

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
            vt_io<float>::st4(dgamma + i,
                              make_float4(in_gamma.x + d.x * h.x, in_gamma.y + d.y * h.y,
                                          in_gamma.z + d.z * h.z, in_gamma.w + d.w * h.w));
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
