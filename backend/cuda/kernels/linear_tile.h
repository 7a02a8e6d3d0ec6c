/* What linear attention's kernels on tensor cores share: rows on their way to shared memory, phi of
 * them, and products of a warp that sum over tokens or multiply such sums. E: operands in bf16, or
 * float that is rounded to tf32. */
#ifndef BACKEND_CUDA_KERNELS_LINEAR_TILE_H
#define BACKEND_CUDA_KERNELS_LINEAR_TILE_H

#include "backend/cuda/kernels/attention.h"
#include "backend/cuda/kernels/mma_tile.h"

/* ---- tiles on their way ---------------------------------------------------------------------- */

/* The batch element and the head of a block. */
struct linear_head {
    int b, h;
    __device__ VT_INLINED explicit linear_head(const vt_attention_size &a)
        : b((int)(blockIdx.x / (unsigned)a.heads)), h((int)(blockIdx.x % (unsigned)a.heads))
    {
    }
};

/* Rows of a matrix in memory. wide: they begin at 16 bytes. */
template <class E> struct rows_from {
    const E *first;
    int ld, rows, dim;
    bool wide;
};

/* Such rows between memory and shared memory: T rows of W values in the registers of THREADS
 * threads, sixteen bytes a time; zeros beyond what there is. Rows that are not wide are read when
 * they are put. */
template <class E, int W, int T, int THREADS> struct rows_ahead {
    enum {
        N = operand<E>::N,
        PER_ROW = W / N,
        ALL = T * PER_ROW,
        MINE = (ALL + THREADS - 1) / THREADS,
        PITCH = tile<E, W>::PITCH
    };
    static_assert(ALL % 32 == 0 && PER_ROW <= 32, "whole warps take part, a row is one warp's");
    uint4 x[MINE];

    static __device__ VT_INLINED int place(int p)
    {
        return (int)threadIdx.x + p * THREADS;
    }

    __device__ VT_INLINED void fetch(const rows_from<E> &from)
    {
#pragma unroll
        for (int p = 0; p < MINE; p++) {
            int r = place(p) / PER_ROW, c = place(p) % PER_ROW * N;
            x[p] = make_uint4(0, 0, 0, 0);
            if (from.wide && place(p) < ALL && r < from.rows && c < from.dim)
                x[p] = *reinterpret_cast<const uint4 *>(from.first + (int64_t)r * from.ld + c);
        }
    }

    static __device__ VT_INLINED uint4 gather(const rows_from<E> &from, int r, int c)
    {
        const E *at = from.first + (int64_t)r * from.ld + c;
        float values[N];
#pragma unroll
        for (int i = 0; i < N; i++)
            values[i] = r < from.rows && c + i < from.dim ? vt_io<E>::ld(at + i) : 0;
        return operand<E>::join(values);
    }

    /* Calls f(piece, row, column) for a thread's pieces: for all lanes of a warp or none. */
    template <class G> __device__ VT_INLINED void each(const rows_from<E> &from, G f) const
    {
        if (from.wide) {
#pragma unroll
            for (int p = 0; p < MINE; p++)
                if (place(p) < ALL)
                    f(x[p], place(p) / PER_ROW, place(p) % PER_ROW * N);
            return;
        }
#pragma unroll 1
        for (int i = place(0); i < ALL; i += THREADS)
            f(gather(from, i / PER_ROW, i % PER_ROW * N), i / PER_ROW, i % PER_ROW * N);
    }

    __device__ VT_INLINED void put(const rows_from<E> &from, E *to) const
    {
        each(from, [&](uint4 piece, int r, int c) {
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::of(piece);
        });
    }

    /* phi of a piece, rounded; zeros beyond what there is. */
    static __device__ VT_INLINED void phi_of(const rows_from<E> &from, float (&values)[N],
                                             uint4 piece, int r, int c)
    {
        operand<E>::open(values, piece);
#pragma unroll
        for (int i = 0; i < N; i++)
            values[i] =
                r < from.rows && c + i < from.dim ? vt_mma<E>::rounded(vt_phi_of(values[i])) : 0;
    }

    __device__ VT_INLINED void put_phi(const rows_from<E> &from, E *to) const
    {
        each(from, [&](uint4 piece, int r, int c) {
            float values[N];
            phi_of(from, values, piece, r, c);
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::join(values);
        });
    }

    /* Of queries; with z of each row and, where `scaled` is there, z phi(q) in it. */
    __device__ VT_INLINED void put_queries(const rows_from<E> &from, E *to, E *scaled, float *z,
                                           const float *ksum, float eps) const
    {
        each(from, [&](uint4 piece, int r, int c) {
            float values[N], sum = 0;
            phi_of(from, values, piece, r, c);
#pragma unroll
            for (int i = 0; i < N; i++)
                sum += values[i] * ksum[c + i];
#pragma unroll
            for (int o = PER_ROW / 2; o > 0; o >>= 1)
                sum += __shfl_xor_sync(VT_FULL, sum, o);
            sum = r < from.rows ? 1 / (sum + eps) : 0;
            if (c == 0)
                z[r] = sum;
            *reinterpret_cast<uint4 *>(to + r * PITCH + c) = operand<E>::join(values);
            if (!scaled)
                return;
#pragma unroll
            for (int i = 0; i < N; i++)
                values[i] = vt_mma<E>::rounded(sum * values[i]);
            *reinterpret_cast<uint4 *>(scaled + r * PITCH + c) = operand<E>::join(values);
        });
    }
};

