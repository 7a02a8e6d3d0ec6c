/* Products. Where the variant's registers are wide, our own: a strip of b, DEPTH x STRIP, is copied
 * into order (or read in place where its rows lie close together, or where it is ordered already)
 * and runs against all rows of a.
 * For these shapes that is faster than OpenBLAS, which copies both operands. The other variants
 * leave large products to OpenBLAS, which picks its kernel at run time. */
#include "backend/cpu/kernels/product.h"
#include "backend/cpu/kernels/vector.h"

#include <cblas.h>

enum {
    OWN_ALWAYS = VECTOR_BYTES >= 32,
    OWN_SMALL =
        16 * 16 * 16, /* multiply-adds up to which a call to BLAS costs more than it gives */
    STRIP = 32,       /* columns */
    DEPTH = 1024,
    DEPTH_TURNED = 512, /* where a is a transpose: each line of it serves two tiles */
    NEAR = 256,         /* leading dimension up to which strips of b are read in place */
    CACHED = 131072,    /* elements that stay in the second level of the cache */
    ROWS_LEAST = 96,    /* of a, for which packing a strip that is not turned pays */
};

/* Element (row, col). */
static struct operand at(struct operand x, int64_t row, int64_t col)
{
    x.x += x.transposed ? col * x.ld + row : row * x.ld + col;
    return x;
}

#ifndef KERNEL_BF16 /* that variant has its own: bf16.c */
void KERNEL(mm_model)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                      int64_t n, int64_t k, struct start start)
{
    KERNEL(mm)(c, ldc, a, b, ldb, m, n, k, start);
}

size_t KERNEL(product_work)(int64_t k)
{
    return sizeof(real) * (size_t)(STRIP * min_i64(k, DEPTH));
}

static struct strided strided(struct operand a)
{
    return a.transposed ? (struct strided){a.x, 1, a.ld} : (struct strided){a.x, a.ld, 1};
}

/* Whether a strip of b is packed first, for this many rows of a. */
static int packs(struct operand b, int64_t rows)
{
    return !b.ordered && (b.transposed || (b.ld > NEAR && rows >= ROWS_LEAST));
}

static int in_place(struct operand b, int64_t rows)
{
    return !b.ordered && !packs(b, rows);
}

/* A strip of b (depth, width), packed. */
static void pack(real *to, struct operand b, int64_t depth, int64_t width)
{
    if (b.transposed) {
        KERNEL(transpose)(to, width, width, b.x, b.ld, width, depth);
        return;
    }
    for (int64_t k = 0; k < depth; k++)
        memcpy(to + k * width, b.x + k * b.ld, sizeof(real) * (size_t)width);
}

/* The memory of rows first .. first+rows-1 of a matrix, if a block of `cols` columns reads most of
 * it. */
static struct ahead rows_ahead(const real *x, int64_t ld, int64_t first, int64_t rows, int64_t cols)
{
    if (rows <= 0 || ld > 2 * cols)
        return AHEAD_NOTHING;
    return ahead_of(x + first * ld, ld, rows, ld);
}

/* What is read for the first time soon: of b that is read in place, and of a where it is turned,
 * the rows of the next depth; else the rows of a that follow, if they all stay in cache. */
static void look_ahead(struct ahead f[2], struct operand a, struct operand b, int64_t m, int64_t n,
                       int64_t depth, int64_t left)
{
    int64_t next = min_i64(depth, left);
    f[0] = f[1] = AHEAD_NOTHING;
    if (in_place(b, m))
        f[0] = rows_ahead(b.x, b.ld, depth, next, n);
    if (a.transposed)
        f[1] = rows_ahead(a.x, a.ld, depth, next, m);
    else if (m * depth <= CACHED)
        f[1] = rows_ahead(a.x, a.ld, 8, m - 8, depth);
}

/* A strip of b: depths deep .. of columns j .. j+width-1. Those of an ordered b, of ld rows each,
 * lie one after the other. */
static struct operand strip_at(struct operand b, int64_t deep, int64_t j, int64_t width)
{
    if (b.ordered)
        return (struct operand){b.x + j * b.ld + deep * width, width, 0, 0};
    return at(b, deep, j);
}

