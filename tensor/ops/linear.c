/* linear: y = x w^T + b; linear_add: the same plus a residual; linear_gelu: the same and GELU. */
#include "tensor/ops/rule.h"

struct tensor *op_linear(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return graph_apply(g, &op_linear_row, b ? 3 : 2, (struct tensor *[]){x, w, b}, NULL)->out[0];
}

static int linear_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    struct shape x = n->in[0]->shape, w = n->in[1]->shape;
    char left[200], right[200];
    int64_t out = w.rank ? w.dim[0] : 0;
    if (x.rank < 1 || w.rank < 2 || shape_count(w) != out * shape_last(x))
        return op_refuse(n, err, "%s does not fit the weight %s",
                         op_describe(n, 0, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    if (n->n_in == 3 && (n->in[2]->shape.rank != 1 || n->in[2]->shape.dim[0] != out))
        return op_refuse(n, err, "the bias %s does not fit the weight %s",
                         op_describe(n, 2, left, sizeof left),
                         op_describe(n, 1, right, sizeof right));
    shape[0] = x;
    shape[0].dim[x.rank - 1] = out;
    return 0;
}

static struct tensor *as_matrix(struct graph *g, struct tensor *x)
{
    return op_reshape(g, x, SHAPE(shape_rows(x->shape), shape_last(x->shape)));
}

static struct tensor *weight_matrix(struct graph *g, struct tensor *w)
{
    int64_t out = w->shape.dim[0];
    return op_reshape(g, w, SHAPE(out, shape_count(w->shape) / out));
}

/* Elements of a row from which GELU's result is made again for the gradient of the layer that reads
 * it, so that it is not kept until then: behind 256 channels or more. GELU's own gradient keeps its
 * input. Its share of a step falls with the width: 1 % at 96 channels, 0.5 % at 384. */
enum { AGAIN_WIDTH = 1024 };

/* What GELU was taken of to make x, or NULL. */
static struct tensor *before_gelu(const struct tensor *x)
{
    const struct node *n = x->producer;
    if (n && n->op == &op_gelu_row)
        return n->in[0];
    return n && n->op == &op_linear_gelu_row && x == n->out[0] ? n->out[1] : NULL;
}

static struct tensor *read_again(struct graph *g, struct tensor *x)
{
    const struct node *n = x->producer;
    struct tensor *pre = before_gelu(x);
    if (!pre || n->backward || shape_last(x->shape) < AGAIN_WIDTH ||
        (n->region && g->regions[n->region].policy != REGION_KEEP))
        return x;
    return op_gelu(g, pre);
}

/* Of the product's result dout, for the inputs first, first + 1 and, where there is one, first + 2:
 * x, w, b. */
static void product_grad(struct grad *gr, struct tensor *dout, int first)
{
    struct graph *g = gr->g;
    struct tensor *x = gr->node->in[first], *w = gr->node->in[first + 1];
    struct tensor *dy = as_matrix(g, dout), **din = gr->din + first;
    const int *wanted = gr->wanted + first;
    struct matmul_attr plain = {1, 0, 0, 2, 1.0}, transposed = {1, 1, 0, 2, 1.0};
    if (wanted[0])
        din[0] = op_reshape(g, op_matmul(g, dy, weight_matrix(g, w), plain), x->shape);
    int biased = gr->node->n_in == first + 3 && wanted[2];
    struct tensor *again = wanted[1] ? as_matrix(g, read_again(g, x)) : NULL;
    if (again && biased) {
        const struct node *both = op_linear_weight_grad(g, dy, again);
        din[1] = op_reshape(g, both->out[0], w->shape);
        din[2] = both->out[1];
    } else if (again) {
        din[1] = op_reshape(g, op_matmul(g, dy, again, transposed), w->shape);
    } else if (biased) {
        din[2] = op_sum(g, dy, 0, 1, 0, 1.0);
    }
}

static void linear_grad(struct grad *gr)
{
    product_grad(gr, gr->dout[0], 0);
}

static void linear_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                          struct tensor **out)
{
    struct matmul_attr a = {1, 0, 1, 2, 1.0};
    struct tensor *y = op_matmul(g, as_matrix(g, in[0]), weight_matrix(g, in[1]), a);
    if (n->n_in == 3)
        y = op_add(g, y, in[2]);
    out[0] = op_reshape(g, y, n->out[0]->shape);
}

