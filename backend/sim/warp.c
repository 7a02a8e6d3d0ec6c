/* Collective operations of a warp. Those of tensor cores are most of what the emulated device
 * computes: loops of fixed length over rows, which compilers make vectors of. */
#include "backend/sim/warp.h"

#include <string.h>

static const uint32_t WHOLE = 0xffffffffu;

void sim_combine_nothing(void *const *operands, uint32_t arrived)
{
    (void)operands;
    (void)arrived;
}

/* ---- shuffles and votes ---------------------------------------------------------------------- */

typedef int shuffle_source(int lane, int argument, int width);

static int from_index(int lane, int argument, int width)
{
    return (lane & ~(width - 1)) + (argument & (width - 1));
}

static int from_xor(int lane, int argument, int width)
{
    int other = lane ^ argument;
    return other >= (lane & ~(width - 1)) + width ? lane : other;
}

static int from_up(int lane, int argument, int width)
{
    return (lane & (width - 1)) < argument ? lane : lane - argument;
}

static int from_down(int lane, int argument, int width)
{
    return (lane & (width - 1)) + argument >= width ? lane : lane + argument;
}

static void shuffle(void *const *operands, uint32_t arrived, shuffle_source *source)
{
    unsigned bytes = 0;
    for (int lane = 0; lane < SIM_WARP; lane++) {
        if (!(arrived >> lane & 1))
            continue;
        struct sim_shuffled *s = operands[lane];
        int from = source(lane, s->argument, s->width);
        if (bytes && s->bytes != bytes)
            sim_die("lanes of one mask shuffle values of %u and %u bytes", bytes, s->bytes);
        bytes = s->bytes;
        int there = from >= 0 && from < SIM_WARP && arrived >> from & 1;
        s->result = there ? ((const struct sim_shuffled *)operands[from])->value : UINT64_MAX;
    }
}

void sim_combine_index(void *const *operands, uint32_t arrived)
{
    shuffle(operands, arrived, from_index);
}

void sim_combine_xor(void *const *operands, uint32_t arrived)
{
    shuffle(operands, arrived, from_xor);
}

void sim_combine_up(void *const *operands, uint32_t arrived)
{
    shuffle(operands, arrived, from_up);
}

void sim_combine_down(void *const *operands, uint32_t arrived)
{
    shuffle(operands, arrived, from_down);
}

void sim_combine_votes(void *const *operands, uint32_t arrived)
{
    uint32_t votes = 0;
    for (int lane = 0; lane < SIM_WARP; lane++)
        if (arrived >> lane & 1 && ((const struct sim_vote *)operands[lane])->yes)
            votes |= 1u << lane;
    for (int lane = 0; lane < SIM_WARP; lane++)
        if (arrived >> lane & 1)
            ((struct sim_vote *)operands[lane])->result = votes;
}

/* ---- tensor cores ---------------------------------------------------------------------------- */

static float float_of(uint32_t bits)
{
    float x;
    memcpy(&x, &bits, sizeof x);
    return x;
}

static void need_all(uint32_t arrived, const char *what)
{
    if (arrived != WHOLE)
        sim_die("%s needs all lanes of a warp", what);
}

enum { ROWS = 16, COLS = 8, DEEPEST = 16 };

static void multiply(void *const *operands, int depth, float a[ROWS][DEEPEST],
                     float b[DEEPEST][COLS])
{
    float d[ROWS][COLS];
    for (int lane = 0; lane < SIM_WARP; lane++)
        for (int i = 0; i < 4; i++)
            d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2] =
                ((const struct sim_product *)operands[lane])->d[i];
    for (int row = 0; row < ROWS; row++)
        for (int k = 0; k < depth; k++)
            for (int col = 0; col < COLS; col++)
                d[row][col] += a[row][k] * b[k][col];
    for (int lane = 0; lane < SIM_WARP; lane++)
        for (int i = 0; i < 4; i++)
            ((const struct sim_product *)operands[lane])->d[i] =
                d[lane / 4 + i / 2 * 8][lane % 4 * 2 + i % 2];
}

void sim_combine_bf16(void *const *operands, uint32_t arrived)
{
    float a[ROWS][DEEPEST], b[DEEPEST][COLS];
    need_all(arrived, "a product of bf16");
    for (int lane = 0; lane < SIM_WARP; lane++) {
        const struct sim_product *s = operands[lane];
        int group = lane / 4, pair = lane % 4;
        for (int i = 0; i < 4; i++) {
            float *to = &a[group + i % 2 * 8][2 * pair + i / 2 * 8];
            to[0] = float_of(s->a[i] << 16);
            to[1] = float_of(s->a[i] & 0xffff0000u);
        }
        for (int i = 0; i < 2; i++) {
            b[2 * pair + i * 8][group] = float_of(s->b[i] << 16);
            b[2 * pair + i * 8 + 1][group] = float_of(s->b[i] & 0xffff0000u);
        }
    }
    multiply(operands, 16, a, b);
}

/* Tensor cores read the upper 19 bits of an operand. */
static float tf32_of(uint32_t bits)
{
    return float_of(bits & ~0x1fffu);
}

void sim_combine_tf32(void *const *operands, uint32_t arrived)
{
    float a[ROWS][DEEPEST], b[DEEPEST][COLS];
    need_all(arrived, "a product of tf32");
    for (int lane = 0; lane < SIM_WARP; lane++) {
        const struct sim_product *s = operands[lane];
        int group = lane / 4, pair = lane % 4;
        for (int i = 0; i < 4; i++)
            a[group + i % 2 * 8][pair + i / 2 * 4] = tf32_of(s->a[i]);
        for (int i = 0; i < 2; i++)
            b[pair + i * 4][group] = tf32_of(s->b[i]);
    }
    multiply(operands, 8, a, b);
}

void sim_combine_rows(void *const *operands, uint32_t arrived)
{
    const void *all[SIM_WARP];
    need_all(arrived, "a load of matrices");
    for (int lane = 0; lane < SIM_WARP; lane++)
        all[lane] = ((const struct sim_rows *)operands[lane])->mine;
    for (int lane = 0; lane < SIM_WARP; lane++)
        memcpy(((struct sim_rows *)operands[lane])->all, all, sizeof all);
}
