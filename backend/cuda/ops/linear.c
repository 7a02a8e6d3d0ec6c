/* linear: y = x w^T + b, and the same plus a residual, which the product begins with. */
#include "backend/cuda/ops/product.h"

static int set_up(struct cuda_setup *s, const struct node *n, int adds, struct error *err)
{
    struct vt_product p = product_of_linear(n, s->precision, s->half_out);
    p.has_residual = adds;
    return vt_product_prepare(s->products, &p, s->stream, err);
}

static int multiply(const struct cuda_call *c, const struct node *n, const void *residual)
{
    struct vt_product p = product_of_linear(n, c->precision, c->half_out);
    p.has_residual = residual != NULL;
    struct vt_operands o = {.a = c->in[0],
                            .b = c->in[1],
                            .bias = p.has_bias ? c->in[2] : NULL,
                            .residual = residual,
                            .c = c->out[0]};
    return vt_product_execute(c->products, &p, &o, c->stream);
}

int cuda_linear_setup(struct cuda_setup *s, struct error *err)
{
    return set_up(s, s->node, 0, err);
}

int cuda_linear(const struct cuda_call *c)
{
    return multiply(c, c->node, NULL);
}

/* ---- linear_add: the residual is input 0, the product's inputs follow ------------------------ */

static struct node product_of(const struct node *n)
{
    struct node product = *n;
    product.in++;
    product.n_in--;
    return product;
}

int cuda_linear_add_setup(struct cuda_setup *s, struct error *err)
{
    struct node product = product_of(s->node);
    return set_up(s, &product, 1, err);
}

int cuda_linear_add(const struct cuda_call *c)
{
    struct node product = product_of(c->node);
    struct cuda_call rest = *c;
    rest.in++;
    return multiply(&rest, &product, c->in[0]);
}
