/* Tiles of operands for tensor cores and what a warp does with them: loads of type E, bf16 or float
 * that is rounded to tf32, products whose sums stay in registers, and stores of those. W: values in
 * a row of a tile in shared memory. */
#ifndef BACKEND_CUDA_KERNELS_MMA_TILE_H
#define BACKEND_CUDA_KERNELS_MMA_TILE_H

#include "backend/cuda/kernels/mma.h"

/* ---- tiles ----------------------------------------------------------------------------------- */

/* A value in memory as an operand, and sixteen bytes of them: N values. */
template <class E> struct operand;
template <> struct operand<vt_bf16> {
    enum { N = vt_mma<vt_bf16>::LOADED };
    static __device__ __forceinline__ vt_bf16 of(vt_bf16 x)
    {
        return x;
    }
    static __device__ __forceinline__ void move(vt_bf16 *to, const vt_bf16 *from)
    {
        *reinterpret_cast<uint4 *>(to) = *reinterpret_cast<const uint4 *>(from);
    }
    static __device__ __forceinline__ uint4 of(uint4 x)
    {
        return x;
    }
    static __device__ __forceinline__ void open(float (&values)[N], uint4 x)
    {
        uint32_t pairs[4] = {x.x, x.y, x.z, x.w};
#pragma unroll
        for (int i = 0; i < 4; i++) {
            values[2 * i] = __uint_as_float(pairs[i] << 16);
            values[2 * i + 1] = __uint_as_float(pairs[i] & 0xffff0000u);
        }
    }
    static __device__ __forceinline__ uint4 join(const float (&values)[N])
    {
        return make_uint4(vt_pair_of(values[0], values[1]), vt_pair_of(values[2], values[3]),
                          vt_pair_of(values[4], values[5]), vt_pair_of(values[6], values[7]));
    }
};
template <> struct operand<float> {
    enum { N = vt_mma<float>::LOADED };
    static __device__ __forceinline__ float of(float x)
    {
        return vt_tf32_of(x);
    }
    static __device__ __forceinline__ void move(float *to, const float *from)
    {
        float4 x = vt_io<float>::ld4(from);
        vt_io<float>::st4(to, make_float4(of(x.x), of(x.y), of(x.z), of(x.w)));
    }
    static __device__ __forceinline__ void open(float (&values)[N], uint4 x)
    {
        values[0] = __uint_as_float(x.x);
        values[1] = __uint_as_float(x.y);
        values[2] = __uint_as_float(x.z);
        values[3] = __uint_as_float(x.w);
    }
    static __device__ __forceinline__ uint4 join(const float (&values)[N])
    {
        return make_uint4(__float_as_uint(values[0]), __float_as_uint(values[1]),
                          __float_as_uint(values[2]), __float_as_uint(values[3]));
    }
    static __device__ __forceinline__ uint4 of(uint4 x)
    {
        float values[N];
        open(values, x);
#pragma unroll
        for (int i = 0; i < N; i++)
            values[i] = of(values[i]);
        return join(values);
    }
};

template <class E, int W> struct tile {
    enum { PITCH = W + vt_mma<E>::PAD };
};

/* to[T][W] = rows of a matrix; zeros beyond `rows` and `dim`. wide: rows begin at 16 bytes. */
template <class E, int W, int T>
static __device__ VT_INLINED void load_operand(E *to, const E *from, int64_t ld, int rows, int dim,
                                               bool wide)
{
    enum { PITCH = tile<E, W>::PITCH, N = vt_mma<E>::LOADED };
    if (wide) {
        for (int i = (int)threadIdx.x; i < T * W / N; i += (int)blockDim.x) {
            int r = i / (W / N), c = N * (i % (W / N));
            if (r < rows && c < dim)
                operand<E>::move(to + r * PITCH + c, from + r * ld + c);
            else
                *reinterpret_cast<uint4 *>(to + r * PITCH + c) = make_uint4(0, 0, 0, 0);
        }
        return;
    }
    for (int i = (int)threadIdx.x; i < T * W; i += (int)blockDim.x) {
        int r = i / W, c = i % W;
        to[r * PITCH + c] = r < rows && c < dim ? operand<E>::of(from[r * ld + c]) : E(0.0f);
    }
}

/* ---- products of a warp ---------------------------------------------------------------------- */

static __device__ __forceinline__ int lane_group()
{
    return (int)threadIdx.x >> 2 & 7;
}

/* The first of a lane's two columns in a result. */
static __device__ __forceinline__ int lane_column()
{
    return ((int)threadIdx.x & 3) * 2;
}

template <int N> static __device__ __forceinline__ void clear(float (&x)[N][4])
{
#pragma unroll
    for (int j = 0; j < N; j++)
        x[j][0] = x[j][1] = x[j][2] = x[j][3] = 0;
}

/* s (16, 8 TILES) = own (16, depth) times the transpose of other (8 TILES, depth), for its first
 * `limit` rows. */
