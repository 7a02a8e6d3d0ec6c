/* Vectors of the widest registers of the variant, as GCC vector types: loads and stores need no
 * alignment. */
#ifndef BACKEND_CPU_KERNELS_VECTOR_H
#define BACKEND_CPU_KERNELS_VECTOR_H

#include "backend/cpu/kernels/kernel.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16
#endif

enum { LANES = VECTOR_BYTES / sizeof(real) };

#define VECTOR_TYPE(bytes) __attribute__((vector_size(bytes), aligned(sizeof(real)), may_alias))

typedef real vec VECTOR_TYPE(VECTOR_BYTES);
typedef real vec_half VECTOR_TYPE(VECTOR_BYTES / 2);

#define ALWAYS_INLINE inline __attribute__((always_inline))

/* The sum of all lanes, by halves. */
static ALWAYS_INLINE real vec_sum(vec x)
{
    enum { HALF = LANES / 2 };
    const vec_half *part = (const vec_half *)&x;
    vec_half y = part[0] + part[1];
    for (int n = HALF; n > 1; n /= 2)
        for (int i = 0; i < n / 2; i++)
            y[i] += y[i + n / 2];
    return y[0];
}

#endif
