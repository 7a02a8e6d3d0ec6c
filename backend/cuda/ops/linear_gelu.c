/* linear_gelu: a product and the GELU of it; matmul_gelu_grad: a product times GELU's derivative.
 */
#include "backend/cuda/ops/product.h"

static enum vt_type type_of(unsigned half, int i)
{
    return half >> i & 1 ? VT_BF16 : VT_F32;
}

/* Without pre where the plan leaves it out. */
static struct vt_product forward_of(const struct node *n, enum precision precision,
                                    unsigned half_out)
{
    struct vt_product p = product_of_linear(n, precision, half_out);
    int keeps = n->n_out == 2;
    p.epilogue = keeps ? VT_GELU_KEEP : VT_GELU;
    p.type_pre = keeps ? type_of(half_out, 1) : VT_F32;
    return p;
}

int cuda_linear_gelu_setup(struct cuda_setup *s, struct error *err)
{
    struct vt_product p = forward_of(s->node, s->precision, s->half_out);
    return vt_product_prepare(s->products, &p, s->stream, err);
}

int cuda_linear_gelu(const struct cuda_call *c)
{
    struct vt_product p = forward_of(c->node, c->precision, c->half_out);
    struct vt_operands o = {.a = c->in[0],
                            .b = c->in[1],
                            .bias = p.has_bias ? c->in[2] : NULL,
                            .c = c->out[0],
                            .pre = c->node->n_out == 2 ? c->out[1] : NULL};
    return vt_product_execute(c->products, &p, &o, c->stream);
}

static struct vt_product backward_of(const struct node *n, enum precision precision,
                                     unsigned half_in, unsigned half_out)
{
    int64_t out = shape_last(n->in[0]->shape), in = shape_last(n->in[1]->shape);
    struct vt_product p = {
        .m = n->in[0]->shape.dim[0],
        .n = in,
        .k = out,
        .lda = out,
        .ldb = in,
        .ldc = in,
        .batch = 1,
        .scale = 1,
        .epilogue = VT_GELU_SLOPE,
        .type_pre = type_of(half_in, 2),
    };
    product_types(&p, precision, half_out);
    return p;
}

int cuda_matmul_gelu_grad_setup(struct cuda_setup *s, struct error *err)
{
    struct vt_product p = backward_of(s->node, s->precision, s->half_in, s->half_out);
    return vt_product_prepare(s->products, &p, s->stream, err);
}

int cuda_matmul_gelu_grad(const struct cuda_call *c)
{
    struct vt_product p = backward_of(c->node, c->precision, c->half_in, c->half_out);
    struct vt_operands o = {.a = c->in[0], .b = c->in[1], .c = c->out[0], .pre = c->in[2]};
    return vt_product_execute(c->products, &p, &o, c->stream);
}
