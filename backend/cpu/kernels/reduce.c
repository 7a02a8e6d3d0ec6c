/* sum, max over axes; spread, the adjoint of sum. */
#include "backend/cpu/kernels/broadcast.h"

/* A sum over (outer, size, inner) is cut along size into pieces: few outer groups (a bias gradient
 * has one) would otherwise be few blocks. Pieces are summed into scratch and then combined in
 * order. */
struct sum_blocks {
    struct axis_view v;
    int64_t piece, pieces;
};

enum { GROUPS_ENOUGH = 16 };

static struct sum_blocks sum_blocks(const struct node *n)
{
    const struct reduce_attr *a = n->attr;
    struct sum_blocks k = {axis_view(n->in[0]->shape, a->first, a->count), 0, 1};
    k.piece = k.v.size;
    if (k.v.outer < GROUPS_ENOUGH)
        k.piece = min_i64(k.v.size, rows_a_block(k.v.inner));
    k.pieces = ceil_div(k.v.size, k.piece);
    return k;
}

struct kernel_memory KERNEL(sum_memory)(const struct node *n)
{
    struct sum_blocks k = sum_blocks(n);
    size_t parts = k.pieces > 1 ? (size_t)(k.v.outer * k.pieces * k.v.inner) : 0;
    return (struct kernel_memory){.shared = parts * sizeof(real)};
}

static real sum_run(const real *x, int64_t n)
{
    real s = 0;
#pragma omp simd reduction(+ : s)
    for (int64_t i = 0; i < n; i++)
        s += x[i];
    return s;
}

enum { STRIP = 64 }; /* columns summed in registers */

/* y[j] = scale * sum over rows of x[r][j], for `width` neighbouring columns. */
static void sum_columns(real *y, const real *x, int64_t rows, int64_t ld, int64_t width, real scale)
{
    int64_t j = 0;
    for (; j + STRIP <= width; j += STRIP) {
        real s[STRIP] = {0};
        for (int64_t r = 0; r < rows; r++)
#pragma omp simd
            for (int i = 0; i < STRIP; i++)
                s[i] += x[r * ld + j + i];
        for (int i = 0; i < STRIP; i++)
            y[j + i] = scale * s[i];
    }
    if (j == width)
        return;
    real s[STRIP] = {0};
    int64_t rest = width - j;
    for (int64_t r = 0; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < rest; i++)
            s[i] += x[r * ld + j + i];
    for (int64_t i = 0; i < rest; i++)
        y[j + i] = scale * s[i];
}

static void sum_piece(real *y, const real *x, int64_t rows, int64_t inner, real scale)
{
    if (inner == 1)
        *y = scale * sum_run(x, rows);
    else
        sum_columns(y, x, rows, inner, inner, scale);
}

void KERNEL(sum)(const struct kernel_call *c)
{
    const struct reduce_attr *a = c->node->attr;
    struct sum_blocks k = sum_blocks(c->node);
    const real *x = c->in[0];
    real *y = c->out[0], *parts = k.pieces > 1 ? c->scratch : y;
    real scale = (real)a->scale, part_scale = k.pieces > 1 ? 1 : scale;
    int64_t group = k.pieces == 1 ? rows_a_block(k.v.size * k.v.inner) : 1;
    int64_t blocks = ceil_div(k.v.outer * k.pieces, group);
    KERNEL_FOR_BLOCKS(c, b, blocks)
    {
        int64_t end = min_i64(k.v.outer * k.pieces, (b + 1) * group);
        for (int64_t i = b * group; i < end; i++) {
            int64_t first = i % k.pieces * k.piece;
            sum_piece(parts + i * k.v.inner, x + (i / k.pieces * k.v.size + first) * k.v.inner,
                      min_i64(k.piece, k.v.size - first), k.v.inner, part_scale);
        }
    }
    if (k.pieces == 1)
        return;
    for (int64_t o = 0; o < k.v.outer; o++)
        sum_columns(y + o * k.v.inner, parts + o * k.pieces * k.v.inner, k.pieces, k.v.inner,
                    k.v.inner, scale);
}

/* ---- max ------------------------------------------------------------------------------------- */

static real max_run(const real *x, int64_t n)
{
    real m = x[0];
#pragma omp simd reduction(max : m)
    for (int64_t i = 0; i < n; i++)
        m = x[i] > m ? x[i] : m;
    return m;
}

static void max_columns(real *y, const real *x, int64_t rows, int64_t inner)
{
    memcpy(y, x, sizeof(real) * (size_t)inner);
    for (int64_t r = 1; r < rows; r++)
#pragma omp simd
        for (int64_t i = 0; i < inner; i++)
            y[i] = x[r * inner + i] > y[i] ? x[r * inner + i] : y[i];
}

void KERNEL(max)(const struct kernel_call *c)
{
    const struct reduce_attr *a = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, a->first, a->count);
    const real *x = c->in[0];
    real *y = c->out[0];
    int64_t group = rows_a_block(v.size * v.inner);
    KERNEL_FOR_BLOCKS(c, b, ceil_div(v.outer, group))
    {
        int64_t end = min_i64(v.outer, (b + 1) * group);
        for (int64_t o = b * group; o < end; o++)
            if (v.inner == 1)
                y[o] = max_run(x + o * v.size, v.size);
            else
                max_columns(y + o * v.inner, x + o * v.size * v.inner, v.size, v.inner);
    }
}

/* ---- spread ---------------------------------------------------------------------------------- */

static void spread_row(real *y, const real *x, int64_t step, int64_t n, real scale)
{
    real value = scale * *x;
    if (step)
#pragma omp simd
        for (int64_t i = 0; i < n; i++)
            y[i] = scale * x[i];
    else
        for (int64_t i = 0; i < n; i++)
            y[i] = value;
}

void KERNEL(spread)(const struct kernel_call *c)
{
    const struct spread_attr *a = c->node->attr;
    struct broadcast l = KERNEL(broadcast)(a->shape, c->node->in[0]->shape, a->shape);
    struct broadcast_blocks k = broadcast_blocks(&l);
    const real *x = c->in[0];
    real *y = c->out[0], scale = (real)a->scale;
    KERNEL_FOR_BLOCKS(c, i, k.count)
    {
        int64_t first = i / k.pieces * k.rows, end = min_i64(l.rows, first + k.rows);
        int64_t start = i % k.pieces * k.piece, length = min_i64(k.piece, l.width - start);
        for (int64_t r = first; r < end; r++)
            spread_row(y + r * l.width + start, x + broadcast_start(&l, 0, r) + start * l.step[0],
                       l.step[0], length, scale);
    }
}
