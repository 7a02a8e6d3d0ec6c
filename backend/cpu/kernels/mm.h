/* Small matrix products and transposes, without the cost of a call to BLAS: for one head's tile.
 * One thread. */
#ifndef BACKEND_CPU_KERNELS_MM_H
#define BACKEND_CPU_KERNELS_MM_H

#include "backend/cpu/kernels/kernel.h"

/* Element (i, k) of a lies at a[i * row + k * col]: a transpose is another pair of strides. */
struct strided {
    const real *x;
    int64_t row, col;
};

/* What a result begins with. */
struct start {
    const real *row;  /* the same n values in each row: a bias; or NULL for zeros */
    int add;          /* what c holds; no row or rest then */
    const real *rest; /* added to row: a matrix like c, also c itself; or NULL */
    int64_t ld;       /* of rest */
};
#define FROM_ZERO ((struct start){0})
#define FROM_C    ((struct start){.add = 1})

/* The same for what begins at (row, col) of c. */
static inline struct start start_at(struct start s, int64_t row, int64_t col)
{
    s.row = s.row ? s.row + col : NULL;
    s.rest = s.rest ? s.rest + row * s.ld + col : NULL;
    return s;
}

/* c (m,n) = start + a (m,k) b (k,n). b and c are row-major with leading dimensions ldb and ldc.
 * Each element is start + (sum over k in order), whatever m and n. */
void KERNEL(mm)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                int64_t n, int64_t k, struct start start);

/* The same for the products of a model, which a variant may compute with rounded operands; mm never
 * rounds. */
void KERNEL(mm_model)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                      int64_t n, int64_t k, struct start start);

/* Memory that is read soon, `rows` rows `step` bytes apart with `columns` lines of the cache each.
 * While the product runs it is asked for, a line a step of k, column after column; at and left move
 * on. */
struct ahead {
    const char *at;
    int64_t step, rows, columns;
    int64_t left;             /* rows of this column */
    const struct ahead *then; /* what follows; or NULL */
};
#define AHEAD_NOTHING ((struct ahead){0})
enum { AHEAD_LINE = 64 };

/* All rows of a matrix with `cols` columns. */
static inline struct ahead ahead_of(const real *x, int64_t ld, int64_t rows, int64_t cols)
{
    int64_t lines = (cols * (int64_t)sizeof(real) + AHEAD_LINE - 1) / AHEAD_LINE;
    if (ld == cols)
        return (struct ahead){(const char *)x, AHEAD_LINE, rows * lines, 1, rows * lines, NULL};
    return (struct ahead){(const char *)x, ld * (int64_t)sizeof(real), rows, lines, rows, NULL};
}
void KERNEL(mm_ahead)(real *c, int64_t ldc, struct strided a, const real *b, int64_t ldb, int64_t m,
                      int64_t n, int64_t k, struct start start, struct ahead *ahead);

/* to (cols, padded) = from (rows, cols) transposed; columns rows .. padded-1 are zero. */
void KERNEL(transpose)(real *to, int64_t ldt, int64_t padded, const real *from, int64_t ldf,
                       int64_t rows, int64_t cols);

#endif