/* T of `rows` rows, from row first on; none behind the last. */
template <class E>
static __device__ VT_INLINED rows_from<E> rows_of(rows_from<E> from, int64_t first, int64_t rows,
                                                  int tile_rows)
{
    from.first += first * from.ld;
    from.rows = rows_left(first, rows, tile_rows);
    return from;
}

/* ---- products of a warp ---------------------------------------------------------------------- */

/* sums (16, 8 TILES) += the transpose of x, 16 columns, times y; the first `width` columns of y,
 * and T tokens of both of which those from n on are zeros. */
template <class E, int T, int PITCH_X, int PITCH_Y, int TILES, int ROOM>
static __device__ VT_INLINED void add_tokens(float (&sums)[ROOM][4], const E *x, const E *y, int n,
                                             int width)
{
    enum { DEPTH = vt_mma<E>::DEPTH };
#pragma unroll 1
    for (int t = 0; t < T; t += DEPTH) {
        if (t >= n)
            break;
        uint32_t a[4], b[2][2];
        vt_mma<E>::turned_columns(a, x + t * PITCH_X, PITCH_X);
#pragma unroll
        for (int j = 0; j < TILES; j += 2)
            if (8 * j < width) {
                vt_mma<E>::columns_of(b, y + t * PITCH_Y + 8 * j, PITCH_Y);
                vt_mma<E>::multiply(sums[j], a, b[0]);
                vt_mma<E>::multiply(sums[j + 1], a, b[1]);
            }
    }
}

/* The same for x = 1: sums of 16 columns of y, in each row of the result. */
template <class E, int T, int PITCH>
static __device__ VT_INLINED void add_ones(float (&sums)[2][4], const E *y, int n)
{
    enum { DEPTH = vt_mma<E>::DEPTH };
    float one[2][4] = {{1, 1, 1, 1}, {1, 1, 1, 1}};
    uint32_t a[4], b[2][2];
    vt_mma<E>::from_sums(a, one);
#pragma unroll 1
    for (int t = 0; t < n; t += DEPTH) {
        vt_mma<E>::columns_of(b, y + t * PITCH, PITCH);
        vt_mma<E>::multiply(sums[0], a, b[0]);
        vt_mma<E>::multiply(sums[1], a, b[1]);
    }
}

/* The sums of a warp become an operand: see in_two. */
template <class E, int TILES> static __device__ VT_INLINED void split_sums(float (&sums)[TILES][4])
{
#pragma unroll
    for (int j = 0; j < TILES; j++)
        vt_mma<E>::in_two(sums[j]);
}

/* d (16, 16) = 16 rows of x times the transpose of the split sums (16, 8 TILES). */
template <class E, int PITCH, int TILES, int ROOM>
static __device__ VT_INLINED void multiply_rows(float (&d)[2][4], const E *x,
                                                const float (&sums)[ROOM][4], int width)
{
    enum { STEP = vt_mma<E>::DEPTH / 8 };
    clear(d);
#pragma unroll
    for (int j = 0; j < TILES; j += STEP)
        if (8 * j < width) {
            uint32_t a[4], high[2][2], low[2][2];
            vt_mma<E>::rows_in_turn(a, x + 8 * j, PITCH);
            vt_mma<E>::turned_sums(high, low, &sums[j]);
#pragma unroll
            for (int i = 0; i < 2; i++) {
                vt_mma<E>::multiply(d[i], a, low[i]);
                vt_mma<E>::multiply(d[i], a, high[i]);
            }
        }
}

/* Calls f(i, e, row, column) for the values of a result (16, 16): d[i][e]. */
template <class G> static __device__ VT_INLINED void each_value(G f)
{
#pragma unroll
    for (int i = 0; i < 2; i++)
#pragma unroll
        for (int e = 0; e < 4; e++)
            f(i, e, lane_group() + 8 * (e >> 1), 8 * i + lane_column() + (e & 1));
}

#endif
