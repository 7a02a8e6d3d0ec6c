/* matmul: stacks of products, one for each batch element and head, or one large one. */
#include "backend/cpu/kernels/product.h"

struct kernel_memory KERNEL(matmul_memory)(const struct node *n)
{
    const struct matmul_attr *t = n->attr;
    struct matmul_size s = op_matmul_size(n);
    int one = n->out[0]->shape.rank == 2 && !t->trans_a;
    return (struct kernel_memory){.shared = one ? KERNEL(product_shared)(s.m, s.n, s.k) : 0,
                                  .thread = KERNEL(product_work)(s.k)};
}

/* The matrix of batch element 0 and head 0 in a tensor of rank 2, 3 or 4, and how far the others
 * are from it. */
struct stack {
    struct operand first;
    int64_t batch, head;
};

static struct stack stack_of(const void *x, struct shape s, int heads, int transposed)
{
    int64_t last = shape_last(s);
    struct stack k = {{x, last, transposed, 0}, 0, 0};
    if (s.rank == 3) {
        k.batch = s.dim[1] * last;
        k.head = last / heads;
    }
    if (s.rank == 4) {
        k.head = s.dim[2] * last;
        k.batch = s.dim[1] * k.head;
    }
    return k;
}

static struct operand member(struct stack s, int64_t b, int64_t h)
{
    s.first.x += b * s.batch + h * s.head;
    return s.first;
}

static void scale_rows(real *x, int64_t ld, int64_t rows, int64_t cols, real scale)
{
    for (int64_t r = 0; r < rows && scale != 1; r++)
#pragma omp simd
        for (int64_t i = 0; i < cols; i++)
            x[r * ld + i] *= scale;
}

static void scale_all(const struct kernel_call *c, real *x, int64_t count, real scale)
{
    if (scale == 1)
        return;
    KERNEL_FOR_BLOCKS(c, b, ceil_div(count, KERNEL_BLOCK))
    {
        scale_rows(x + b * KERNEL_BLOCK, 0, 1, min_i64(KERNEL_BLOCK, count - b * KERNEL_BLOCK),
                   scale);
    }
}

void KERNEL(matmul)(const struct kernel_call *c)
{
    const struct node *n = c->node;
    const struct matmul_attr *t = n->attr;
    struct matmul_size s = op_matmul_size(n);
    struct stack a = stack_of(c->in[0], n->in[0]->shape, t->heads, t->trans_a);
    struct stack b = stack_of(c->in[1], n->in[1]->shape, t->heads, t->trans_b);
    struct stack y = stack_of(c->out[0], n->out[0]->shape, t->heads, 0);
    real scale = (real)t->scale;
    if (n->out[0]->shape.rank == 2) {
        struct start start = {.rest = n->n_in == 3 ? c->in[2] : NULL, .ld = s.n};
        KERNEL(large_product)(c, c->out[0], a.first, b.first, s.m, s.n, s.k, start);
        scale_all(c, c->out[0], s.m * s.n, scale);
        return;
    }
    KERNEL_FOR_BLOCKS(c, i, s.batch * t->heads)
    {
        int64_t e = i / t->heads, h = i % t->heads;
        real *to = (real *)c->out[0] + e * y.batch + h * y.head;
        KERNEL(product)
        (to, y.first.ld, member(a, e, h), member(b, e, h), s.m, s.n, s.k, FROM_ZERO,
         kernel_work(c));
        scale_rows(to, y.first.ld, s.m, s.n, scale);
    }
}
