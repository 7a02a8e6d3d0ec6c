/* sum and max over axes. A sum over (outer, size, inner) with few results is cut along size into
 * pieces, whose sums lie in parts and are then added in order. */
#include "backend/cuda/kernels/device.h"

enum {
    LINES = VT_WARPS,         /* rows of threads of a block that sums columns, 32 wide */
    THREADS_ENOUGH = 1 << 18, /* as many fill a large device */
    PIECE_LEAST = 64          /* values of a sum that a thread or more of its own are worth */
};

/* How many neighbouring columns a thread of sum_columns_kernel adds. */
static int columns_of(int64_t inner)
{
    return inner % 4 ? 1 : 4;
}

static int64_t pieces_of(int64_t outer, int64_t size, int64_t inner)
{
    int64_t threads = inner == 1 ? 32 * outer : LINES * outer * vt_ceil(inner, columns_of(inner));
    int64_t wanted = vt_ceil(THREADS_ENOUGH, vt_max_of(1, threads));
    int64_t least = inner == 1 ? VT_THREADS * 4 : LINES * PIECE_LEAST / columns_of(inner);
    return vt_max_of(1, vt_min(wanted, vt_ceil(size, least)));
}

/* N neighbouring values. */
template <int N> struct several {
    float x[N];
    template <class X> __device__ __forceinline__ void add(const X *p)
    {
        if constexpr (N == 4) {
            float4 v = vt_io<X>::ld4(p);
            x[0] += v.x;
            x[1] += v.y;
            x[2] += v.z;
            x[3] += v.w;
        } else {
            x[0] += vt_io<X>::ld(p);
        }
    }
};

/* One block a row of n values, cut into pieces; y (rows, pieces). */
template <class X>
static __global__ void sum_rows_kernel(float *y, const X *x, int64_t rows, int64_t n, int64_t piece,
                                       int64_t pieces, float scale)
{
    for (int64_t b = blockIdx.x; b < rows * pieces; b += gridDim.x) {
        int64_t first = b % pieces * piece, end = min(n, first + piece);
        const X *from = x + b / pieces * n;
        float sum = 0;
        for (int64_t i = first + threadIdx.x; i < end; i += VT_THREADS)
            sum += vt_io<X>::ld(from + i);
        sum = vt_block_sum(sum);
        if (threadIdx.x == 0)
            y[b] = scale * sum;
    }
}

/* One warp a row: many short rows. */
template <class X>
static __global__ void sum_short_rows_kernel(float *y, const X *x, int64_t rows, int64_t n,
                                             float scale)
{
    int64_t warp = (int64_t)blockIdx.x * VT_WARPS + (threadIdx.x >> 5);
    int lane = (int)threadIdx.x & 31;
    for (int64_t r = warp; r < rows; r += (int64_t)gridDim.x * VT_WARPS) {
        float sum = 0;
        for (int64_t i = lane; i < n; i += 32)
            sum += vt_io<X>::ld(x + r * n + i);
        sum = vt_warp_sum(sum);
        if (lane == 0)
            y[r] = scale * sum;
    }
}

/* A block sums 32 N neighbouring columns of a piece; y (outer, pieces, inner). Block b is (outer,
 * piece, columns). */
template <class X, int N>
static __global__ void sum_columns_kernel(float *y, const X *x, int64_t size, int64_t inner,
                                          int64_t piece, int64_t pieces, int64_t blocks,
                                          float scale)
{
    VT_SHARED(float, part, [LINES][N][32]);
    int lane = (int)threadIdx.x & 31, line = (int)threadIdx.x >> 5;
    int64_t across = (inner + 32 * N - 1) / (32 * N);
    for (int64_t b = blockIdx.x; b < blocks; b += gridDim.x) {
        int64_t col = b % across * (32 * N) + lane * N, p = b / across % pieces;
        int64_t o = b / across / pieces, end = min(size, (p + 1) * piece);
        several<N> sum = {};
        if (col < inner)
            for (int64_t r = p * piece + line; r < end; r += LINES)
                sum.add(x + (o * size + r) * inner + col);
#pragma unroll
        for (int k = 0; k < N; k++)
            part[line][k][lane] = sum.x[k];
        __syncthreads();
        if (line < N && col < inner) { /* line k adds column k of every lane */
            float total = part[0][line][lane];
            for (int i = 1; i < LINES; i++)
                total += part[i][line][lane];
            y[(o * pieces + p) * inner + col + line] = scale * total;
        }
        __syncthreads();
    }
}