/* The strip after that at column j, of n columns. */
static struct ahead strip_ahead(struct operand b, int64_t deep, int64_t depth, int64_t j, int64_t n)
{
    int64_t width = min_i64(STRIP, n - j - STRIP);
    if (width <= 0)
        return AHEAD_NOTHING;
    struct operand strip = strip_at(b, deep, j + STRIP, width);
    return strip.transposed ? ahead_of(strip.x, strip.ld, width, depth)
                            : ahead_of(strip.x, strip.ld, depth, width);
}

static void own(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                int64_t k, struct start start, real *work)
{
    int64_t most = a.transposed ? DEPTH_TURNED : DEPTH;
    for (int64_t deep = 0; deep < k; deep += most) {
        int64_t depth = min_i64(most, k - deep);
        struct operand slice = at(a, 0, deep);
        struct ahead next[2];
        look_ahead(next, slice, at(b, deep, 0), m, n, depth, k - deep - depth);
        for (int64_t j = 0; j < n; j += STRIP) {
            int64_t width = min_i64(STRIP, n - j);
            struct operand strip = strip_at(b, deep, j, width);
            struct start from = deep ? FROM_C : start_at(start, 0, j);
            if (packs(b, m)) {
                pack(work, strip, depth, width);
                strip = (struct operand){work, width, 0, 0};
            }
            if (!in_place(b, m))
                next[0] = strip_ahead(b, deep, depth, j, n);
            KERNEL(mm_ahead)
            (c + j, ldc, strided(slice), strip.x, strip.ld, m, width, depth, from,
             &next[next[1].left > 0]);
        }
    }
}

static enum CBLAS_TRANSPOSE trans(struct operand a)
{
    return a.transposed ? CblasTrans : CblasNoTrans;
}

/* Also where the row is that of rest. */
static void begin_row(real *c, struct start start, int64_t n)
{
    if (start.rest && start.rest != c)
        memcpy(c, start.rest, sizeof(real) * (size_t)n);
    if (start.row && !start.rest)
        memcpy(c, start.row, sizeof(real) * (size_t)n);
    for (int64_t i = 0; start.row && start.rest && i < n; i++)
        c[i] += start.row[i];
}

static void blas(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                 int64_t k, struct start start)
{
    int keep = start.add || start.row || start.rest;
    for (int64_t i = 0; !start.add && i < m; i++)
        begin_row(c + i * ldc, start_at(start, i, 0), n);
    if (sizeof(real) == sizeof(float))
        cblas_sgemm(CblasRowMajor, trans(a), trans(b), (blasint)m, (blasint)n, (blasint)k, 1,
                    (const void *)a.x, (blasint)a.ld, (const void *)b.x, (blasint)b.ld, (float)keep,
                    (void *)c, (blasint)ldc);
    else
        cblas_dgemm(CblasRowMajor, trans(a), trans(b), (blasint)m, (blasint)n, (blasint)k, 1,
                    (const void *)a.x, (blasint)a.ld, (const void *)b.x, (blasint)b.ld,
                    (double)keep, (void *)c, (blasint)ldc);
}

void KERNEL(product)(real *c, int64_t ldc, struct operand a, struct operand b, int64_t m, int64_t n,
                     int64_t k, struct start start, void *work)
{
    if (OWN_ALWAYS || m * n * k <= OWN_SMALL)
        own(c, ldc, a, b, m, n, k, start, work);
    else
        blas(c, ldc, a, b, m, n, k, start);
}
#endif

/* ---- the order of weights -------------------------------------------------------------------- */

enum { BLOCK_ROWS = 1024, SHARED_MOST = 1 << 20 /* elements */ };

size_t KERNEL(product_shared)(int64_t m, int64_t n, int64_t k)
{
    return m > BLOCK_ROWS && n * k <= SHARED_MOST ? sizeof(real) * (size_t)(n * k) : 0;
}

#if VECTOR_BYTES >= 32 && !defined(KERNEL_BF16)
static void order_weight(void *to, const void *w, int64_t rows, int64_t cols)
{
    struct operand b = {w, cols, 1, 0};
    for (int64_t j = 0; j < rows; j += STRIP)
        pack((real *)to + j * cols, at(b, 0, j), cols, min_i64(STRIP, rows - j));
}

