/* softmax and its gradient, over the last axis or another. */
#include "backend/cpu/kernels/math.h"

/* ---- the last axis --------------------------------------------------------------------------- */

static void softmax_row(real *y, const real *x, int64_t n)
{
    real top = x[0], sum = 0;
#pragma omp simd reduction(max : top)
    for (int64_t i = 0; i < n; i++)
        top = x[i] > top ? x[i] : top;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++) {
        real e = math_exp(x[i] - top);
        y[i] = e;
        sum += e;
    }
    real share = 1 / sum;
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] *= share;
}

static void softmax_row_grad(real *dx, const real *y, const real *dy, int64_t n)
{
    real dot = 0;
#pragma omp simd reduction(+ : dot)
    for (int64_t i = 0; i < n; i++)
        dot += y[i] * dy[i];
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        dx[i] = y[i] * (dy[i] - dot);
}

/* ---- another axis: a strip of columns at a time ---------------------------------------------- */

enum { STRIP = 64 };

static void softmax_strip(real *y, const real *x, int64_t size, int64_t ld, int64_t width)
{
    real top[STRIP], sum[STRIP] = {0};
    memcpy(top, x, sizeof(real) * (size_t)width);
    for (int64_t r = 1; r < size; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            top[i] = x[r * ld + i] > top[i] ? x[r * ld + i] : top[i];
    for (int64_t r = 0; r < size; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++) {
            real e = math_exp(x[r * ld + i] - top[i]);
            y[r * ld + i] = e;
            sum[i] += e;
        }
    for (int64_t i = 0; i < width; i++)
        sum[i] = 1 / sum[i];
    for (int64_t r = 0; r < size; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            y[r * ld + i] *= sum[i];
}

static void softmax_strip_grad(real *dx, const real *y, const real *dy, int64_t size, int64_t ld,
                               int64_t width)
{
    real dot[STRIP] = {0};
    for (int64_t r = 0; r < size; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            dot[i] += y[r * ld + i] * dy[r * ld + i];
    for (int64_t r = 0; r < size; r++)
#pragma omp simd
        for (int64_t i = 0; i < width; i++)
            dx[r * ld + i] = y[r * ld + i] * (dy[r * ld + i] - dot[i]);
}

/* ---------------------------------------------------------------------------------------------- */

static struct axis_view view_of(const struct node *n)
{
    const struct axis_attr *a = n->attr;
    return axis_view(n->in[0]->shape, a->axis, 1);
}

void KERNEL(softmax)(const struct kernel_call *c)
{
    struct axis_view v = view_of(c->node);
    const real *x = c->in[0];
    real *y = c->out[0];
    int64_t strips = ceil_div(v.inner, STRIP), rows = rows_a_block(v.size);
    if (v.inner == 1) {
        KERNEL_FOR_BLOCKS(c, b, ceil_div(v.outer, rows))
        {
            for (int64_t r = b * rows; r < min_i64(v.outer, (b + 1) * rows); r++)
                softmax_row(y + r * v.size, x + r * v.size, v.size);
        }
        return;
    }
    KERNEL_FOR_BLOCKS(c, i, v.outer * strips)
    {
        int64_t col = i % strips * STRIP, start = i / strips * v.size * v.inner + col;
        softmax_strip(y + start, x + start, v.size, v.inner, min_i64(STRIP, v.inner - col));
    }
}

void KERNEL(softmax_grad)(const struct kernel_call *c)
{
    struct axis_view v = view_of(c->node);
    const real *y = c->in[0], *dy = c->in[1];
    real *dx = c->out[0];
    int64_t strips = ceil_div(v.inner, STRIP), rows = rows_a_block(v.size);
    if (v.inner == 1) {
        KERNEL_FOR_BLOCKS(c, b, ceil_div(v.outer, rows))
        {
            for (int64_t r = b * rows; r < min_i64(v.outer, (b + 1) * rows); r++)
                softmax_row_grad(dx + r * v.size, y + r * v.size, dy + r * v.size, v.size);
        }
        return;
    }
    KERNEL_FOR_BLOCKS(c, i, v.outer * strips)
    {
        int64_t col = i % strips * STRIP, start = i / strips * v.size * v.inner + col;
        softmax_strip_grad(dx + start, y + start, dy + start, v.size, v.inner,
                           min_i64(STRIP, v.inner - col));
    }
}
