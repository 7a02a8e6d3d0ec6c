/* Layer normalisation, forward and backward, a row at a time while it is in cache. */
#include "backend/cpu/kernels/math.h"

static void norm_row(real *y, real *mean, real *rstd, const real *x, const real *gamma,
                     const real *beta, int64_t n, real eps)
{
    real sum = 0, square = 0, share = 1 / (real)n;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += x[i];
    real m = sum * share;
#pragma omp simd reduction(+ : square)
    for (int64_t i = 0; i < n; i++)
        square += (x[i] - m) * (x[i] - m);
    real r = 1 / math_sqrt(square * share + eps);
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] = (x[i] - m) * r * gamma[i] + beta[i];
    *mean = m;
    *rstd = r;
}

void KERNEL(layer_norm)(const struct kernel_call *c)
{
    const struct eps_attr *a = c->node->attr;
    int64_t n = shape_last(c->node->in[0]->shape), count = shape_rows(c->node->in[0]->shape);
    int64_t rows = rows_a_block(n);
    const real *x = c->in[0], *gamma = c->in[1], *beta = c->in[2];
    real *y = c->out[0], *mean = c->out[1], *rstd = c->out[2];
    KERNEL_FOR_BLOCKS(c, b, ceil_div(count, rows))
    {
        for (int64_t r = b * rows; r < min_i64(count, (b + 1) * rows); r++)
            norm_row(y + r * n, mean + r, rstd + r, x + r * n, gamma, beta, n, (real)a->eps);
    }
}

/* ---- backward -------------------------------------------------------------------------------- */

/* Each block sums its own dgamma and dbeta; the sums of all blocks lie in scratch as rows [dgamma,
 * dbeta]. */
struct kernel_memory KERNEL(layer_norm_grad_memory)(const struct node *n)
{
    int64_t width = shape_last(n->in[1]->shape), rows = rows_a_block(width);
    size_t blocks = (size_t)ceil_div(shape_rows(n->in[1]->shape), rows);
    return (struct kernel_memory){.shared = 2 * blocks * (size_t)width * sizeof(real)};
}

/* dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma, xhat = (x - mean) rstd. */
static void norm_row_grad(real *dx, real *dgamma, real *dbeta, const real *dy, const real *x,
                          const real *gamma, real mean, real rstd, int64_t n)
{
    real sum = 0, dot = 0, share = 1 / (real)n;
#pragma omp simd reduction(+ : sum, dot)
    for (int64_t i = 0; i < n; i++) {
        real xhat = (x[i] - mean) * rstd, g = dy[i] * gamma[i];
        sum += g;
        dot += g * xhat;
        dgamma[i] += dy[i] * xhat;
        dbeta[i] += dy[i];
    }
    real shift = sum * share, slope = dot * share;
#pragma omp simd
    for (int64_t i = 0; i < n; i++) {
        real xhat = (x[i] - mean) * rstd;
        dx[i] = rstd * (dy[i] * gamma[i] - shift - xhat * slope);
    }
}

static void add_rows(real *y, const real *x, int64_t ld, int64_t rows, int64_t n)
{
    memcpy(y, x, sizeof(real) * (size_t)n);
    for (int64_t r = 1; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] += x[r * ld + i];
}

void KERNEL(layer_norm_grad)(const struct kernel_call *c)
{
    struct shape s = c->node->in[1]->shape;
    int64_t n = shape_last(s), count = shape_rows(s), rows = rows_a_block(n);
    int64_t blocks = ceil_div(count, rows);
    const real *dy = c->in[0], *x = c->in[1], *gamma = c->in[2], *mean = c->in[3], *rstd = c->in[4];
    real *dx = c->out[0], *parts = c->scratch;
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        real *part = parts + 2 * b * n;
        memset(part, 0, sizeof(real) * 2 * (size_t)n);
        for (int64_t r = b * rows; r < min_i64(count, (b + 1) * rows); r++)
            norm_row_grad(dx + r * n, part, part + n, dy + r * n, x + r * n, gamma, mean[r],
                          rstd[r], n);
    }
    add_rows(c->out[1], parts, 2 * n, blocks, n);
    add_rows(c->out[2], parts + n, 2 * n, blocks, n);
}
