/* Small products: a tile of c stays in registers while k runs; b is read a vector at a time and
 * elements of a are broadcast, so neither is copied. Columns that do not fill a vector are done
 * with narrower ones. */
#include "backend/cpu/kernels/mm.h"
#include "backend/cpu/kernels/vector.h"

#ifdef __AVX512F__
enum { ROWS = 8 }; /* 32 registers: 8 x 2 sums, 2 of b */
#else
enum { ROWS = 4 };
#endif

/* Depth from which it pays to ask for the lines of c before the sums are there. */
enum { FETCH_FROM = 8 };

struct product {
    real *c;
    int64_t ldc;
    struct strided a;
    const real *b;
    int64_t ldb, k;
    struct start start;
    struct ahead *ahead;
};

#define UNROLL KERNEL_PRAGMA(GCC unroll 8)

/* After so many lines were asked for. */
static inline void move_on(struct ahead *a, int64_t lines)
{
    if (a->left <= 0)
        return;
    a->at += lines * a->step;
    a->left -= lines;
    if (a->left > 0)
        return;
    if (--a->columns > 0) {
        a->at += (a->left - a->rows) * a->step + AHEAD_LINE;
        a->left = a->rows;
    } else if (a->then) {
        *a = *a->then;
    }
}

/* tile_V: rows x vectors sums of type V; rows and vectors are constants where it is inlined.
 * rows_V: all rows of `vectors` columns from j on. */
#define DEFINE_TILE(V)                                                                             \
    static ALWAYS_INLINE void tile_##V(const struct product *p, int64_t i, int64_t j,              \
                                       const int rows, const int vectors)                          \
    {                                                                                              \
        enum { WIDTH = sizeof(V) / sizeof(real) };                                                 \
        const char *ahead = p->ahead->at;                                                          \
        const int64_t ahead_step = p->ahead->left > 0 ? p->ahead->step : 0;                        \
        V sum[ROWS][2] = {0};                                                                      \
        if (p->k >= FETCH_FROM)                                                                    \
            UNROLL for (int r = 0; r < rows; r++)                                                  \
            {                                                                                      \
                __builtin_prefetch(p->c + (i + r) * p->ldc + j, 1);                                \
                if (vectors * sizeof(V) > 64)                                                      \
                    __builtin_prefetch(p->c + (i + r) * p->ldc + j + WIDTH, 1);                    \
                if (p->start.rest)                                                                 \
                    kernel_prefetch(p->start.rest + (i + r) * p->start.ld + j,                     \
                                    vectors * (int64_t)sizeof(V));                                 \
            }                                                                                      \
        const int64_t row = p->a.row, half = ROWS / 2;                                             \
        const real *low = p->a.x + i * row, *high = low + half * row, *b = p->b + j;               \
        for (int64_t k = 0; k < p->k; k++, low += p->a.col, high += p->a.col, b += p->ldb) {       \
            __builtin_prefetch(ahead, 0, 2);                                                       \
            ahead += ahead_step;                                                                   \
            UNROLL for (int r = 0; r < rows; r++)                                                  \
            {                                                                                      \
                UNROLL for (int v = 0; v < vectors; v++)                                           \
                {                                                                                  \
                    real a = r < half ? low[r * row] : high[(r - half) * row];                     \
                    sum[r][v] += a * *(const V *)(b + v * WIDTH);                                  \
                }                                                                                  \
            }                                                                                      \
        }                                                                                          \
        move_on(p->ahead, p->k);                                                                   \
        UNROLL for (int r = 0; r < rows; r++)                                                      \
        {                                                                                          \
            UNROLL for (int v = 0; v < vectors; v++)                                               \
            {                                                                                      \
                V *at = (V *)(p->c + (i + r) * p->ldc + j + v * WIDTH);                            \
                if (p->start.add)                                                                  \
                    sum[r][v] += *at;                                                              \
                else if (p->start.row)                                                             \
                    sum[r][v] += *(const V *)(p->start.row + j + v * WIDTH);                       \
                if (p->start.rest)                                                                 \
                    sum[r][v] +=                                                                   \
                        *(const V *)(p->start.rest + (i + r) * p->start.ld + j + v * WIDTH);       \
                *at = sum[r][v];                                                                   \
            }                                                                                      \
        }                                                                                          \
    }                                                                                              \
    static ALWAYS_INLINE void rows_##V(const struct product *p, int64_t m, int64_t j,              \
                                       const int vectors)                                          \
    {                                                                                              \
        int64_t i = 0;                                                                             \
        for (; i + ROWS <= m; i += ROWS)                                                           \
            tile_##V(p, i, j, ROWS, vectors);                                                      \
        for (; i + ROWS / 2 <= m; i += ROWS / 2)                                                   \
            tile_##V(p, i, j, ROWS / 2, vectors);                                                  \
        for (; i < m; i++)                                                                         \
            tile_##V(p, i, j, 1, vectors);                                                         \
    }

typedef real vec_one;

DEFINE_TILE(vec)
DEFINE_TILE(vec_half)
DEFINE_TILE(vec_one)

void KERNEL(mm_ahead)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                      int64_t n, int64_t k, struct start start, struct ahead *ahead)
{
    struct product p = {c, ldc, a, b, ldb, k, start, ahead};
    int64_t j = 0;
    for (; j + 2 * LANES <= n; j += 2 * LANES)
        rows_vec(&p, m, j, 2);
    for (; j + LANES <= n; j += LANES)
        rows_vec(&p, m, j, 1);
    for (; j + LANES / 2 <= n; j += LANES / 2)
        rows_vec_half(&p, m, j, 1);
    for (; j < n; j++)
        rows_vec_one(&p, m, j, 1);
}

void KERNEL(mm)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                int64_t n, int64_t k, struct start start)
{
    struct ahead nothing = AHEAD_NOTHING;
    KERNEL(mm_ahead)(c, ldc, a, b, ldb, m, n, k, start, &nothing);
}
