/* Layer normalisation, alone and of a sum, forward and backward. Forward runs row after row: memory
 * is read and written in the order that the processor foresees, three times as fast as four rows
 * side by side where rows come from afar. Backward takes two rows at a time, so that the sums
 * across one row wait for nothing of the others and those down the columns stay in registers. */
#include "backend/cpu/kernels/math.h"
#include "backend/cpu/kernels/vector.h"

enum { ROWS = 2, AHEAD = 8 /* rows that are fetched before their turn */ };

/* x rounded before something is added to it, as if it had been stored: a fused sum has the bits of
 * one that is made apart. */
#if defined(__has_builtin) && __has_builtin(__builtin_assoc_barrier)
#define ROUNDED(x) __builtin_assoc_barrier(x)
#else
#define ROUNDED(x) (x)
#endif

#define EACH_ROW KERNEL_PRAGMA(GCC unroll 2) for (int r = 0; r < rows; r++)

static vec *at(real *x)
{
    return (vec *)x;
}

static vec load(const real *x)
{
    return *(const vec *)x;
}

/* ---- forward --------------------------------------------------------------------------------- */

/* x is what is normalised: a + b, written there first, or given where b is NULL. */
struct forward {
    const real *a, *b, *gamma, *beta;
    real *x, *y, *mean, *rstd;
    int64_t n;
    real eps;
};

static ALWAYS_INLINE void add_row_up(const struct forward *f, int64_t i)
{
    int64_t n = f->n, whole = n / LANES * LANES;
    const real *a = f->a + i * n, *b = f->b + i * n;
    real *x = f->x + i * n;
    for (int64_t j = 0; j < whole; j += LANES)
        *at(x + j) = load(a + j) + load(b + j);
    for (int64_t j = whole; j < n; j++)
        x[j] = a[j] + b[j];
}

static ALWAYS_INLINE void norm_row(const struct forward *f, int64_t i)
{
    int64_t n = f->n, whole = n / LANES * LANES;
    const real *x = f->x + i * n;
    if (f->b)
        add_row_up(f, i);
    real *y = f->y + i * n, share = 1 / (real)n;
    vec sum = {0}, square = {0};
    for (int64_t j = 0; j < whole; j += LANES)
        sum += load(x + j);
    real mean = vec_sum(sum);
    for (int64_t j = whole; j < n; j++)
        mean += x[j];
    mean *= share;
    for (int64_t j = 0; j < whole; j += LANES) {
        vec d = load(x + j) - mean;
        square += d * d;
    }
    real rstd = vec_sum(square);
    for (int64_t j = whole; j < n; j++)
        rstd += (x[j] - mean) * (x[j] - mean);
    rstd = 1 / math_sqrt(rstd * share + f->eps);
    f->mean[i] = mean;
    f->rstd[i] = rstd;
    for (int64_t j = 0; j < whole; j += LANES)
        *at(y + j) = (load(x + j) - mean) * rstd * load(f->gamma + j) + load(f->beta + j);
    for (int64_t j = whole; j < n; j++)
        y[j] = (x[j] - mean) * rstd * f->gamma[j] + f->beta[j];
}

static void norm_all(const struct kernel_call *c, const struct forward *f)
{
    int64_t count = shape_rows(c->node->in[0]->shape), block = rows_a_block(f->n);
    KERNEL_FOR_BLOCKS(c, b, ceil_div(count, block))
    {
        for (int64_t i = b * block; i < min_i64(count, (b + 1) * block); i++)
            norm_row(f, i);
    }
}

void KERNEL(layer_norm)(const struct kernel_call *c)
{
    const struct eps_attr *a = c->node->attr;
    norm_all(c, &(struct forward){
                    .a = c->in[0],
                    .gamma = c->in[1],
                    .beta = c->in[2],
                    .x = c->in[0],
                    .y = c->out[0],
                    .mean = c->out[1],
                    .rstd = c->out[2],
                    .n = shape_last(c->node->in[0]->shape),
                    .eps = (real)a->eps,
                });
}

void KERNEL(add_layer_norm)(const struct kernel_call *c)
{
    const struct eps_attr *a = c->node->attr;
    norm_all(c, &(struct forward){
                    .a = c->in[0],
                    .b = c->in[1],
                    .gamma = c->in[2],
                    .beta = c->in[3],
                    .x = c->out[0],
                    .y = c->out[1],
                    .mean = c->out[2],
                    .rstd = c->out[3],
                    .n = shape_last(c->node->in[0]->shape),
                    .eps = (real)a->eps,
                });
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
    const real *more; /* added to dx; or NULL */
    real *dx;
    int64_t n;
};

/* dx = rstd (g - mean(g) - xhat mean(g xhat)) + more, g = dy gamma, xhat = (x - mean) rstd. */
static ALWAYS_INLINE void norm_rows_grad(const struct backward *f, real *dgamma, real *dbeta,
                                         int64_t i, const int rows, const int adds)
{
    int64_t n = f->n, whole = n / LANES * LANES;
    const real *x = f->x + i * n, *dy = f->dy + i * n, *mean = f->mean + i, *rstd = f->rstd + i;
    const real *more = adds ? f->more + i * n : NULL;
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
            vec d = rstd[r] * (load(dy + r * n + j) * gamma - shift[r] - xhat * slope[r]);
            if (adds)
                d = ROUNDED(d) + load(more + r * n + j);
            *at(dx + r * n + j) = d;
        }
    }
    EACH_ROW
    {
        for (int64_t j = whole; j < n; j++) {
            real xhat = (x[r * n + j] - mean[r]) * rstd[r];
            real d = rstd[r] * (dy[r * n + j] * f->gamma[j] - shift[r] - xhat * slope[r]);
            dx[r * n + j] = adds ? ROUNDED(d) + more[r * n + j] : d;
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

static ALWAYS_INLINE void norm_block_grad(const struct backward *f, real *dgamma, real *dbeta,
                                          int64_t i, int64_t end, const int adds)
{
    int64_t n = f->n, bytes = ROWS * n * (int64_t)sizeof(real);
    for (; i + ROWS <= end; i += ROWS) {
        kernel_prefetch(f->x + (i + AHEAD) * n, bytes);
        kernel_prefetch(f->dy + (i + AHEAD) * n, bytes);
        if (adds)
            kernel_prefetch(f->more + (i + AHEAD) * n, bytes);
        norm_rows_grad(f, dgamma, dbeta, i, ROWS, adds);
    }
    for (; i < end; i++)
        norm_rows_grad(f, dgamma, dbeta, i, 1, adds);
}

void KERNEL(layer_norm_grad)(const struct kernel_call *c)
{
    struct shape s = c->node->in[1]->shape;
    int64_t n = shape_last(s), count = shape_rows(s), block = rows_a_block(n);
    int64_t blocks = ceil_div(count, block);
    const real *more = c->node->n_in == 6 ? c->in[5] : NULL;
    struct backward f = {c->in[0], c->in[1], c->in[2], c->in[3], c->in[4], more, c->out[0], n};
    real *parts = c->scratch;
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        int64_t i = b * block, end = min_i64(count, i + block);
        real *dgamma = parts + 2 * b * n, *dbeta = dgamma + n;
        memset(dgamma, 0, sizeof(real) * 2 * (size_t)n);
        if (more)
            norm_block_grad(&f, dgamma, dbeta, i, end, 1);
        else
            norm_block_grad(&f, dgamma, dbeta, i, end, 0);
    }
    add_rows(c->out[1], parts, 2 * n, blocks, n);
    add_rows(c->out[2], parts + n, 2 * n, blocks, n);
}
