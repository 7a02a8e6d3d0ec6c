/* Tensor cores on the emulated device: the functions of backend/cuda/kernels/mma.h. Operands are
 * gathered from the registers of all lanes as the PTX ISA places them there; products of bf16 and
 * tf32 are exact in float, sums are made in float in the order of the depth. */
#ifndef BACKEND_SIM_MMA_H
#define BACKEND_SIM_MMA_H

#include "backend/sim/language.h"

/* What a lane brings to a product. */
struct sim_mma {
    const uint32_t *a, *b;
    float *d;
};

SIM_TOGETHER float sim_bf16_half(uint32_t pair, int upper)
{
    return sim_bits<float>(upper ? pair & 0xffff0000u : pair << 16);
}

SIM_TOGETHER void sim_whole_warp(uint32_t arrived, const char *what)
{
    if (arrived != 0xffffffffu)
        sim_die("%s needs all lanes of a warp", what);
}

template <int DEPTH>
SIM_TOGETHER void sim_multiply(void *const *operands, const float (&a)[16][DEPTH],
                               const float (&b)[DEPTH][8])
{
    float d[16][8];
    for (int lane = 0; lane < SIM_WARP; lane++)
        for (int i = 0; i < 4; i++)
            d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] =
                static_cast<const sim_mma *>(operands[lane])->d[i];
    for (int row = 0; row < 16; row++)
        for (int k = 0; k < DEPTH; k++)
            for (int col = 0; col < 8; col++)
                d[row][col] += a[row][k] * b[k][col];
    for (int lane = 0; lane < SIM_WARP; lane++)
        for (int i = 0; i < 4; i++)
            static_cast<const sim_mma *>(operands[lane])->d[i] =
                d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

SIM_TOGETHER void sim_combine_bf16(void *const *operands, uint32_t arrived)
{
    float a[16][16], b[16][8];
    sim_whole_warp(arrived, "a product of bf16");
    for (int lane = 0; lane < SIM_WARP; lane++) {
        auto *s = static_cast<const sim_mma *>(operands[lane]);
        int group = lane / 4, pair = lane % 4;
        for (int i = 0; i < 4; i++)
            for (int upper = 0; upper < 2; upper++)
                a[group + i % 2 * 8][2 * pair + upper + i / 2 * 8] = sim_bf16_half(s->a[i], upper);
        for (int i = 0; i < 2; i++)
            for (int upper = 0; upper < 2; upper++)
                b[2 * pair + upper + i * 8][group] = sim_bf16_half(s->b[i], upper);
    }
    sim_multiply<16>(operands, a, b);
}

/* Tensor cores read the upper 19 bits of an operand. */
SIM_TOGETHER float sim_tf32_bits(uint32_t bits)
{
    return sim_bits<float>(bits & ~0x1fffu);
}

SIM_TOGETHER void sim_combine_tf32(void *const *operands, uint32_t arrived)
{
    float a[16][8], b[8][8];
    sim_whole_warp(arrived, "a product of tf32");
    for (int lane = 0; lane < SIM_WARP; lane++) {
        auto *s = static_cast<const sim_mma *>(operands[lane]);
        int group = lane / 4, pair = lane % 4;
        for (int i = 0; i < 4; i++)
            a[group + i % 2 * 8][pair + i / 2 * 4] = sim_tf32_bits(s->a[i]);
        for (int i = 0; i < 2; i++)
            b[pair + i * 4][group] = sim_tf32_bits(s->b[i]);
    }
    sim_multiply<8>(operands, a, b);
}

static inline void vt_mma_bf16(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               SIM_PLACE)
{
    sim_mma s{a, b, d};
    sim_collective(0xffffffffu, sim_combine_bf16, &s, 0, file, line);
}

static inline void vt_mma_tf32(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2],
                               SIM_PLACE)
{
    sim_mma s{a, b, d};
    sim_collective(0xffffffffu, sim_combine_tf32, &s, 0, file, line);
}

static inline float vt_tf32_of(float x)
{
    uint32_t u = sim_bits<uint32_t>(x);
    if ((u & 0x7f800000u) != 0x7f800000u)
        u = (u + 0x1000u) & ~0x1fffu;
    return sim_bits<float>(u);
}

/* The rows that all lanes bring: every lane then reads its values itself, so that the sanitizers
 * see who reads what. */
struct sim_rows {
    const __nv_bfloat16 *mine, *all[SIM_WARP];
};

SIM_TOGETHER void sim_combine_rows(void *const *operands, uint32_t arrived)
{
    sim_whole_warp(arrived, "a load of matrices");
    for (int lane = 0; lane < SIM_WARP; lane++)
        for (int other = 0; other < SIM_WARP; other++)
            static_cast<sim_rows *>(operands[lane])->all[other] =
                static_cast<const sim_rows *>(operands[other])->mine;
}

static inline sim_rows sim_rows_of(const __nv_bfloat16 *row, const char *file, int line)
{
    if (reinterpret_cast<uintptr_t>(row) % 16)
        sim_die("%s:%d: a row of a matrix is not at a multiple of 16 bytes", file, line);
    sim_rows s{row, {}};
    sim_collective(0xffffffffu, sim_combine_rows, &s, 0, file, line);
    return s;
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
        const __nv_bfloat16 *from = s.all[8 * i + group] + 2 * pair;
        r[i] = sim_pair(from[0], from[1]);
    }
}

static inline void vt_load_turned(uint32_t (&r)[4], const __nv_bfloat16 *row, SIM_PLACE)
{
    sim_rows s = sim_rows_of(row, file, line);
    int lane = static_cast<int>(threadIdx.x) % SIM_WARP, group = lane / 4, pair = lane % 4;
    for (int i = 0; i < 4; i++)
        r[i] = sim_pair(s.all[8 * i + 2 * pair][group], s.all[8 * i + 2 * pair + 1][group]);
}

static inline uint32_t vt_pair_of(float low, float high)
{
    return sim_pair(__float2bfloat16(low), __float2bfloat16(high));
}

#endif
