/* linear: y = x w^T + b, and the same plus a residual. */
#include "backend/cpu/kernels/product.h"

/* x is input `first`. */
static struct kernel_memory memory_of(const struct node *n, int first)
{
    struct shape s = n->in[first]->shape;
    int64_t in = shape_last(s), out = shape_last(n->out[0]->shape);
    return (struct kernel_memory){.shared = KERNEL(product_shared)(shape_rows(s), out, in),
                                  .thread = KERNEL(product_work)(in)};
}

struct kernel_memory KERNEL(linear_memory)(const struct node *n)
{
    return memory_of(n, 0);
}

struct kernel_memory KERNEL(linear_add_memory)(const struct node *n)
{
    return memory_of(n, 1);
}

/* x, w and perhaps b are the inputs from first on. */
static void product_of(const struct kernel_call *c, int first, const real *rest)
{
    const struct node *n = c->node;
    struct shape s = n->in[first]->shape;
    int64_t in = shape_last(s), out = shape_last(n->out[0]->shape);
    struct operand x = {c->in[first], in, 0, 0}, w = {c->in[first + 1], in, 1, c->ordered};
    struct start start = {
        .row = n->n_in == first + 3 ? c->in[first + 2] : NULL, .rest = rest, .ld = out};
    KERNEL(large_product)(c, c->out[0], x, w, shape_rows(s), out, in, start);
}

void KERNEL(linear)(const struct kernel_call *c)
{
    product_of(c, 0, NULL);
}

void KERNEL(linear_add)(const struct kernel_call *c)
{
    product_of(c, 1, c->in[0]);
}
