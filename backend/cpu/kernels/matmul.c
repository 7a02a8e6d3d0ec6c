/* matmul: stacks of small products, or one large one. */
#include "backend/cpu/kernels/product.h"

/* ---- one large product ----------------------------------------------------------------------- */

/* c (m,n) is cut into blocks. Where that leaves few, as for a weight's gradient (small, from very
 * many rows), the depth k is cut as well: each piece has a result of its own in scratch, and these
 * are added in order. */
enum { BLOCK_ROWS = 512, BLOCK_COLS = 768, BLOCK_DEPTH = 1024, BLOCKS_ENOUGH = 4 };

struct cut {
    struct matmul_size s;
    int64_t rows, cols, depth;    /* of a block */
    int64_t down, across, pieces; /* how many */
};

static struct cut cut(const struct node *n)
{
    struct cut k = {op_matmul_size(n), BLOCK_ROWS, BLOCK_COLS, 0, 0, 0, 1};
    k.down = ceil_div(k.s.m, k.rows);
    k.across = ceil_div(k.s.n, k.cols);
    if (k.down * k.across < BLOCKS_ENOUGH)
        k.pieces = ceil_div(k.s.k, BLOCK_DEPTH);
    k.depth = ceil_div(k.s.k, k.pieces);
    return k;
}

static int is_flat(const struct node *n)
{
    return n->out[0]->shape.rank == 2;
}

struct kernel_memory KERNEL(matmul_memory)(const struct node *n)
{
    if (!is_flat(n))
        return (struct kernel_memory){0};
    struct cut k = cut(n);
    size_t parts = k.pieces > 1 ? (size_t)(k.pieces * k.s.m * k.s.n) : 0;
    return (struct kernel_memory){.shared = parts * sizeof(real)};
}

/* Element (row, col) of op(x). */
static struct operand at(struct operand x, int64_t row, int64_t col)
{
    x.x += x.transposed ? col * x.ld + row : row * x.ld + col;
    return x;
}

static void add_pieces(const struct kernel_call *c, real *y, const real *parts, int64_t count,
                       int64_t pieces)
{
    KERNEL_FOR_BLOCKS(c, b, ceil_div(count, KERNEL_BLOCK))
    {
        int64_t start = b * KERNEL_BLOCK, length = min_i64(KERNEL_BLOCK, count - start);
        real *to = y + start;
        memcpy(to, parts + start, sizeof(real) * (size_t)length);
        for (int64_t p = 1; p < pieces; p++) {
            const real *from = parts + p * count + start;
#pragma omp simd
            for (int64_t i = 0; i < length; i++)
                to[i] += from[i];
        }
    }
}

static void flat(const struct kernel_call *c)
{
    const struct matmul_attr *a = c->node->attr;
    struct cut k = cut(c->node);
    struct operand x = {c->in[0], shape_last(c->node->in[0]->shape), a->trans_a};
    struct operand w = {c->in[1], shape_last(c->node->in[1]->shape), a->trans_b};
    real *parts = k.pieces > 1 ? c->scratch : c->out[0];
    int64_t blocks = k.down * k.across, count = k.s.m * k.s.n;
    KERNEL_FOR_BLOCKS(c, i, blocks * k.pieces)
    {
        int64_t piece = i / blocks, row = i % blocks / k.across * k.rows;
        int64_t col = i % k.across * k.cols, deep = piece * k.depth;
        KERNEL(product)
        (parts + piece * count + row * k.s.n + col, k.s.n, at(x, row, deep), at(w, deep, col),
         min_i64(k.rows, k.s.m - row), min_i64(k.cols, k.s.n - col), min_i64(k.depth, k.s.k - deep),
         (real)a->scale, 0);
    }
    if (k.pieces > 1)
        add_pieces(c, c->out[0], parts, count, k.pieces);
}

/* ---- stacks ---------------------------------------------------------------------------------- */

/* Where the matrix of batch element b and head h lies in a tensor of rank 3 or 4. */
struct stack {
    int64_t batch, head, ld;
};

static struct stack stack_of(struct shape s, int heads)
{
    if (s.rank == 3)
        return (struct stack){s.dim[1] * s.dim[2], s.dim[2] / heads, s.dim[2]};
    return (struct stack){s.dim[1] * s.dim[2] * s.dim[3], s.dim[2] * s.dim[3], s.dim[3]};
}

static void stacked(const struct kernel_call *c)
{
    const struct matmul_attr *t = c->node->attr;
    struct matmul_size s = op_matmul_size(c->node);
    struct stack a = stack_of(c->node->in[0]->shape, t->heads);
    struct stack b = stack_of(c->node->in[1]->shape, t->heads);
    struct stack y = stack_of(c->node->out[0]->shape, t->heads);
    const real *from_a = c->in[0], *from_b = c->in[1];
    real *to = c->out[0];
    KERNEL_FOR_BLOCKS(c, i, s.batch * t->heads)
    {
        int64_t e = i / t->heads, h = i % t->heads;
        KERNEL(product)
        (to + e * y.batch + h * y.head, y.ld,
         (struct operand){from_a + e * a.batch + h * a.head, a.ld, t->trans_a},
         (struct operand){from_b + e * b.batch + h * b.head, b.ld, t->trans_b}, s.m, s.n, s.k,
         (real)t->scale, 0);
    }
}

void KERNEL(matmul)(const struct kernel_call *c)
{
    if (is_flat(c->node))
        flat(c);
    else
        stacked(c);
}
