/* matmul: stacks of products, one for each batch element and head. */
#include "backend/cuda/ops/product.h"

/* How far the matrices of a tensor of rank 2, 3 or 4 are apart. */
struct stack {
    int64_t ld, batch, head;
};

static struct stack stack_of(struct shape s, int heads)
{
    struct stack k = {.ld = shape_last(s)};
    if (s.rank == 3) {
        k.batch = s.dim[1] * k.ld;
        k.head = k.ld / heads;
    }
    if (s.rank == 4) {
        k.head = s.dim[2] * k.ld;
        k.batch = s.dim[1] * k.head;
    }
    return k;
}

/* The products as `calls` executions of one plan: of everything at once where batch elements and
 * heads lie evenly, else one execution a head. step: from one execution to the next. */
struct stacks {
    struct vt_product plan;
    int64_t calls, step_a, step_b, step_c;
};

static struct stacks stacks_of(const struct node *n, enum precision precision, unsigned half_out)
{
    const struct matmul_attr *t = n->attr;
    struct matmul_size s = op_matmul_size(n);
    struct stack a = stack_of(n->in[0]->shape, t->heads), b = stack_of(n->in[1]->shape, t->heads);
    struct stack c = stack_of(n->out[0]->shape, t->heads);
    struct stacks k = {.plan = {.m = s.m,
                                .n = s.n,
                                .k = s.k,
                                .trans_a = t->trans_a,
                                .trans_b = t->trans_b,
                                .lda = a.ld,
                                .ldb = b.ld,
                                .ldc = c.ld,
                                .batch = s.batch,
                                .stride_a = a.batch,
                                .stride_b = b.batch,
                                .stride_c = c.batch,
                                .has_residual = n->n_in == 3,
                                .scale = (float)t->scale},
                       .calls = t->heads};
    product_types(&k.plan, precision, half_out);
    if (n->out[0]->shape.rank == 2) {
        k.plan.batch = 1;
        k.calls = 1;
        return k;
    }
    int even = a.batch == t->heads * a.head && b.batch == t->heads * b.head &&
               c.batch == t->heads * c.head;
    if (even || s.batch == 1 || t->heads == 1) {
        k.plan.batch = s.batch * t->heads;
        k.plan.stride_a = t->heads == 1 ? a.batch : a.head;
        k.plan.stride_b = t->heads == 1 ? b.batch : b.head;
        k.plan.stride_c = t->heads == 1 ? c.batch : c.head;
        k.calls = 1;
        return k;
    }
    k.plan.shift_a = k.step_a = a.head;
    k.plan.shift_b = k.step_b = b.head;
    k.plan.shift_c = k.step_c = c.head;
    return k;
}

int cuda_matmul_setup(struct cuda_setup *s, struct error *err)
{
    struct stacks k = stacks_of(s->node, s->precision, s->half_out);
    return vt_product_prepare(s->products, &k.plan, s->stream, err);
}

int cuda_matmul(const struct cuda_call *c)
{
    struct stacks k = stacks_of(c->node, c->precision, c->half_out);
    int code = 0, half = k.plan.type_ab == VT_BF16;
    for (int64_t i = 0; i < k.calls && !code; i++) {
        struct vt_operands o = {.a = cuda_element(c->in[0], half, i * k.step_a),
                                .b = cuda_element(c->in[1], half, i * k.step_b),
                                .residual = k.plan.has_residual ? c->in[2] : NULL,
                                .c = cuda_element(c->out[0], c->half_out & 1, i * k.step_c)};
        code = vt_product_execute(c->products, &k.plan, &o, c->stream);
    }
    return code;
}
