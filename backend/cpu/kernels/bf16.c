/* Products of variants compiled with KERNEL_BF16: operands rounded to bfloat16, sums in single
 * precision. Both operands are copied into order as pairs of bfloat16 neighbours in k, 32 bits a
 * pair (held as real): a panel of rows of a, then strip by strip of b. One instruction multiplies a
 * pair of a by the pairs of sixteen columns and adds both products to single-precision sums. */
#include "backend/cpu/kernels/product.h"

#ifdef KERNEL_BF16

#include <immintrin.h>

#include "backend/cpu/kernels/vector.h"

enum {
    ROWS = 8,
    STRIP = 32,
    PAIRS = 512,       /* of a slice of k, in a large product */
    PANEL = 256,       /* rows of a, in a large product: a panel stays in the second level cache */
    SMALL_PAIRS = 256, /* the same in a small product, whose room is on the stack */
    SMALL_ROOM = 16384,
    GAP =
        16 /* pairs between rows of a panel, so that rows do not fall on each other in the cache */
};

/* Where operands in order go. A panel holds as many rows as fit into panel_room. */
struct room {
    real *panel, *strip, *turned;
    int64_t panel_room, pairs;
};

/* A slice of an operand in order: pair p of row i lies at x[i * row + p * col]. */
struct panel {
    real *x;
    int64_t row, col;
};

static __mmask16 first(int64_t n)
{
    return (__mmask16)(n >= 16 ? 0xffff : n <= 0 ? 0 : (1u << n) - 1);
}

/* Words of two vectors of sixteen become pairs. */
static __m512i interleaved(__m512 even, __m512 odd)
{
    const __m512i order =
        _mm512_set_epi16(31, 15, 30, 14, 29, 13, 28, 12, 27, 11, 26, 10, 25, 9, 24, 8, 23, 7, 22, 6,
                         21, 5, 20, 4, 19, 3, 18, 2, 17, 1, 16, 0);
    return _mm512_permutexvar_epi16(order, (__m512i)_mm512_cvtne2ps_pbh(odd, even));
}

/* to (pairs, ldt): rows 2p and 2p+1 of from (depth, cols); columns up to `padded` and a row beyond
 * the last are zero. */
static void pairs_down(real *to, int64_t ldt, const real *from, int64_t ldf, int64_t depth,
                       int64_t cols, int64_t padded)
{
    for (int64_t k = 0; k < depth; k += 2)
        for (int64_t i = 0; i < padded; i += 16) {
            const real *at = from + k * ldf + i;
            __mmask16 in = first(cols - i);
            __m512 even = _mm512_maskz_loadu_ps(in, at);
            __m512 odd = _mm512_maskz_loadu_ps(k + 1 < depth ? in : 0, at + (k + 1 < depth) * ldf);
            _mm512_storeu_si512(to + k / 2 * ldt + i, interleaved(even, odd));
        }
}

/* to (rows, ldt): neighbours in each row of from (rows, depth), an odd last one with zero. */
static void pairs_along(real *to, int64_t ldt, const real *from, int64_t ldf, int64_t rows,
                        int64_t depth)
{
    for (int64_t r = 0; r < rows; r++)
        for (int64_t k = 0; k < depth; k += 32) {
            const real *at = from + r * ldf + k;
            int64_t left = depth - k;
            __m512 low = _mm512_maskz_loadu_ps(first(left), at);
            __m512 high = _mm512_maskz_loadu_ps(first(left - 16), at + 16 * (left > 16));
            _mm512_mask_storeu_epi32(to + r * ldt + k / 2, first((left + 1) / 2),
                                     (__m512i)_mm512_cvtne2ps_pbh(high, low));
        }
}

static struct panel panel_of(real *to, struct strided a, int64_t rows, int64_t depth)
{
    int64_t pairs = (depth + 1) / 2, wide = ceil_div(rows, 16) * 16;
    if (a.col == 1) {
        pairs_along(to, pairs + GAP, a.x, a.row, rows, depth);
        return (struct panel){to, pairs + GAP, 1};
    }
    pairs_down(to, wide, a.x, a.col, depth, rows, wide);
    return (struct panel){to, 1, wide};
}

/* Columns of b as pairs (pairs, STRIP). */
static void strip_of(const struct room *room, struct operand b, int64_t depth, int64_t width)
{
    int64_t pairs = (depth + 1) / 2;
    if (!b.transposed) {
        pairs_down(room->strip, STRIP, b.x, b.ld, depth, width, width > 16 ? STRIP : 16);
        return;
    }
    pairs_along(room->turned, pairs + GAP, b.x, b.ld, width, depth);
    KERNEL(transpose)(room->strip, STRIP, STRIP, room->turned, pairs + GAP, width, pairs);
}

struct product {
    real *c;
    int64_t ldc;
    struct panel a;
    const real *b;
    int64_t pairs, width;
    struct start start;
};

#define UNROLL KERNEL_PRAGMA(GCC unroll 8)

