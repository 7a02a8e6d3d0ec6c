/* Element-wise functions of one tensor. */
#include "tensor/ops/rule.h"

#include <math.h>

struct tensor *op_affine(struct graph *g, struct tensor *x, double scale, double shift)
{
    return apply1(g, &op_affine_row, x, &(struct affine_attr){scale, shift});
}

struct tensor *op_exp(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_exp_row, x, NULL);
}

struct tensor *op_log(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_log_row, x, NULL);
}

struct tensor *op_sqrt(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_sqrt_row, x, NULL);
}

struct tensor *op_erf(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_erf_row, x, NULL);
}

struct tensor *op_sigmoid(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_sigmoid_row, x, NULL);
}

struct tensor *op_phi(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_phi_row, x, NULL);
}

struct tensor *op_phi_grad(struct graph *g, struct tensor *x, struct tensor *dy)
{
    return apply2(g, &op_phi_grad_row, x, dy, NULL);
}

struct tensor *op_relu(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_relu_row, x, NULL);
}

struct tensor *op_gelu(struct graph *g, struct tensor *x)
{
    return apply1(g, &op_gelu_row, x, NULL);
}

struct tensor *op_gelu_grad(struct graph *g, struct tensor *x, struct tensor *dy)
{
    return apply2(g, &op_gelu_grad_row, x, dy, NULL);
}

struct tensor *op_above(struct graph *g, struct tensor *x, double threshold)
{
    return apply1(g, &op_above_row, x, &(struct above_attr){threshold});
}

/* ---- gradients ------------------------------------------------------------------------------- */

static void affine_grad(struct grad *gr)
{
    const struct affine_attr *a = gr->node->attr;
    gr->din[0] = op_affine(gr->g, gr->dout[0], a->scale, 0);
}

static void exp_grad(struct grad *gr)
{
    gr->din[0] = op_mul(gr->g, gr->dout[0], gr->node->out[0]);
}

static void log_grad(struct grad *gr)
{
    gr->din[0] = op_div(gr->g, gr->dout[0], gr->node->in[0]);
}

static void sqrt_grad(struct grad *gr)
{
    gr->din[0] = op_affine(gr->g, op_div(gr->g, gr->dout[0], gr->node->out[0]), 0.5, 0);
}

static void erf_grad(struct grad *gr) /* 2/sqrt(pi) exp(-x^2) */
{
    struct tensor *x = gr->node->in[0];
    struct tensor *bell = op_exp(gr->g, op_affine(gr->g, op_mul(gr->g, x, x), -1, 0));
    gr->din[0] = op_affine(gr->g, op_mul(gr->g, gr->dout[0], bell), M_2_SQRTPI, 0);
}

static void sigmoid_grad(struct grad *gr) /* y (1 - y) */
{
    struct tensor *y = gr->node->out[0];
    struct tensor *slope = op_mul(gr->g, y, op_affine(gr->g, y, -1, 1));
    gr->din[0] = op_mul(gr->g, gr->dout[0], slope);
}

static void phi_grad(struct grad *gr)
{
    gr->din[0] = op_phi_grad(gr->g, gr->node->in[0], gr->dout[0]);
}

static void relu_grad(struct grad *gr)
{
    gr->din[0] = apply2(gr->g, &op_relu_grad_row, gr->node->in[0], gr->dout[0], NULL);
}

static void gelu_grad(struct grad *gr)
{
    gr->din[0] = op_gelu_grad(gr->g, gr->node->in[0], gr->dout[0]);
}

static void gelu_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                        struct tensor **out)
{
    (void)n;
    struct tensor *bell = op_affine(g, op_erf(g, op_affine(g, in[0], M_SQRT1_2, 0)), 0.5, 0.5);
    out[0] = op_mul(g, in[0], bell);
}

/* ---- rows ------------------------------------------------------------------------------------ */

#define UNARY(NAME, DOC, ATTR_SIZE)                                                                \
    const struct op op_##NAME##_row = {                                                            \
        .name = #NAME,                                                                             \
        .doc = DOC,                                                                                \
        .flags = OP_INPLACE,                                                                       \
        .attr_size = ATTR_SIZE,                                                                    \
        .min_in = 1,                                                                               \
        .max_in = 1,                                                                               \
        .n_out = 1,                                                                                \
        .shape = rule_same_shape,                                                                  \
        .grad = NAME##_grad,                                                                       \
        .cost = rule_cost_elements,                                                                \
    }

UNARY(affine, "scale * x + shift", sizeof(struct affine_attr));
UNARY(exp, "e^x", 0);
UNARY(log, "natural logarithm", 0);
UNARY(sqrt, "square root", 0);
UNARY(erf, "error function", 0);
UNARY(sigmoid, "1 / (1 + e^-x)", 0);
UNARY(phi, "elu(x) + 1", 0);
UNARY(relu, "max(x, 0)", 0);

const struct op op_gelu_row = {
    .name = "gelu",
    .doc = "exact GELU, x/2 (1 + erf(x / sqrt 2))",
    .flags = OP_INPLACE | OP_FUSED,
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = rule_same_shape,
    .grad = gelu_grad,
    .expand = gelu_expand,
    .gradient = &op_gelu_grad_row,
    .cost = rule_cost_elements,
};

const struct op op_above_row = {
    .name = "above",
    .doc = "1 where x is above a threshold, else 0",
    .flags = OP_INPLACE | OP_CONSTANT_GRAD,
    .attr_size = sizeof(struct above_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = rule_same_shape,
    .cost = rule_cost_elements,
};

#define UNARY_BACKWARD(NAME, DOC)                                                                  \
    const struct op op_##NAME##_row = {                                                            \
        .name = #NAME,                                                                             \
        .doc = DOC,                                                                                \
        .flags = OP_INPLACE | OP_BACKWARD,                                                         \
        .min_in = 2,                                                                               \
        .max_in = 2,                                                                               \
        .n_out = 1,                                                                                \
        .shape = rule_all_same,                                                                    \
        .cost = rule_cost_elements,                                                                \
    }

UNARY_BACKWARD(relu_grad, "gradient of relu: (x, dy)");
UNARY_BACKWARD(phi_grad, "gradient of phi: (x, dy)");
UNARY_BACKWARD(gelu_grad, "gradient of gelu: (x, dy)");
