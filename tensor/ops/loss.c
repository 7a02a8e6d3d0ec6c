/* Losses. */
#include "tensor/ops/rule.h"

struct tensor *op_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *target,
                                double smoothing)
{
    return apply2(g, &op_cross_entropy_row, logits, target,
                  &(struct loss_attr){.smoothing = smoothing, .scale = 1});
}

static int targets_fit(struct shape logits, const struct tensor *target)
{
    struct shape t = target->shape;
    if (logits.rank != 2 || t.rank < 1 || t.dim[0] != logits.dim[0])
        return 0;
    return target->type == TENSOR_INT ? t.rank == 1 : shape_equal(t, logits);
}

static int loss_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                      struct error *err)
{
    (void)type;
    char left[200], right[200];
    if (!targets_fit(n->in[0]->shape, n->in[1]))
        return op_refuse(n, err, "targets %s do not fit the logits %s",
                         op_describe(n, 1, right, sizeof right),
                         op_describe(n, 0, left, sizeof left));
    shape[0] = SHAPE_SCALAR;
    return 0;
}

/* Gradient of the logits by the op of this row: (logits, target, dloss) -> dlogits. */
static void logits_gradient(struct grad *gr, const struct op *row)
{
    struct tensor *in[] = {gr->node->in[0], gr->node->in[1], gr->dout[0]};
    gr->din[0] = graph_apply(gr->g, row, 3, in, gr->node->attr)->out[0];
}

static void cross_entropy_gradient(struct grad *gr)
{
    logits_gradient(gr, &op_cross_entropy_grad_row);
}

static void loss_cost(const struct node *n, struct op_cost *c)
{
    c->other_flops = 4 * shape_count(n->in[0]->shape);
}

const struct op op_cross_entropy_row = {
    .name = "cross_entropy",
    .doc = "mean cross entropy of labels or soft targets",
    .attr_size = sizeof(struct loss_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = loss_shape,
    .grad = cross_entropy_gradient,
    .cost = loss_cost,
};

const struct op op_cross_entropy_grad_row = {
    .name = "cross_entropy_grad",
    .doc = "gradient of cross_entropy: (logits, target, dloss) -> dlogits",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct loss_attr),
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = rule_same_shape,
    .cost = loss_cost,
};

struct tensor *op_bce(struct graph *g, struct tensor *logits, struct tensor *target,
                      double smoothing, double scale)
{
    return apply2(g, &op_bce_row, logits, target,
                  &(struct loss_attr){.smoothing = smoothing, .scale = scale});
}

static void bce_gradient(struct grad *gr)
{
    logits_gradient(gr, &op_bce_grad_row);
}

const struct op op_bce_row = {
    .name = "bce",
    .doc = "binary cross entropy of labels or soft targets, summed over classes",
    .attr_size = sizeof(struct loss_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = loss_shape,
    .grad = bce_gradient,
    .cost = loss_cost,
};

const struct op op_bce_grad_row = {
    .name = "bce_grad",
    .doc = "gradient of bce: (logits, target, dloss) -> dlogits",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct loss_attr),
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = rule_same_shape,
    .cost = loss_cost,
};

struct tensor *op_label_cross_entropy(struct graph *g, struct tensor *logits, struct tensor *target,
                                      struct label_loss_attr attr)
{
    return apply2(g, &op_label_cross_entropy_row, logits, target, &attr);
}

static int label_shape(const struct node *n, struct shape *shape, enum tensor_type *type,
                       struct error *err)
{
    (void)type;
    char left[200], right[200];
    const struct tensor *logits = n->in[0], *target = n->in[1];
    if (logits->shape.rank < 2 || target->type != TENSOR_INT ||
        shape_count(target->shape) != shape_rows(logits->shape))
        return op_refuse(n, err, "%s are not one label for each row of the logits %s",
                         op_describe(n, 1, right, sizeof right),
                         op_describe(n, 0, left, sizeof left));
    shape[0] = SHAPE_SCALAR;
    return 0;
}

static void label_gradient(struct grad *gr)
{
    logits_gradient(gr, &op_label_cross_entropy_grad_row);
}

const struct op op_label_cross_entropy_row = {
    .name = "label_cross_entropy",
    .doc = "mean cross entropy of many labels, some ignored",
    .attr_size = sizeof(struct label_loss_attr),
    .min_in = 2,
    .max_in = 2,
    .n_out = 1,
    .shape = label_shape,
    .grad = label_gradient,
    .cost = loss_cost,
};

const struct op op_label_cross_entropy_grad_row = {
    .name = "label_cross_entropy_grad",
    .doc = "gradient of label_cross_entropy: (logits, target, dloss) -> dlogits",
    .flags = OP_BACKWARD,
    .attr_size = sizeof(struct label_loss_attr),
    .min_in = 3,
    .max_in = 3,
    .n_out = 1,
    .shape = rule_same_shape,
    .cost = loss_cost,
};
