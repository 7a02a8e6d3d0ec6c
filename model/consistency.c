/* The loss of MCTF's two passes. */
#include "model/consistency.h"

#include "model/reducer.h"

#include <string.h>

int consistency_asked(const struct builder *b)
{
    return config_is_active(b->c, "model.reduce.consistency") &&
           config_bool(b->c, "model.reduce.consistency");
}

int consistency_wanted(const struct builder *b)
{
    return b->training && consistency_asked(b);
}

/* Which classes are a sample's targets, as (B,K) zeros and ones: those above the least value of its
 * soft target, which is what smoothing gives to all others. */
static struct tensor *target_classes(struct graph *g, struct tensor *target)
{
    struct tensor *least = op_affine(g, op_max(g, op_affine(g, target, -1, 0), 1), -1, 0);
    return op_above(g, op_sub(g, target, least), 1e-6);
}

/* Probability of the targets: (B). */
static struct tensor *confidence(struct graph *g, struct tensor *logits, struct tensor *target)
{
    struct tensor *p = op_softmax(g, logits, 1); /* (B,K) */
    int64_t batch = p->shape.dim[0];
    if (target->type == TENSOR_INT)
        p = op_gather_rows(g, p, op_reshape(g, target, SHAPE(batch, 1)), 1); /* (B,1) */
    else
        p = op_mul(g, p, target_classes(g, target));
    return op_stop_gradient(g, op_sum(g, p, 1, 1, 0, 1));
}

/* weight * sum_i gate_i d_i / (number of open gates, or 1) */
static struct tensor *consistency_term(struct graph *g, const struct consistency *t,
                                       struct tensor *gate, double weight)
{
    int64_t width = shape_last(t->student->shape);
    struct tensor *gap = op_sub(g, op_stop_gradient(g, t->teacher), t->student); /* (B,C) */
    struct tensor *d = op_sum(g, op_mul(g, gap, gap), 1, 1, 0, weight / (double)width);
    struct tensor *open = op_sum(g, gate, 0, 1, 0, 1);
    struct tensor *none = op_affine(g, op_above(g, open, 0.5), -1, 1); /* 1 where no gate is open */
    return op_div(g, op_sum(g, op_mul(g, d, gate), 0, 1, 0, 1), op_add(g, open, none));
}

static int check_weights(struct builder *b, const double **w)
{
    int n = config_floats(b->c, "model.reduce.task_weight", w);
    if (n == 3)
        return 0;
    graph_refuse(b->g,
                 "model.reduce.task_weight has %d numbers instead of 3 (student, teacher, "
                 "consistency)",
                 n);
    return -1;
}

void consistency_loss(struct builder *b, const struct model_options *o, struct model_io *io)
{
    struct graph *g = b->g;
    const struct consistency *t = io->consistency;
    const double *w;
    if (check_weights(b, &w))
        return;
    struct tensor *sure = confidence(g, io->logits[0], io->target);
    struct tensor *gate =
        op_above(g, sure, config_float(b->c, "model.reduce.confidence_threshold"));
    struct tensor *student =
        op_affine(g, op_cross_entropy(g, io->logits[0], io->target, o->smoothing), w[0], 0);
    struct tensor *teacher =
        op_affine(g, op_cross_entropy(g, t->teacher_logits, io->target, o->smoothing), w[1], 0);
    struct tensor *consistency = consistency_term(g, t, gate, w[2]);
    graph_output(g, "output/logits_teacher", t->teacher_logits);
    graph_output(g, "output/confidence", sure);
    model_add_loss(g, io, "student", student);
    model_add_loss(g, io, "teacher", teacher);
    model_add_loss(g, io, "consistency", consistency);
}
