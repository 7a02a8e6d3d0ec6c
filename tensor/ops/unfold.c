/* unfold and fold: convolution as a product. */
#include "tensor/ops/rule.h"

static struct unfold_attr describe(struct shape s, int64_t rows, int64_t cols, int64_t kernel,
                                   int64_t stride, int64_t pad)
{
    struct unfold_attr a = {.kernel = kernel, .stride = stride, .pad = pad};
    a.tokens = s.rank == 3;
    a.channels = s.rank == 3 ? s.dim[2] : s.rank == 4 ? s.dim[1] : 0;
    a.height = a.tokens ? rows : s.rank == 4 ? s.dim[2] : 0;
    a.width = a.tokens ? cols : s.rank == 4 ? s.dim[3] : 0;
    a.out_height = (a.height + 2 * pad - kernel) / stride + 1;
    a.out_width = (a.width + 2 * pad - kernel) / stride + 1;
    return a;
}

struct tensor *op_unfold(struct graph *g, struct tensor *x, int64_t rows, int64_t cols,
                         int64_t kernel, int64_t stride, int64_t pad)
{
    struct unfold_attr a = describe(x->shape, rows, cols, kernel, stride, pad);
    return apply1(g, &op_unfold_row, x, &a);
}

static int unfold_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                        struct error *err)
{
    (void)type;
    const struct unfold_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    char text[200];
    if (!a->channels || (a->tokens && s.dim[1] != a->height * a->width) ||
        a->height + 2 * a->pad < a->kernel || a->width + 2 * a->pad < a->kernel)
        return op_refuse(n, err, "%s has no windows of %lld x %lld pixels",
                         op_describe(n, 0, text, sizeof text), (long long)a->kernel,
                         (long long)a->kernel);
    shape[0] = SHAPE(s.dim[0], a->out_height * a->out_width, a->channels * a->kernel * a->kernel);
    return 0;
}

static void unfold_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_fold_row, gr->dout[0], gr->node->attr);
}

const struct op op_unfold_row = {
    .name = "unfold",
    .doc = "windows of an image or a token grid as rows",
    .attr_size = sizeof(struct unfold_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = unfold_shape,
    .grad = unfold_grad,
};

static int fold_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    const struct unfold_attr *a = n->attr;
    struct shape s = n->in[0]->shape;
    char text[200];
    if (s.rank != 3 || s.dim[1] != a->out_height * a->out_width ||
        s.dim[2] != a->channels * a->kernel * a->kernel)
        return op_refuse(n, err, "%s is not what unfold makes",
                         op_describe(n, 0, text, sizeof text));
    shape[0] = a->tokens ? SHAPE(s.dim[0], a->height * a->width, a->channels)
                         : SHAPE(s.dim[0], a->channels, a->height, a->width);
    return 0;
}

static void fold_grad(struct grad *gr)
{
    gr->din[0] = apply1(gr->g, &op_unfold_row, gr->dout[0], gr->node->attr);
}

const struct op op_fold_row = {
    .name = "fold",
    .doc = "adjoint of unfold: windows are added up",
    .attr_size = sizeof(struct unfold_attr),
    .min_in = 1,
    .max_in = 1,
    .n_out = 1,
    .shape = fold_shape,
    .grad = fold_grad,
};