static dim3 blocks_of(int64_t n)
{
    return dim3((unsigned)vt_max_of(1, vt_min(n, 1 << 20)));
}

template <class X>
static int sum_once(float *y, const X *x, int64_t outer, int64_t size, int64_t inner,
                    int64_t pieces, float scale, cudaStream_t stream)
{
    int n = columns_of(inner);
    int64_t piece = vt_ceil(size, pieces), blocks = outer * pieces * vt_ceil(inner, 32 * n);
    if (inner > 1 && n == 4)
        return VT_LAUNCH((sum_columns_kernel<X, 4>), blocks_of(blocks), dim3(VT_THREADS), 0, stream,
                         y, x, size, inner, piece, pieces, blocks, scale);
    if (inner > 1)
        return VT_LAUNCH((sum_columns_kernel<X, 1>), blocks_of(blocks), dim3(VT_THREADS), 0, stream,
                         y, x, size, inner, piece, pieces, blocks, scale);
    if (pieces == 1 && size <= 32 * VT_WARPS)
        return VT_LAUNCH(sum_short_rows_kernel<X>, blocks_of(vt_ceil(outer, VT_WARPS)),
                         dim3(VT_THREADS), 0, stream, y, x, outer, size, scale);
    return VT_LAUNCH(sum_rows_kernel<X>, blocks_of(outer * pieces), dim3(VT_THREADS), 0, stream, y,
                     x, outer, size, piece, pieces, scale);
}

extern "C" int64_t vt_sum_parts(int64_t outer, int64_t size, int64_t inner)
{
    int64_t pieces = pieces_of(outer, size, inner);
    return pieces > 1 ? outer * pieces * inner : 0;
}

template <class X>
static int sum(float *y, const X *x, float *parts, int64_t outer, int64_t size, int64_t inner,
               float scale, cudaStream_t stream)
{
    int64_t pieces = pieces_of(outer, size, inner);
    if (outer * inner == 0)
        return 0;
    if (pieces == 1)
        return sum_once(y, x, outer, size, inner, 1, scale, stream);
    int code = sum_once(parts, x, outer, size, inner, pieces, 1, stream);
    return code ? code : sum_once(y, parts, outer, pieces, inner, 1, scale, stream);
}

extern "C" int vt_sum(float *y, const void *x, float *parts, int64_t outer, int64_t size,
                      int64_t inner, float scale, unsigned half, cudaStream_t stream)
{
    return vt_typed(half, [&](auto of_x) {
        return sum(y, (const decltype(of_x) *)x, parts, outer, size, inner, scale, stream);
    });
}

static __global__ void max_kernel(float *y, const float *x, int64_t size, int64_t inner, int64_t n)
{
    VT_EACH(i, n)
    {
        const float *from = x + i / inner * size * inner + i % inner;
        float top = from[0];
        for (int64_t r = 1; r < size; r++)
            top = from[r * inner] > top ? from[r * inner] : top;
        y[i] = top;
    }
}

extern "C" int vt_max(float *y, const float *x, int64_t outer, int64_t size, int64_t inner,
                      cudaStream_t stream)
{
    int64_t n = outer * inner;
    if (n == 0)
        return 0;
    return VT_LAUNCH(max_kernel, vt_grid(n), dim3(VT_THREADS), 0, stream, y, x, size, inner, n);
}
