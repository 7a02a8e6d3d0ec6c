/* linear_weight_grad: dw = dy^T x (+ more) and the sum of dy's rows.
 *
 * cuBLASLt can add up an operand while it reads it for the product (BGRADB: of our first operand,
 * of dw's type). Where it proposes no algorithm for that, and where product and sum one after the
 * other are faster, dy is read again. In tf32 always: what such an epilogue adds up is said to be
 * the operand, not whether before it is rounded. */
#include "backend/cuda/ops/product.h"
#include "backend/cuda/trial.h"
#include "base/memory.h"

#include <stdio.h>

/* Bytes of dy from which both ways are timed: a product that adds up dy may not be cut along its
 * depth, as one of few weights and many rows must be. What is shorter is over in a few launches, so
 * one is best. */
enum { WORTH_MEASURING = 512 << 10 };

struct grad_way {
    int (*run)(const struct cuda_call *c);
};

static struct vt_product plan_of(const struct node *n, enum precision precision, int has_sums)
{
    int64_t out = shape_last(n->in[0]->shape), in = shape_last(n->in[1]->shape);
    struct vt_product p = {
        .m = out,
        .n = in,
        .k = n->in[0]->shape.dim[0],
        .trans_a = 1,
        .lda = out,
        .ldb = in,
        .ldc = in,
        .batch = 1,
        .has_residual = n->n_in == 3,
        .has_sums = has_sums,
        .scale = 1,
    };
    product_types(&p, precision, 0);
    return p;
}

static struct vt_operands operands_of(const struct cuda_call *c)
{
    return (struct vt_operands){.a = c->in[0],
                                .b = c->in[1],
                                .residual = c->node->n_in == 3 ? c->in[2] : NULL,
                                .c = c->out[0],
                                .sums = c->out[1]};
}

static int at_once(const struct cuda_call *c)
{
    struct vt_product p = plan_of(c->node, c->precision, 1);
    struct vt_operands o = operands_of(c);
    return vt_product_execute(c->products, &p, &o, c->stream);
}

static int in_turn(const struct cuda_call *c)
{
    struct vt_product p = plan_of(c->node, c->precision, 0);
    struct vt_operands o = operands_of(c);
    int code = vt_product_execute(c->products, &p, &o, c->stream);
    return code
               ? code
               : vt_sum(c->out[1], c->in[0], c->scratch, 1, p.k, p.m, 1, c->half_in & 1, c->stream);
}

size_t cuda_linear_weight_grad_scratch(const struct node *n)
{
    struct shape dy = n->in[0]->shape;
    return sizeof(float) * (size_t)vt_sum_parts(1, dy.dim[0], dy.dim[1]);
}

static int at_once_wins(const struct cuda_setup *s)
{
    static const struct cuda_way ways[2] = {{"product and sum", in_turn, NULL},
                                            {"one product", at_once, NULL}};
    struct vt_product p = plan_of(s->node, s->precision, 1);
    char what[160];
    if (p.m * p.k * (s->half_in & 1 ? 2 : 4) < WORTH_MEASURING)
        return 1;
    snprintf(what, sizeof what, "%lld x %lld of %lld rows in %s%s", (long long)p.m, (long long)p.n,
             (long long)p.k, precision_name(s->precision), p.has_residual ? ", added" : "");
    return cuda_trial(s, "weight-gradient", what, ways);
}

int cuda_linear_weight_grad_setup(struct cuda_setup *s, struct error *err)
{
    struct vt_product apart = plan_of(s->node, s->precision, 0);
    struct vt_product joined = plan_of(s->node, s->precision, 1);
    struct error none;
    if (vt_product_prepare(s->products, &apart, s->stream, err))
        return -1;
    int can = s->precision != PRECISION_TF32 &&
              !vt_product_prepare(s->products, &joined, s->stream, &none);
    struct grad_way *way = mem_alloc(sizeof *way);
    way->run = can && at_once_wins(s) ? at_once : in_turn;
    s->state = way;
    return 0;
}

int cuda_linear_weight_grad(const struct cuda_call *c)
{
    const struct grad_way *way = c->state;
    return way->run(c);
}