template <class E, int W, int TILES>
static __device__ VT_INLINED void scores(float (&s)[TILES][4], const E *own, const E *other,
                                         int depth, int limit)
{
    enum { PITCH = tile<E, W>::PITCH, DEPTH = vt_mma<E>::DEPTH };
    clear(s);
#pragma unroll 2
    for (int k = 0; k < depth; k += DEPTH) {
        uint32_t a[4], b[2][2];
        vt_mma<E>::rows_of(a, own + k, PITCH);
#pragma unroll
        for (int j = 0; j < TILES; j += 2)
            if (8 * j < limit) {
                vt_mma<E>::turned_rows(b, other + 8 * j * PITCH + k, PITCH);
                vt_mma<E>::multiply(s[j], a, b[0]);
                vt_mma<E>::multiply(s[j + 1], a, b[1]);
            }
    }
}

/* sums (16, 8 COLS) += p (16, 8 TILES) times other (8 TILES, 8 COLS), for its first `limit` rows.
 */
template <class E, int W, int TILES, int COLS>
static __device__ VT_INLINED void add_weighted(float (&sums)[COLS][4], const float (&p)[TILES][4],
                                               const E *other, int limit)
{
    enum { PITCH = tile<E, W>::PITCH, STEP = vt_mma<E>::DEPTH / 8 };
#pragma unroll
    for (int j = 0; j < TILES; j += STEP)
        if (8 * j < limit) {
            uint32_t a[4], b[2][2];
            vt_mma<E>::from_sums(a, &p[j]);
#pragma unroll
            for (int n = 0; n < COLS; n += 2) {
                vt_mma<E>::columns_of(b, other + 8 * j * PITCH + 8 * n, PITCH);
                vt_mma<E>::multiply(sums[n], a, b[0]);
                vt_mma<E>::multiply(sums[n + 1], a, b[1]);
            }
        }
}

/* Where a result goes. half: it is bf16. pairs: two neighbours may be written at once. */
struct result {
    void *to;
    bool half, pairs;
    int64_t ld;
    int rows, dim;
};

template <class T>
static __device__ __forceinline__ void put_pair(T *to, float x, float y, bool pairs, bool both);
template <>
__device__ __forceinline__ void put_pair(float *to, float x, float y, bool pairs, bool both)
{
    if (pairs) {
        *reinterpret_cast<float2 *>(to) = make_float2(x, y);
        return;
    }
    to[0] = x;
    if (both)
        to[1] = y;
}
template <>
__device__ __forceinline__ void put_pair(vt_bf16 *to, float x, float y, bool pairs, bool both)
{
    if (pairs) {
        *reinterpret_cast<uint32_t *>(to) = vt_pair_of(x, y);
        return;
    }
    vt_io<vt_bf16>::st(to, x);
    if (both)
        vt_io<vt_bf16>::st(to + 1, y);
}

/* Rows row + group and row + group + 8 of a result from column col on, each scaled. */
template <int COLS>
static __device__ VT_INLINED void store_sums(const result &r, int64_t at,
                                             const float (&sums)[COLS][4], int row, int col,
                                             const float (&scale)[2])
{
#pragma unroll
    for (int i = 0; i < 2; i++) {
        int line = row + lane_group() + 8 * i;
        if (line >= r.rows)
            continue;
#pragma unroll
        for (int n = 0; n < COLS; n++) {
            int c = col + 8 * n + lane_column();
            if (c >= r.dim)
                continue;
            float x = scale[i] * sums[n][2 * i], y = scale[i] * sums[n][2 * i + 1];
            int64_t where = at + line * r.ld + c;
            if (r.half)
                put_pair((vt_bf16 *)r.to + where, x, y, r.pairs, c + 1 < r.dim);
            else
                put_pair((float *)r.to + where, x, y, r.pairs, c + 1 < r.dim);
        }
    }
}

/* Over the four lanes that share a row. */
static __device__ __forceinline__ float quad_max(float v)
{
    v = fmaxf(v, __shfl_xor_sync(VT_FULL, v, 1));
    return fmaxf(v, __shfl_xor_sync(VT_FULL, v, 2));
}

static __device__ __forceinline__ float quad_sum(float v)
{
    v += __shfl_xor_sync(VT_FULL, v, 1);
    return v + __shfl_xor_sync(VT_FULL, v, 2);
}

/* ---- on the host ----------------------------------------------------------------------------- */

template <class E, int W> static size_t bytes_of(int rows)
{
    return sizeof(E) * (size_t)(rows * tile<E, W>::PITCH);
}

/* Offsets of heads and rows, and the address, allow two values at a time. */
static result result_of(void *to, bool half, int64_t ld, int64_t dim)
{
    bool pairs = (uintptr_t)to % (half ? 4 : 8) == 0 && (ld | dim) % 2 == 0;
    return result{to, half, pairs, ld, 0, (int)dim};
}

#endif