static void linear_cost(const struct node *n, struct op_cost *c)
{
    int64_t rows = shape_rows(n->in[0]->shape);
    c->macs = rows * shape_count(n->in[1]->shape);
    c->macs_fvcore = c->macs;
    c->other_flops = n->n_in == 3 ? shape_count(n->out[0]->shape) : 0;
}

const struct op op_linear_row = {
    .name = "linear",
    .doc = "x w^T + b",
    .flags = OP_FUSED,
    .min_in = 2,
    .max_in = 3,
    .n_out = 1,
    .shape = linear_shape,
    .grad = linear_grad,
    .expand = linear_expand,
    .cost = linear_cost,
};

/* ---- linear_add ------------------------------------------------------------------------------ */

struct tensor *op_linear_add(struct graph *g, struct tensor *x, struct tensor *h, struct tensor *w,
                             struct tensor *b)
{
    return graph_apply(g, &op_linear_add_row, b ? 4 : 3, (struct tensor *[]){x, h, w, b}, NULL)
        ->out[0];
}

/* The node as the product alone would have it. */
static struct node product_of(const struct node *n)
{
    struct node product = *n;
    product.in = n->in + 1;
    product.n_in = n->n_in - 1;
    return product;
}

static int linear_add_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                            struct error *err)
{
    struct node product = product_of(n);
    char text[200];
    if (linear_shape(&product, shape, type, err))
        return -1;
    if (!shape_equal(shape[0], n->in[0]->shape))
        return op_refuse(n, err, "%s is not as large as the product that is added to it",
                         op_describe(n, 0, text, sizeof text));
    return 0;
}

static void linear_add_grad(struct grad *gr)
{
    if (gr->wanted[0])
        gr->din[0] = gr->dout[0];
    product_grad(gr, gr->dout[0], 1);
}

static void linear_add_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                              struct tensor **out)
{
    out[0] = op_add(g, in[0], op_linear(g, in[1], in[2], n->n_in == 4 ? in[3] : NULL));
}

static void linear_add_cost(const struct node *n, struct op_cost *c)
{
    struct node product = product_of(n);
    linear_cost(&product, c);
    c->other_flops += shape_count(n->out[0]->shape);
}

const struct op op_linear_add_row = {
    .name = "linear_add",
    .doc = "x + h w^T + b",
    .flags = OP_FUSED | OP_INPLACE,
    .overwrites = 1,
    .min_in = 3,
    .max_in = 4,
    .n_out = 1,
    .shape = linear_add_shape,
    .grad = linear_add_grad,
    .expand = linear_add_expand,
    .cost = linear_add_cost,
};

/* ---- linear_gelu ----------------------------------------------------------------------------- */

struct node *op_linear_gelu(struct graph *g, struct tensor *x, struct tensor *w, struct tensor *b)
{
    return graph_apply(g, &op_linear_gelu_row, b ? 3 : 2, (struct tensor *[]){x, w, b}, NULL);
}

static int linear_gelu_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                             struct error *err)
{
    if (linear_shape(n, shape, type, err))
        return -1;
    shape[1] = shape[0];
    return 0;
}

/* pre is read by gradients alone, but a model may ask for it. */
static void linear_gelu_grad(struct grad *gr)
{
    struct tensor *sum = gr->dout[1];
    if (gr->dout[0]) {
        struct tensor *through = op_gelu_grad(gr->g, gr->node->out[1], gr->dout[0]);
        sum = sum ? op_add(gr->g, sum, through) : through;
    }
    product_grad(gr, sum, 0);
}

static void linear_gelu_expand(struct graph *g, const struct node *n, struct tensor *const *in,
                               struct tensor **out)
{
    out[1] = op_linear(g, in[0], in[1], n->n_in == 3 ? in[2] : NULL);
    out[0] = op_gelu(g, out[1]);
}

static void linear_gelu_cost(const struct node *n, struct op_cost *c)
{
    linear_cost(n, c);
    c->other_flops += shape_count(n->out[0]->shape);
}

const struct op op_linear_gelu_row = {
    .name = "linear_gelu",
    .doc = "gelu(x w^T + b), and what GELU is taken of",
    .flags = OP_FUSED | OP_OPTIONAL,
    .min_in = 2,
    .max_in = 3,
    .n_out = 2,
    .min_out = 1,
    .shape = linear_gelu_shape,
    .grad = linear_gelu_grad,
    .expand = linear_gelu_expand,
    .gradient = &op_gelu_grad_row,
    .cost = linear_gelu_cost,
};
