/* Tensor cores on the emulated device: the functions of backend/cuda/kernels/mma.h, which the lanes
 * of a warp do together (warp.h). */
#ifndef BACKEND_SIM_MMA_H
#define BACKEND_SIM_MMA_H

#include "backend/sim/language.h"

static inline void vt_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               SIM_PLACE)
{
    sim_product s{a, b, d};
    sim_collective(0xffffffffu, sim_combine_bf16, &s, 0, file, line);
}

static inline void vt_mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               SIM_PLACE)
{
    sim_product s{a, b, d};
    sim_collective(0xffffffffu, sim_combine_tf32, &s, 0, file, line);
}

static inline float vt_tf32_of(float x)
{
    uint32_t u = sim_bits<uint32_t>(x);
    if ((u & 0x7f800000u) != 0x7f800000u)
        u = (u + 0x1000u) & ~0x1fffu;
    return sim_bits<float>(u);
}

static inline uint32_t vt_tf32_bits(float x)
{
    return sim_bits<uint32_t>(x) & ~0x1fffu;
}

static inline sim_rows sim_rows_of(const __nv_bfloat16 *row, const char *file, int line)
{
    if (reinterpret_cast<uintptr_t>(row) % 16)
        sim_die("%s:%d: a row of a matrix is not at a multiple of 16 bytes", file, line);
    sim_rows s{row, {}};
    sim_collective(0xffffffffu, sim_combine_rows, &s, 0, file, line);
    return s;
}

static inline const __nv_bfloat16 *sim_row(const sim_rows &s, int lane)
{
    return static_cast<const __nv_bfloat16 *>(s.all[lane]);
}

static inline uint32_t sim_pair(__nv_bfloat16 low, __nv_bfloat16 high)
{
    return low.bits | static_cast<uint32_t>(high.bits) << 16;
}

static inline void vt_load_matrices(uint32_t (&r)[4], const __nv_bfloat16 *row, SIM_PLACE)
{
    sim_rows s = sim_rows_of(row, file, line);
    int lane = static_cast<int>(threadIdx.x) % SIM_WARP, group = lane / 4, pair = lane % 4;
    for (int i = 0; i < 4; i++) {
        const __nv_bfloat16 *from = sim_row(s, 8 * i + group) + 2 * pair;
        r[i] = sim_pair(from[0], from[1]);
    }
}

static inline void vt_load_turned(uint32_t (&r)[4], const __nv_bfloat16 *row, SIM_PLACE)
{
    sim_rows s = sim_rows_of(row, file, line);
    int lane = static_cast<int>(threadIdx.x) % SIM_WARP, group = lane / 4, pair = lane % 4;
    for (int i = 0; i < 4; i++)
        r[i] =
            sim_pair(sim_row(s, 8 * i + 2 * pair)[group], sim_row(s, 8 * i + 2 * pair + 1)[group]);
}

static inline uint32_t vt_pair_of(float low, float high)
{
    return sim_pair(__float2bfloat16(low), __float2bfloat16(high));
}

#endif
