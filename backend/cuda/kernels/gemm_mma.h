/* Products on tensor cores, for operands of type E: bf16, or float that is rounded to tf32 on its
 * way into registers. Two by N / 32 warps have 32 columns and half of the rows each. Both sizes of
 * tiles add in the same order: an element has the same bits in either. */
#ifndef BACKEND_CUDA_KERNELS_GEMM_MMA_H
#define BACKEND_CUDA_KERNELS_GEMM_MMA_H

#include "backend/cuda/kernels/gemm.h"
#include "backend/cuda/kernels/mma.h"

/* A warp's operands from a tile of either layout: a = 16 rows, b = two times 8 columns, DEPTH
 * deep, from x on. Depth is in the order of mma.h for both. */
template <class E> struct gemm_fragment;

template <> struct gemm_fragment<vt_bf16> {
    typedef vt_mma<vt_bf16> mma;
    template <bool TURNED>
    static __device__ VT_INLINED void of_a(uint32_t (&a)[4], const vt_bf16 *x, int pitch)
    {
        int lane = mma::lane();
        if (TURNED)
            vt_load_turned(a, x + ((lane & 7) + (lane >> 4) * 8) * pitch + (lane & 8));
        else
            mma::rows_of(a, x, pitch);
    }
    template <bool TURNED>
    static __device__ VT_INLINED void of_b(uint32_t (&b)[2][2], const vt_bf16 *x, int pitch)
    {
        if (TURNED)
            mma::columns_of(b, x, pitch);
        else
            mma::turned_rows(b, x, pitch);
    }
};

template <> struct gemm_fragment<float> {
    typedef vt_mma<float> mma;
    static __device__ __forceinline__ uint32_t rounded(float x)
    {
        return __float_as_uint(vt_tf32_of(x));
    }
    template <bool TURNED>
    static __device__ VT_INLINED void of_a(uint32_t (&a)[4], const float *x, int pitch)
    {
        int along = TURNED ? 1 : pitch, deep = TURNED ? pitch : 1; /* steps of rows and depth */
        const float *at = x + mma::group() * along + mma::pair() * deep;
        a[0] = rounded(at[0]);
        a[1] = rounded(at[8 * along]);
        a[2] = rounded(at[4 * deep]);
        a[3] = rounded(at[8 * along + 4 * deep]);
    }
    template <bool TURNED>
    static __device__ VT_INLINED void of_b(uint32_t (&b)[2][2], const float *x, int pitch)
    {
        int along = TURNED ? 1 : pitch, deep = TURNED ? pitch : 1;
#pragma unroll
        for (int j = 0; j < 2; j++) {
            const float *at = x + (8 * j + mma::group()) * along + mma::pair() * deep;
            b[j][0] = rounded(at[0]);
            b[j][1] = rounded(at[4 * deep]);
        }
    }
};

template <class E, int M_, int N_> struct gemm_mma {
    typedef E type;
    enum {
        M = M_,
        N = N_,
        THREADS = 2 * N,
        BLOCKS = M == 128 ? 2 : 4,
        ROWS = M / 2, /* of a warp */
        COLS = 32,
        HIGH = ROWS / 16, /* products of a warp */
        WIDE = COLS / 8
    };
    float sums[HIGH][WIDE][4];

    static __device__ __forceinline__ int row()
    {
        return (int)threadIdx.x / 32 / (N / COLS) * ROWS;
    }
    static __device__ __forceinline__ int col()
    {
        return (int)threadIdx.x / 32 % (N / COLS) * COLS;
    }

    __device__ VT_INLINED void clear()
    {
#pragma unroll
        for (int i = 0; i < HIGH; i++)
#pragma unroll
            for (int j = 0; j < WIDE; j++)
#pragma unroll
                for (int e = 0; e < 4; e++)
                    sums[i][j][e] = 0;
    }

    template <bool TA, bool TB> __device__ VT_INLINED void multiply(const E *of_a, const E *of_b)
    {
        typedef gemm_tile<E, M, TA> tile_a;
        typedef gemm_tile<E, N, TB> tile_b;
        const E *from_a = of_a + row() * (TA ? 1 : tile_a::PITCH);
        const E *from_b = of_b + col() * (TB ? 1 : tile_b::PITCH);
#pragma unroll
        for (int k = 0; k < tile_a::DEPTH; k += vt_mma<E>::DEPTH) {
            uint32_t a[HIGH][4], b[WIDE / 2][2][2];
#pragma unroll
            for (int i = 0; i < HIGH; i++)
                gemm_fragment<E>::template of_a<TA>(
                    a[i], from_a + (TA ? k * tile_a::PITCH + 16 * i : 16 * i * tile_a::PITCH + k),
                    tile_a::PITCH);
#pragma unroll
            for (int j = 0; j < WIDE / 2; j++)
                gemm_fragment<E>::template of_b<TB>(
                    b[j], from_b + (TB ? k * tile_b::PITCH + 16 * j : 16 * j * tile_b::PITCH + k),
                    tile_b::PITCH);
#pragma unroll
            for (int i = 0; i < HIGH; i++)
#pragma unroll
                for (int j = 0; j < WIDE; j++)
                    vt_mma<E>::multiply(sums[i][j], a[i], b[j / 2][j % 2]);
        }
    }

    __device__ VT_INLINED void spill(float *to) const
    {
        int lane = (int)threadIdx.x & 31;
        float *at = to + (row() + lane / 4) * (N + STAGE_PAD) + col() + lane % 4 * 2;
#pragma unroll
        for (int i = 0; i < HIGH; i++)
#pragma unroll
            for (int j = 0; j < WIDE; j++)
#pragma unroll
                for (int e = 0; e < 2; e++)
                    *reinterpret_cast<float2 *>(at + (16 * i + 8 * e) * (N + STAGE_PAD) + 8 * j) =
                        make_float2(sums[i][j][2 * e], sums[i][j][2 * e + 1]);
    }
};

/* Large tiles where they are enough for a device's multiprocessors. */
template <class E> static int gemm_on_tensor_cores(const vt_gemm &g, cudaStream_t stream)
{
    enum { ENOUGH = 128 };
    typedef gemm_mma<E, 128, 128> large;
    typedef gemm_mma<E, 64, 64> small;
    bool wants_large = g.tile ? g.tile == large::M : gemm_blocks<large>(g) >= ENOUGH;
    return wants_large ? gemm_by_layout<large>(g, stream) : gemm_by_layout<small>(g, stream);
}

#endif