static void restore_weight(void *w, const void *from, int64_t rows, int64_t cols)
{
    for (int64_t j = 0; j < rows; j += STRIP) {
        int64_t width = min_i64(STRIP, rows - j);
        KERNEL(transpose)
        ((real *)w + j * cols, cols, cols, (const real *)from + j * cols, width, cols, width);
    }
}

const struct kernel_order KERNEL(product_order) = {order_weight, restore_weight};

/* b for many rows of a: ordered by all threads in the memory that they share, where each block of
 * rows would pack it. */
static struct operand ordered(const struct kernel_call *call, struct operand b, int64_t n,
                              int64_t k)
{
    real *to = call->scratch;
    if (!packs(b, BLOCK_ROWS))
        return b;
    KERNEL_FOR_BLOCKS(call, i, ceil_div(n, STRIP))
    {
        pack(to + i * STRIP * k, at(b, 0, i * STRIP), k, min_i64(STRIP, n - i * STRIP));
    }
    return (struct operand){to, k, 1, 1};
}
#else
static struct operand ordered(const struct kernel_call *call, struct operand b, int64_t n,
                              int64_t k)
{
    (void)call, (void)n, (void)k;
    return b;
}

const struct kernel_order KERNEL(product_order) = {0};
#endif

/* ---- blocks ---------------------------------------------------------------------------------- */

enum {
    TALL = 512, /* rows of a thread's part */
    BLAS_COLS = 768,
    BLAS_COLS_LEAST = 192,
    BLOCKS_A_THREAD = 4,
    ENOUGH = 16
};

struct grid {
    int64_t rows, cols, down, across; /* of a block; how many */
};

static struct grid grid(int64_t m, int64_t n, int64_t rows, int64_t cols)
{
    return (struct grid){rows, cols, ceil_div(m, rows), ceil_div(n, cols)};
}

/* Ours add in the same order however the result is cut. Rows are cut first where each thread's part
 * stays in its cache, since all other kernels cut by rows: what a thread wrote it reads itself. So
 * they are where a part is tall enough to pay for packing all of b in every thread. OpenBLAS may
 * add in another order for another block: there the shape alone decides. */
static struct grid grid_of(int64_t m, int64_t n, int64_t k, int threads, int ordered)
{
    int64_t most = ordered ? max_i64(ROWS_LEAST, CACHED / min_i64(k, DEPTH)) : BLOCK_ROWS;
    int64_t down = ceil_div(m, most), part = m / threads;
    if (!OWN_ALWAYS)
        return grid(m, n, BLOCK_ROWS,
                    down * ceil_div(n, BLAS_COLS) < ENOUGH ? BLAS_COLS_LEAST : BLAS_COLS);
    if (part >= TALL || (part >= ROWS_LEAST && part * min_i64(n, k) <= CACHED))
        down = ceil_div(down, threads) * threads;
    int64_t pieces = down < threads ? ceil_div(BLOCKS_A_THREAD * threads, down) : 1;
    int64_t rows = ceil_div(ceil_div(m, down), 8) * 8; /* as even as can be */
    return grid(m, n, rows, ceil_div(ceil_div(n, pieces), STRIP) * STRIP);
}

void KERNEL(large_product)(const struct kernel_call *call, real *c, struct operand a,
                           struct operand b, int64_t m, int64_t n, int64_t k, struct start start)
{
    if (!a.transposed && KERNEL(product_shared)(m, n, k))
        b = ordered(call, b, n, k);
    struct grid g = grid_of(m, n, k, call->threads, b.ordered);
    KERNEL_FOR_BLOCKS(call, i, g.down * g.across)
    {
        int64_t row = i / g.across * g.rows, col = i % g.across * g.cols;
        KERNEL(product)
        (c + row * n + col, n, at(a, row, 0), at(b, 0, col), min_i64(g.rows, m - row),
         min_i64(g.cols, n - col), k, start_at(start, row, col), kernel_work(call));
    }
}
