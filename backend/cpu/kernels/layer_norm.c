/* Layer normalisation, forward and backward, a few rows at a time while they are in cache: the sums
 * across one row wait for nothing of the others. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/vector.h"

enum { ROWS = 4, AHEAD = 8 /* rows that are fetched before their turn */ };

#define EACH_ROW KERNEL_PRAGMA(GCC unroll 4) for (int r = 0; r < rows; r++)

static vec *at(real *x)
{
    return (vec *)x;
}

static vec load(const real *x)
{
    return *(const vec *)x;
}

/* ---- forward --------------------------------------------------------------------------------- */

struct forward {
    const real *x, *gamma, *beta;
    real *y, *mean, *rstd;
    int64_t n;
    real eps;
};

/* Rows i .. i+rows-1; rows is a constant where this is inlined. */
static ALWAYS_INLINE void norm_rows(const struct forward *f, int64_t i, const int rows)
{
    int64_t n = f->n, whole = n / LANES * LANES;
    const real *x = f->x + i * n;
    real *y = f->y + i * n, mean[ROWS], rstd[ROWS], share = 1 / (real)n;
    vec sum[ROWS] = {0}, square[ROWS] = {0};
    for (int64_t j = 0; j < whole; j += LANES)
        EACH_ROW sum[r] += load(x + r * n + j);
    EACH_ROW
    {
        mean[r] = vec_sum(sum[r]);
        for (int64_t j = whole; j < n; j++)
            mean[r] += x[r * n + j];
        mean[r] *= share;
    }
    for (int64_t j = 0; j < whole; j += LANES)
        EACH_ROW
        {
            vec d = load(x + r * n + j) - mean[r];
            square[r] += d * d;
        }
    EACH_ROW
    {
        rstd[r] = vec_sum(square[r]);
        for (int64_t j = whole; j < n; j++)
            rstd[r] += (x[r * n + j] - mean[r]) * (x[r * n + j] - mean[r]);
        rstd[r] = 1 / math_sqrt(rstd[r] * share + f->eps);
        f->mean[i + r] = mean[r];
        f->rstd[i + r] = rstd[r];
    }
    for (int64_t j = 0; j < whole; j += LANES) {
        vec gamma = load(f->gamma + j), beta = load(f->beta + j);
        EACH_ROW *at(y + r * n + j) = (load(x + r * n + j) - mean[r]) * rstd[r] * gamma + beta;
    }
    EACH_ROW
    {
        for (int64_t j = whole; j < n; j++)
            y[r * n + j] = (x[r * n + j] - mean[r]) * rstd[r] * f->gamma[j] + f->beta[j];
    }
}

void KERNEL(layer_norm)(const struct kernel_call *c)
{
    const struct eps_attr *a = c->node->attr;
    int64_t n = shape_last(c->node->in[0]->shape), count = shape_rows(c->node->in[0]->shape);
    int64_t block = rows_a_block(n);
    struct forward f = {c->in[0],  c->in[1],  c->in[2], c->out[0],
                        c->out[1], c->out[2], n,        (real)a->eps};
    KERNEL_FOR_BLOCKS(c, b, ceil_div(count, block))
    {
        int64_t i = b * block, end = min_i64(count, i + block);
        for (; i + ROWS <= end; i += ROWS) {
            kernel_prefetch(f.x + (i + AHEAD) * n, ROWS * n * (int64_t)sizeof(real));
            kernel_prefetch_to_write(f.y + (i + AHEAD) * n, ROWS * n * (int64_t)sizeof(real));
            norm_rows(&f, i, ROWS);
        }
        for (; i < end; i++)
            norm_rows(&f, i, 1);
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

struct backward {
    const real *dy, *x, *gamma, *mean, *rstd;
    real *dx;
    int64_t n;
};

/* dx = rstd (g - mean(g) - xhat mean(g xhat)), g = dy gamma, xhat = (x - mean) rstd. */
static ALWAYS_INLINE void norm_rows_grad(const struct backward *f, real *dgamma, real *dbeta,
                                         int64_t i, const int rows)
{
    int64_t n = f->n, whole = n / LANES * LANES;
    const real *x = f->x + i * n, *dy = f->dy + i * n, *mean = f->mean + i, *rstd = f->rstd + i;
    real *dx = f->dx + i * n, shift[ROWS], slope[ROWS], share = 1 / (real)n;
    vec sum[ROWS] = {0}, dot[ROWS] = {0};
    for (int64_t j = 0; j < whole; j += LANES) {
        vec gamma = load(f->gamma + j), dg = load(dgamma + j), db = load(dbeta + j);
        EACH_ROW
        {
            vec xhat = (load(x + r * n + j) - mean[r]) * rstd[r], down = load(dy + r * n + j);
            vec g = down * gamma;
            sum[r] += g;
            dot[r] += g * xhat;
            dg += down * xhat;
            db += down;
        }
        *at(dgamma + j) = dg;
        *at(dbeta + j) = db;
    }
    EACH_ROW
    {
        shift[r] = vec_sum(sum[r]);
        slope[r] = vec_sum(dot[r]);
        for (int64_t j = whole; j < n; j++) {
            real xhat = (x[r * n + j] - mean[r]) * rstd[r], down = dy[r * n + j];
            shift[r] += down * f->gamma[j];
            slope[r] += down * f->gamma[j] * xhat;
            dgamma[j] += down * xhat;
            dbeta[j] += down;
        }
        shift[r] *= share;
        slope[r] *= share;
    }
    for (int64_t j = 0; j < whole; j += LANES) {
        vec gamma = load(f->gamma + j);
        EACH_ROW
        {
            vec xhat = (load(x + r * n + j) - mean[r]) * rstd[r];
            *at(dx + r * n + j) =
                rstd[r] * (load(dy + r * n + j) * gamma - shift[r] - xhat * slope[r]);
        }
    }
    EACH_ROW
    {
        for (int64_t j = whole; j < n; j++) {
            real xhat = (x[r * n + j] - mean[r]) * rstd[r];
            dx[r * n + j] = rstd[r] * (dy[r * n + j] * f->gamma[j] - shift[r] - xhat * slope[r]);
        }
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
    int64_t n = shape_last(s), count = shape_rows(s), block = rows_a_block(n);
    int64_t blocks = ceil_div(count, block);
    struct backward f = {c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], c->out[0], n};
    real *parts = c->scratch;
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        int64_t i = b * block, end = min_i64(count, i + block);
        real *dgamma = parts + 2 * b * n, *dbeta = dgamma + n;
        memset(dgamma, 0, sizeof(real) * 2 * (size_t)n);
        for (; i + ROWS <= end; i += ROWS) {
            kernel_prefetch(f.x + (i + AHEAD) * n, ROWS * n * (int64_t)sizeof(real));
            kernel_prefetch(f.dy + (i + AHEAD) * n, ROWS * n * (int64_t)sizeof(real));
            norm_rows_grad(&f, dgamma, dbeta, i, ROWS);
        }
        for (; i < end; i++)
            norm_rows_grad(&f, dgamma, dbeta, i, 1);
    }
    add_rows(c->out[1], parts, 2 * n, blocks, n);
    add_rows(c->out[2], parts + n, 2 * n, blocks, n);
}
