/* linear: y = x w^T + b. */
#include "backend/cpu/kernels/product.h"

struct kernel_memory KERNEL(linear_memory)(const struct node *n)
{
    return (struct kernel_memory){.thread = KERNEL(product_work)(shape_last(n->in[0]->shape))};
}

void KERNEL(linear)(const struct kernel_call *c)
{
    const struct node *n = c->node;
    int64_t rows = shape_rows(n->in[0]->shape), in = shape_last(n->in[0]->shape);
    int64_t out = shape_last(n->out[0]->shape);
    struct operand x = {c->in[0], in, 0}, w = {c->in[1], in, 1};
    const real *bias = n->n_in == 3 ? c->in[2] : NULL;
    KERNEL(large_product)(c, c->out[0], x, w, rows, out, in, (struct start){bias, 0});
}
