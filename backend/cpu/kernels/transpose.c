/* Transposes: squares in registers where the variant has shuffles of two vectors; smaller squares,
 * then single elements, for what is left at the edges. */
#include "backend/cpu/kernels/mm.h"
#include "backend/cpu/kernels/vector.h"

#if VECTOR_BYTES >= 32
typedef int32_t vec_index __attribute__((vector_size(VECTOR_BYTES)));
typedef int32_t vec_half_index __attribute__((vector_size(VECTOR_BYTES / 2)));

#define UNROLL KERNEL_PRAGMA(GCC unroll 16)

/* swap_V: swaps the off-diagonal squares of size s within squares of size 2s, all over the matrix.
 */
#define DEFINE_SQUARE(V)                                                                           \
    static ALWAYS_INLINE void swap_##V(V *x, const int size, const int s)                          \
    {                                                                                              \
        V##_index low, high;                                                                       \
        for (int j = 0; j < size; j++) {                                                           \
            low[j] = j & s ? size + j - s : j;                                                     \
            high[j] = j & s ? size + j : j + s;                                                    \
        }                                                                                          \
        UNROLL for (int i = 0; i < size; i++)                                                      \
        {                                                                                          \
            if (i & s)                                                                             \
                continue;                                                                          \
            V a = x[i], b = x[i + s];                                                              \
            x[i] = __builtin_shuffle(a, b, low);                                                   \
            x[i + s] = __builtin_shuffle(a, b, high);                                              \
        }                                                                                          \
    }                                                                                              \
    static void square_##V(real *to, int64_t ldt, const real *from, int64_t ldf)                   \
    {                                                                                              \
        enum { SIZE = sizeof(V) / sizeof(real) };                                                  \
        V x[SIZE];                                                                                 \
        UNROLL for (int i = 0; i < SIZE; i++)                                                      \
        {                                                                                          \
            x[i] = *(const V *)(from + i * ldf);                                                   \
        }                                                                                          \
        swap_##V(x, SIZE, 1);                                                                      \
        swap_##V(x, SIZE, 2);                                                                      \
        if (SIZE > 4)                                                                              \
            swap_##V(x, SIZE, SIZE > 4 ? 4 : 1);                                                   \
        if (SIZE > 8)                                                                              \
            swap_##V(x, SIZE, SIZE > 8 ? 8 : 1);                                                   \
        UNROLL for (int i = 0; i < SIZE; i++)                                                      \
        {                                                                                          \
            *(V *)(to + i * ldt) = x[i];                                                           \
        }                                                                                          \
    }
#else
#define DEFINE_SQUARE(V)                                                                           \
    static void square_##V(real *to, int64_t ldt, const real *from, int64_t ldf)                   \
    {                                                                                              \
        enum { SIZE = sizeof(V) / sizeof(real) };                                                  \
        for (int i = 0; i < SIZE; i++)                                                             \
            for (int j = 0; j < SIZE; j++)                                                         \
                to[i * ldt + j] = from[j * ldf + i];                                               \
    }
#endif

DEFINE_SQUARE(vec)
DEFINE_SQUARE(vec_half)

void KERNEL(transpose)(real *to, int64_t ldt, int64_t padded, const real *from, int64_t ldf,
                       int64_t rows, int64_t cols)
{
    enum { HALF = LANES / 2 };
    int64_t rows_vec = rows / LANES * LANES, cols_vec = cols / LANES * LANES;
    int64_t rows_half = rows / HALF * HALF, cols_half = cols / HALF * HALF;
    for (int64_t i = 0; i < cols_vec; i += LANES)
        for (int64_t r = 0; r < rows_vec; r += LANES)
            square_vec(to + i * ldt + r, ldt, from + r * ldf + i, ldf);
    for (int64_t i = 0; i < cols_half; i += HALF)
        for (int64_t r = i < cols_vec ? rows_vec : 0; r < rows_half; r += HALF)
            square_vec_half(to + i * ldt + r, ldt, from + r * ldf + i, ldf);
    for (int64_t i = 0; i < cols; i++)
        for (int64_t r = i < cols_half ? rows_half : 0; r < padded; r++)
            to[i * ldt + r] = r < rows ? from[r * ldf + i] : 0;
}
