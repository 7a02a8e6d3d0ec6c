/* linear: y = x w^T + b. */
#include "backend/cpu/kernels/product.h"

/* The result is cut into blocks, one product each: large enough that packing costs little, small
 * enough that the bias a block begins with is still in cache when the product is added to it. */
enum { BLOCK_ROWS = 512, BLOCK_COLS = 768 };

static void fill_rows(real *y, int64_t ld, const real *row, int64_t rows, int64_t cols)
{
    for (int64_t r = 0; r < rows; r++)
        memcpy(y + r * ld, row, sizeof(real) * (size_t)cols);
}

void KERNEL(linear)(const struct kernel_call *c)
{
    const struct node *n = c->node;
    int64_t rows = shape_rows(n->in[0]->shape), in = shape_last(n->in[0]->shape);
    int64_t out = shape_last(n->out[0]->shape);
    const real *x = c->in[0], *w = c->in[1], *bias = n->n_in == 3 ? c->in[2] : NULL;
    real *y = c->out[0];
    int64_t across = ceil_div(out, BLOCK_COLS), down = ceil_div(rows, BLOCK_ROWS);
    KERNEL_FOR_BLOCKS(c, i, across * down)
    {
        int64_t row = i / across * BLOCK_ROWS, col = i % across * BLOCK_COLS;
        int64_t height = min_i64(BLOCK_ROWS, rows - row), width = min_i64(BLOCK_COLS, out - col);
        real *block = y + row * out + col;
        if (bias)
            fill_rows(block, out, bias + col, height, width);
        KERNEL(product)
        (block, out, (struct operand){x + row * in, in, 0}, (struct operand){w + col * in, in, 1},
         height, width, in, 1, bias != NULL);
    }
}
