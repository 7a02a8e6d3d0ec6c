/* linear: y = x w^T + b. */
#include "backend/cuda/ops/product.h"

static struct vt_lt_plan plan_of(const struct node *n, enum precision precision)
{
    int64_t in = shape_last(n->in[0]->shape), out = shape_last(n->out[0]->shape);
    struct vt_lt_plan p = {
        .m = shape_rows(n->in[0]->shape),
        .n = out,
        .k = in,
        .trans_b = 1,
        .lda = in,
        .ldb = in,
        .ldc = out,
        .batch = 1,
        .has_bias = n->n_in == 3,
        .scale = 1,
    };
    product_precision(&p, precision);
    return p;
}

int cuda_linear_setup(struct cuda_setup *s, struct error *err)
{
    struct vt_lt_plan p = plan_of(s->node, s->precision);
    return product_setup(s, &p, shape_count(s->node->in[0]->shape),
                         shape_count(s->node->in[1]->shape), err);
}

int cuda_linear(const struct cuda_call *c)
{
    const struct node *n = c->node;
    struct vt_lt_plan p = plan_of(n, c->precision);
    struct product_operands o;
    int code = product_operands(&o, c, shape_count(n->in[0]->shape), shape_count(n->in[1]->shape));
    return code ? code
                : vt_lt_matmul(c->lt, &p, o.a, o.b, p.has_bias ? c->in[2] : NULL, NULL, c->out[0],
                               c->stream);
}
