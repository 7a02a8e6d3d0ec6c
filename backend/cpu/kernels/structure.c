/* slice, pad, concat, repeat, swap: moves of contiguous rows. */
#include "backend/cpu/kernels/kernel.h"

/* Copies `rows` rows of `width` values between two matrices with the given leading dimensions. */
static void copy_rows(const struct kernel_call *c, real *y, int64_t ldy, const real *x, int64_t ldx,
                      int64_t rows, int64_t width)
{
    int64_t block = rows_a_block(width);
    KERNEL_FOR_BLOCKS(c, b, ceil_div(rows, block))
    {
        int64_t end = min_i64(rows, (b + 1) * block);
        for (int64_t r = b * block; r < end; r++)
            memcpy(y + r * ldy, x + r * ldx, sizeof(real) * (size_t)width);
    }
}

static void zero_rows(const struct kernel_call *c, real *y, int64_t ldy, int64_t rows,
                      int64_t width)
{
    int64_t block = rows_a_block(width);
    if (width == 0)
        return;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(rows, block))
    {
        int64_t end = min_i64(rows, (b + 1) * block);
        for (int64_t r = b * block; r < end; r++)
            memset(y + r * ldy, 0, sizeof(real) * (size_t)width);
    }
}

void KERNEL(slice)(const struct kernel_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    const real *x = c->in[0];
    copy_rows(c, c->out[0], r->b * v.inner, x + r->a * v.inner, v.size * v.inner, v.outer,
              r->b * v.inner);
}

void KERNEL(pad)(const struct kernel_call *c)
{
    const struct range_attr *r = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, r->axis, 1);
    int64_t width = v.size * v.inner, before = r->a * v.inner, after = r->b * v.inner;
    int64_t ldy = before + width + after;
    real *y = c->out[0];
    zero_rows(c, y, ldy, v.outer, before);
    copy_rows(c, y + before, ldy, c->in[0], width, v.outer, width);
    zero_rows(c, y + before + width, ldy, v.outer, after);
}

void KERNEL(concat)(const struct kernel_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view whole = axis_view(c->node->out[0]->shape, a->axis, 1);
    real *y = c->out[0];
    for (int i = 0; i < c->node->n_in; i++) {
        struct axis_view v = axis_view(c->node->in[i]->shape, a->axis, 1);
        int64_t width = v.size * v.inner;
        copy_rows(c, y, whole.size * whole.inner, c->in[i], width, v.outer, width);
        y += width;
    }
}

void KERNEL(repeat)(const struct kernel_call *c)
{
    const struct count_attr *a = c->node->attr;
    int64_t width = shape_count(c->node->in[0]->shape);
    copy_rows(c, c->out[0], width, c->in[0], 0, a->count, width);
}

void KERNEL(swap)(const struct kernel_call *c)
{
    const struct axis_attr *a = c->node->attr;
    struct axis_view v = axis_view(c->node->in[0]->shape, a->axis, 1);
    int64_t n = v.size, m = c->node->in[0]->shape.dim[a->axis + 1], inner = v.inner / m;
    int64_t rows = v.outer * m, block = rows_a_block(n * inner);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, ceil_div(rows, block))
    {
        for (int64_t r = i * block; r < min_i64(rows, (i + 1) * block); r++) {
            const real *from = x + r / m * n * m * inner + r % m * inner;
            for (int64_t k = 0; k < n; k++)
                memcpy(y + (r * n + k) * inner, from + k * m * inner, sizeof(real) * (size_t)inner);
        }
    }
}
