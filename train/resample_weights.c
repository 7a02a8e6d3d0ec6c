#include "train/resample_weights.h"

#include "base/arena.h"
#include "base/error.h"
#include "base/memory.h"
#include "tensor/ops/mixing.h"

#include <stdlib.h>
#include <string.h>

/* LAPACK, which comes with OpenBLAS (its C header does not come with every package of it):
 * least-norm least squares by singular values. Matrices are column-major. */
void dgelsd_(const int *m, const int *n, const int *nrhs, double *a, const int *lda, double *b,
             const int *ldb, double *s, const double *rcond, int *rank, double *work,
             const int *lwork, int *iwork, int *info);

/* Below this part of the largest singular value one counts as zero. Those of resize operators are
 * between 0.1 and 10; a grid of one cell has one. */
#define RELATIVE_ZERO 1e-12

/* The dense one-dimensional resize, row-major (to, from). */
static double *resize_matrix(int64_t from, int64_t to)
{
    struct arena a = {0};
    const struct mixing *m = mixing_resize(&a, MIXING_BICUBIC_ANTIALIAS, from, to);
    double *dense = mem_zalloc((size_t)(to * from), sizeof *dense);
    for (int64_t i = 0; i < to; i++)
        for (int32_t k = m->start[i]; k < m->start[i + 1]; k++)
            dense[i * from + m->index[k]] = m->weight[k];
    arena_release(&a);
    return dense;
}

/* pinv(m^T) for m (rows, cols), row-major (rows, cols) like m. Read column-major, m's memory is
 * m^T (cols, rows), as LAPACK wants it; the solution of m^T x = 1 has rows rows. */
static double *pinv_transposed(const double *m, int64_t rows, int64_t cols)
{
    int r = (int)cols, c = (int)rows, most = r > c ? r : c, rank, info, lwork = -1;
    double rcond = RELATIVE_ZERO, size;
    int *iwork = mem_zalloc((size_t)most * 64 + 64, sizeof *iwork); /* 3 n levels + 11 n */
    double *a = mem_zalloc((size_t)(r * c), sizeof *a);
    double *x = mem_zalloc((size_t)most * (size_t)r, sizeof *x);
    double *s = mem_zalloc((size_t)most, sizeof *s);
    memcpy(a, m, sizeof *a * (size_t)(r * c));
    for (int i = 0; i < r; i++)
        x[(size_t)i * (size_t)most + (size_t)i] = 1;
    dgelsd_(&r, &c, &r, a, &r, x, &most, s, &rcond, &rank, &size, &lwork, iwork, &info);
    lwork = (int)size;
    double *work = mem_zalloc((size_t)lwork + 1, sizeof *work);
    dgelsd_(&r, &c, &r, a, &r, x, &most, s, &rcond, &rank, work, &lwork, iwork, &info);
    if (info)
        BUG("no pseudo-inverse of a %d x %d resize", c, r);
    double *p = mem_alloc(sizeof *p * (size_t)(r * c));
    for (int i = 0; i < c; i++)
        for (int k = 0; k < r; k++)
            p[(size_t)i * (size_t)r + (size_t)k] = x[(size_t)k * (size_t)most + (size_t)i];
    free(iwork);
    free(a);
    free(x);
    free(s);
    free(work);
    return p;
}

/* out (to, width) = p (to, from) in (from, width), the rows of in being step values apart and those
 * of out out_step. */
static void apply(const double *p, int64_t to, int64_t from, const double *in, int64_t step,
                  double *out, int64_t out_step, int64_t width)
{
    for (int64_t i = 0; i < to; i++) {
        double *row = out + i * out_step;
        memset(row, 0, sizeof *row * (size_t)width);
        for (int64_t k = 0; k < from; k++)
            for (int64_t j = 0; j < width; j++)
                row[j] += p[i * from + k] * in[k * step + j];
    }
}

/* Both axes of one grid of cells of width values; scratch has room for to * from * width. */
static void apply_both(const double *p, int64_t to, int64_t from, int64_t width, const double *in,
                       double *scratch, double *out)
{
    apply(p, to, from, in, from * width, scratch, from * width, from * width);
    for (int64_t i = 0; i < to; i++)
        apply(p, to, from, scratch + i * from * width, width, out + i * to * width, width, width);
}

void resample_kernels(enum resample_kernel how, const double *in, int64_t count, int64_t side,
                      double *out, int64_t out_side)
{
    double *p = resize_matrix(side, out_side);
    double *scratch = mem_alloc(sizeof *scratch * (size_t)(side * out_side));
    if (how == RESAMPLE_PINV) {
        double *inverse = pinv_transposed(p, out_side, side);
        free(p);
        p = inverse;
    }
    for (int64_t i = 0; i < count; i++)
        apply_both(p, out_side, side, 1, in + i * side * side, scratch,
                   out + i * out_side * out_side);
    free(p);
    free(scratch);
}

void resample_table(const double *in, int64_t side, int64_t width, double *out, int64_t out_side)
{
    double *p = resize_matrix(side, out_side);
    double *scratch = mem_alloc(sizeof *scratch * (size_t)(side * out_side * width));
    apply_both(p, out_side, side, width, in, scratch, out);
    free(p);
    free(scratch);
}
