/* Products in single precision: a thread has four rows and four columns of a tile. Depth is summed
 * in parts, which are then added: a sum of parts loses less than one that goes on and on. */
#include "backend/cuda/kernels/gemm.h"
#include "backend/cuda/kernels/tile.h"

struct gemm_fma {
    typedef float type;
    enum { R = 4, M = R * TILE_SIDE, N = M, THREADS = VT_THREADS, BLOCKS = 2, STEPS = 8 };
    float sums[R][R], part[R][R];
    int steps; /* tiles in part, at most STEPS */

    __device__ VT_INLINED void clear()
    {
        steps = 0;
#pragma unroll
        for (int i = 0; i < R; i++)
#pragma unroll
            for (int j = 0; j < R; j++)
                sums[i][j] = part[i][j] = 0;
    }

    __device__ VT_INLINED void add_part()
    {
        steps = 0;
#pragma unroll
        for (int i = 0; i < R; i++)
#pragma unroll
            for (int j = 0; j < R; j++) {
                sums[i][j] += part[i][j];
                part[i][j] = 0;
            }
    }

    template <bool TA, bool TB>
    __device__ VT_INLINED void multiply(const float *of_a, const float *of_b)
    {
        typedef gemm_tile<float, M, TA> tile_a;
        typedef gemm_tile<float, N, TB> tile_b;
        if constexpr (TA)
            tile_columns_by_columns<R, R, tile_a::PITCH, tile_b::PITCH>(part, of_a, of_b,
                                                                        tile_a::DEPTH);
        else if constexpr (TB)
            tile_rows_by_columns<R, R, tile_a::PITCH, tile_b::PITCH>(part, of_a, of_b,
                                                                     tile_a::DEPTH);
        else
            tile_rows_by_rows<R, tile_a::PITCH>(part, of_a, of_b, tile_a::DEPTH);
        if (++steps == STEPS)
            add_part();
    }

    __device__ VT_INLINED void spill(float *to)
    {
        add_part();
#pragma unroll
        for (int i = 0; i < R; i++)
#pragma unroll
            for (int j = 0; j < R; j++)
                to[(tile_y() + i * TILE_SIDE) * (N + STAGE_PAD) + tile_x() + j * TILE_SIDE] =
                    sums[i][j];
    }
};

extern "C" int vt_gemm_fp32(const struct vt_gemm *g, cudaStream_t stream)
{
    return gemm_by_layout<gemm_fma>(*g, stream);
}