static ALWAYS_INLINE void tile(const struct product *p, int64_t i, const int rows,
                               const int vectors)
{
    __m512 sum[ROWS][2];
    const int64_t row = p->a.row, half = ROWS / 2;
    const real *low = p->a.x + i * row, *high = low + half * row, *b = p->b;
    UNROLL for (int r = 0; r < rows; r++)
    {
        sum[r][0] = sum[r][1] = _mm512_setzero_ps();
        __builtin_prefetch(p->c + (i + r) * p->ldc, 1);
        __builtin_prefetch(p->c + (i + r) * p->ldc + 16 * (vectors - 1), 1);
    }
    for (int64_t k = 0; k < p->pairs; k++, low += p->a.col, high += p->a.col, b += STRIP) {
        UNROLL for (int r = 0; r < rows; r++)
        {
            __m512bh a = (__m512bh)_mm512_set1_ps(r < half ? low[r * row] : high[(r - half) * row]);
            UNROLL for (int v = 0; v < vectors; v++)
            {
                sum[r][v] = _mm512_dpbf16_ps(sum[r][v], a, (__m512bh)_mm512_loadu_ps(b + 16 * v));
            }
        }
    }
    UNROLL for (int r = 0; r < rows; r++)
    {
        UNROLL for (int v = 0; v < vectors; v++)
        {
            __mmask16 in = first(p->width - 16 * v);
            real *at = p->c + (i + r) * p->ldc + 16 * v;
            if (p->start.add)
                sum[r][v] += _mm512_maskz_loadu_ps(in, at);
            else if (p->start.row)
                sum[r][v] += _mm512_maskz_loadu_ps(in, p->start.row + 16 * v);
            if (p->start.rest)
                sum[r][v] +=
                    _mm512_maskz_loadu_ps(in, p->start.rest + (i + r) * p->start.ld + 16 * v);
            _mm512_mask_storeu_ps(at, in, sum[r][v]);
        }
    }
}

static ALWAYS_INLINE void all_rows(const struct product *p, int64_t m, const int vectors)
{
    int64_t i = 0;
    for (; i + ROWS <= m; i += ROWS)
        tile(p, i, ROWS, vectors);
    for (; i + ROWS / 2 <= m; i += ROWS / 2)
        tile(p, i, ROWS / 2, vectors);
    for (; i < m; i++)
        tile(p, i, 1, vectors);
}

/* The rows of a panel by all columns of b, a slice of k deep. */
static void panel_product(const struct room *room, real *c, int64_t ldc, struct panel a,
                          struct operand b, int64_t m, int64_t n, int64_t depth, struct start start)
{
    for (int64_t j = 0; j < n; j += STRIP) {
        struct product p = {c + j,
                            ldc,
                            a,
                            room->strip,
                            (depth + 1) / 2,
                            min_i64(STRIP, n - j),
                            start_at(start, 0, j)};
        strip_of(room, b, depth, p.width);
        b.x += b.transposed ? STRIP * b.ld : STRIP;
        if (p.width > 16)
            all_rows(&p, m, 2);
        else
            all_rows(&p, m, 1);
    }
}

static void all_panels(const struct room *room, real *c, int64_t ldc, struct strided a,
                       struct operand b, int64_t m, int64_t n, int64_t k, struct start start)
{
    for (int64_t deep = 0; deep < k; deep += 2 * room->pairs) {
        int64_t depth = min_i64(2 * room->pairs, k - deep);
        int64_t rows = room->panel_room / ((depth + 1) / 2 + GAP) / 16 * 16;
        struct operand slice = b;
        slice.x += b.transposed ? deep : deep * b.ld;
        for (int64_t i = 0; i < m; i += rows) {
            int64_t count = min_i64(rows, m - i);
            struct strided part = {a.x + i * a.row + deep * a.col, a.row, a.col};
            panel_product(room, c + i * ldc, ldc, panel_of(room->panel, part, count, depth), slice,
                          count, n, depth, deep ? FROM_C : start_at(start, i, 0));
        }
    }
}

/* In reals: a panel, a strip, and a strip that is not turned yet. */
static int64_t strip_room(int64_t pairs)
{
    return STRIP * (pairs + GAP);
}

size_t KERNEL(product_work)(int64_t k)
{
    int64_t pairs = min_i64(PAIRS, (k + 1) / 2);
    return sizeof(real) * (size_t)(PANEL * (pairs + GAP) + 2 * strip_room(pairs));
}

void KERNEL(product)(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                     int64_t k, struct start start, void *work)
{
    int64_t pairs = min_i64(PAIRS, (k + 1) / 2), panel = PANEL * (pairs + GAP);
    real *x = work;
    struct room room = {x, x + panel, x + panel + strip_room(pairs), panel, pairs};
    struct strided rows =
        a.transposed ? (struct strided){a.x, 1, a.ld} : (struct strided){a.x, a.ld, 1};
    all_panels(&room, c, ldc, rows, b, m, n, k, start);
}

void KERNEL(mm_model)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                      int64_t n, int64_t k, struct start start)
{
    real panel[SMALL_ROOM], strip[STRIP * SMALL_PAIRS];
    struct room room = {panel, strip, NULL, SMALL_ROOM, SMALL_PAIRS};
    all_panels(&room, c, ldc, a, (struct operand){b, ldb, 0, 0}, m, n, k, start);
}

#endif
