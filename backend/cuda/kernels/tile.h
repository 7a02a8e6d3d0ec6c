/* Products inside a kernel: 256 threads as 16 x 16, thread (ty, tx) has the rows ty + 16 i and the
 * columns tx + 16 j of a tile, so that neighbours read neighbouring banks of shared memory. Rows in
 * shared memory have a pitch of four more than their length: four values at a time are aligned, and
 * 16 rows lie in different banks. */
#ifndef BACKEND_CUDA_KERNELS_TILE_H
#define BACKEND_CUDA_KERNELS_TILE_H

#include "backend/cuda/kernels/device.h"

enum { TILE_SIDE = 16, TILE_DEPTH = 16, TILE_PAD = 4 };

static __device__ __forceinline__ int tile_x()
{
    return (int)threadIdx.x & (TILE_SIDE - 1);
}

static __device__ __forceinline__ int tile_y()
{
    return (int)threadIdx.x / TILE_SIDE;
}

static __device__ __forceinline__ float tile_dot(float4 a, float4 b, float sum)
{
    return sum + (a.x * b.x + a.y * b.y + a.z * b.z + a.w * b.w);
}

/* acc[i][j] += sum over d < depth of a[ty + 16 i][d] b[tx + 16 j][d]; depth a multiple of 4. */
template <int R, int PITCH>
static __device__ __forceinline__ void tile_rows_by_rows(float (&acc)[R][R], const float *a,
                                                         const float *b, int depth)
{
    const float *from_a = a + tile_y() * PITCH, *from_b = b + tile_x() * PITCH;
    for (int d = 0; d < depth; d += 4) {
        float4 p[R], q[R];
#pragma unroll
        for (int i = 0; i < R; i++) {
            p[i] = vt_io<float>::ld4(from_a + i * TILE_SIDE * PITCH + d);
            q[i] = vt_io<float>::ld4(from_b + i * TILE_SIDE * PITCH + d);
        }
#pragma unroll
        for (int i = 0; i < R; i++)
#pragma unroll
            for (int j = 0; j < R; j++)
                acc[i][j] = tile_dot(p[i], q[j], acc[i][j]);
    }
}

/* acc[i][c] += sum over k < depth of p[ty + 16 i][k] b[k][tx + 16 c]; depth a multiple of 4. */
template <int R, int C, int PITCH_P, int PITCH_B>
static __device__ __forceinline__ void tile_rows_by_columns(float (&acc)[R][C], const float *p,
                                                            const float *b, int depth)
{
    const float *from_p = p + tile_y() * PITCH_P, *from_b = b + tile_x();
    for (int k = 0; k < depth; k += 4) {
        float4 w[R];
#pragma unroll
        for (int i = 0; i < R; i++)
            w[i] = vt_io<float>::ld4(from_p + i * TILE_SIDE * PITCH_P + k);
#pragma unroll
        for (int c = 0; c < C; c++) {
            const float *column = from_b + k * PITCH_B + c * TILE_SIDE;
            float4 v =
                make_float4(column[0], column[PITCH_B], column[2 * PITCH_B], column[3 * PITCH_B]);
#pragma unroll
            for (int i = 0; i < R; i++)
                acc[i][c] = tile_dot(w[i], v, acc[i][c]);
        }
    }
}

/* acc[i][c] += sum over k < depth of p[k][ty + 16 i] b[k][tx + 16 c] */
template <int R, int C, int PITCH_P, int PITCH_B>
static __device__ __forceinline__ void tile_columns_by_columns(float (&acc)[R][C], const float *p,
                                                               const float *b, int depth)
{
    const float *from_p = p + tile_y(), *from_b = b + tile_x();
    for (int k = 0; k < depth; k++) {
#pragma unroll
        for (int i = 0; i < R; i++) {
            float w = from_p[k * PITCH_P + i * TILE_SIDE];
#pragma unroll
            for (int c = 0; c < C; c++)
                acc[i][c] += w * from_b[k * PITCH_B + c * TILE_SIDE];
        }
    }
}

/* Shared memory of tile_product, in values. */
template <int R> struct tile_shared {
    enum { PITCH = TILE_DEPTH + TILE_PAD, COUNT = 2 * TILE_SIDE * R * PITCH };
};

/* Fills to[row][k] for a tile of TILE_SIDE * R rows with f(row, k). K_FAST: neighbours in memory
 * differ in k, not in the row. */
template <int R, bool K_FAST, class F>
static __device__ __forceinline__ void tile_fill(float *to, int64_t k0, int64_t depth, F f)
{
    enum { T = TILE_SIDE * R, PITCH = tile_shared<R>::PITCH };
    for (int i = (int)threadIdx.x; i < T * TILE_DEPTH; i += VT_THREADS) {
        int row = K_FAST ? i / TILE_DEPTH : i % T, k = K_FAST ? i % TILE_DEPTH : i / T;
        to[row * PITCH + k] = k0 + k < depth ? f(row, k0 + k) : 0;
    }
}

/* acc += a (16 R, depth) b (depth, 16 R), operands by functions a(row, k) and b(column, k) that
 * give 0 outside. All threads of a block call it; shared is tile_shared<R>::COUNT values. */
template <int R, bool A_K_FAST, bool B_K_FAST, class A, class B>
static __device__ __forceinline__ void tile_product(float (&acc)[R][R], float *shared,
                                                    int64_t depth, A a, B b)
{
    enum { PITCH = tile_shared<R>::PITCH };
    float *of_a = shared, *of_b = shared + TILE_SIDE * R * PITCH;
    for (int64_t k0 = 0; k0 < depth; k0 += TILE_DEPTH) {
        __syncthreads(); /* the last tiles are read */
        tile_fill<R, A_K_FAST>(of_a, k0, depth, a);
        tile_fill<R, B_K_FAST>(of_b, k0, depth, b);
        __syncthreads();
        tile_rows_by_rows<R, PITCH>(acc, of_a, of_b, TILE_DEPTH);
    }
}

/* The smallest R whose tile is as long as n, at most 4. */
static inline int tile_rows_for(int64_t n)
{
    return n <= TILE_SIDE ? 1 : n <= 2 * TILE_SIDE ? 2 : 4;
}

#endif
