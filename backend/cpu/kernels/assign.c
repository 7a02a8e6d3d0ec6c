/* scatter_rows, scatter_max and gather_rows: tokens moved by an assignment vector. */
#include "backend/cpu/kernels/kernel.h"

enum { COLUMNS = 512 }; /* of a row that one block sums */

/* The axis and how many of its outer rows share one batch element's assignment. */
struct moves {
    struct axis_view in;
    int64_t out_size, group;
    const int32_t *assign; /* (B, length) */
    int64_t length;
};

static struct moves moves_of(const struct kernel_call *c)
{
    const struct node *n = c->node;
    const struct assign_attr *a = n->attr;
    struct moves m = {.in = axis_view(n->in[0]->shape, a->axis, 1),
                      .out_size = n->out[0]->shape.dim[a->axis],
                      .assign = c->in[1],
                      .length = n->in[1]->shape.dim[1]};
    m.group = m.in.outer / n->in[0]->shape.dim[0];
    return m;
}

static void add_row(real *y, const real *x, int64_t n)
{
#pragma omp simd
    for (int64_t i = 0; i < n; i++)
        y[i] += x[i];
}

/* Rows of one value: the axis is the last one. */
static void scatter_values(const struct kernel_call *c, const struct moves *m)
{
    int64_t block = rows_a_block(m->in.size);
    KERNEL_FOR_BLOCKS(c, b, ceil_div(m->in.outer, block))
    {
        for (int64_t r = b * block; r < min_i64(m->in.outer, (b + 1) * block); r++) {
            const int32_t *place = m->assign + r / m->group * m->length;
            const real *x = (const real *)c->in[0] + r * m->in.size;
            real *y = (real *)c->out[0] + r * m->out_size;
            memset(y, 0, sizeof(real) * (size_t)m->out_size);
            for (int64_t i = 0; i < m->in.size; i++)
                y[place[i]] += x[i];
        }
    }
}

static void gather_values(const struct kernel_call *c, const struct moves *m)
{
    int64_t block = rows_a_block(m->length);
    KERNEL_FOR_BLOCKS(c, b, ceil_div(m->in.outer, block))
    {
        for (int64_t r = b * block; r < min_i64(m->in.outer, (b + 1) * block); r++) {
            const int32_t *place = m->assign + r / m->group * m->length;
            const real *x = (const real *)c->in[0] + r * m->in.size;
            real *y = (real *)c->out[0] + r * m->length;
            for (int64_t i = 0; i < m->length; i++)
                y[i] = x[place[i]];
        }
    }
}

/* A block is one outer row and a range of columns, so a sum is made by one thread in the order of
 * the tokens. */
void KERNEL(scatter_rows)(const struct kernel_call *c)
{
    struct moves m = moves_of(c);
    if (m.in.inner == 1) {
        scatter_values(c, &m);
        return;
    }
    int64_t inner = m.in.inner, across = ceil_div(inner, COLUMNS);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, block, m.in.outer * across)
    {
        int64_t outer = block / across, col = block % across * COLUMNS;
        int64_t width = min_i64(COLUMNS, inner - col);
        const int32_t *place = m.assign + outer / m.group * m.length;
        const real *from = x + outer * m.in.size * inner + col;
        real *to = y + outer * m.out_size * inner + col;
        for (int64_t i = 0; i < m.out_size; i++)
            memset(to + i * inner, 0, sizeof(real) * (size_t)width);
        for (int64_t i = 0; i < m.in.size; i++)
            add_row(to + place[i] * inner, from + i * inner, width);
    }
}

/* One outer row, width columns of it. A place that holds the lowest value at the end has no row. */
static void largest_rows(const struct moves *m, const int32_t *place, const real *x, real *y,
                         int64_t width)
{
    const real lowest = (real)-3.4e38;
    int64_t inner = m->in.inner;
    for (int64_t i = 0; i < m->out_size; i++)
        for (int64_t k = 0; k < width; k++)
            y[i * inner + k] = lowest;
    for (int64_t i = 0; i < m->in.size; i++) {
        real *to = y + place[i] * inner;
        for (int64_t k = 0; k < width; k++)
            to[k] = x[i * inner + k] <= to[k] ? to[k] : x[i * inner + k];
    }
    for (int64_t i = 0; i < m->out_size; i++)
        for (int64_t k = 0; k < width; k++)
            y[i * inner + k] = y[i * inner + k] == lowest ? 0 : y[i * inner + k];
}

void KERNEL(scatter_max)(const struct kernel_call *c)
{
    struct moves m = moves_of(c);
    int64_t inner = m.in.inner, across = ceil_div(inner, COLUMNS);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, block, m.in.outer * across)
    {
        int64_t outer = block / across, col = block % across * COLUMNS;
        largest_rows(&m, m.assign + outer / m.group * m.length, x + outer * m.in.size * inner + col,
                     y + outer * m.out_size * inner + col, min_i64(COLUMNS, inner - col));
    }
}

void KERNEL(gather_rows)(const struct kernel_call *c)
{
    struct moves m = moves_of(c);
    if (m.in.inner == 1) {
        gather_values(c, &m);
        return;
    }
    int64_t inner = m.in.inner, rows = m.in.outer * m.length, block = rows_a_block(inner);
    const real *x = c->in[0];
    real *y = c->out[0];
    KERNEL_FOR_BLOCKS(c, b, ceil_div(rows, block))
    {
        for (int64_t r = b * block; r < min_i64(rows, (b + 1) * block); r++) {
            int64_t outer = r / m.length;
            int64_t from = m.assign[outer / m.group * m.length + r % m.length];
            memcpy(y + r * inner, x + (outer * m.in.size + from) * inner,
                   sizeof(real) * (size_t)inner);
        }
    }
}
