/* bf16 in the emulated libraries: widened exactly, rounded to nearest even, every NaN the same. */
#ifndef BACKEND_SIM_BF16_H
#define BACKEND_SIM_BF16_H

#include <stdint.h>
#include <string.h>

typedef uint16_t bf16;

static inline float widen(bf16 bits)
{
    uint32_t u = (uint32_t)bits << 16;
    float x;
    memcpy(&x, &u, sizeof x);
    return x;
}

static inline bf16 narrow(float x)
{
    uint32_t u;
    memcpy(&u, &x, sizeof u);
    return x != x ? 0x7fff : (bf16)((u + 0x7fffu + (u >> 16 & 1u)) >> 16);
}

#endif
