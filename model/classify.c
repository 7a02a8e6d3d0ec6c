/* Classification: a loss on the logits of every classifier. */
#include "model/consistency.h"
#include "model/keys.h"
#include "model/objective.h"
#include "nn/nn.h"

static const struct config_choice eval_heads[] = {
    {"memory", "the memory's classifier, which the papers report", NULL},
    {"process", "that of the process (or compressed) tokens", NULL},
    {"mean", "the mean of both classifiers' logits", NULL}};

const struct config_choice *model_eval_head_choice(int i)
{
    return i >= 0 && i < 3 ? &eval_heads[i] : NULL;
}

static struct tensor *head_loss(struct graph *g, const struct model_options *o,
                                struct tensor *logits, struct tensor *target)
{
    double classes = (double)shape_last(logits->shape);
    if (o->bce)
        return op_bce(g, logits, target, o->smoothing, o->bce_mean ? 1 / classes : 1);
    return op_cross_entropy(g, logits, target, o->smoothing);
}

/* Both classifiers are trained with equal weight (the authors' train_lt.py, which sums). */
static void add_loss(struct builder *b, const struct model_options *o, struct model_io *io)
{
    struct graph *g = b->g;
    struct shape s = io->logits[0]->shape;
    if (o->soft_targets)
        io->target = graph_input(g, "target", s, TENSOR_VALUE);
    else
        io->target = graph_input(g, "target", SHAPE(s.dim[0]), TENSOR_INT);
    if (io->consistency && o->bce)
        graph_refuse(g, "model.reduce.consistency knows cross entropy only (set train.loss=ce)");
    else if (io->consistency)
        consistency_loss(b, o, io);
    for (int i = 0; i < io->n_logits && !io->consistency; i++) {
        const char *name =
            io->n_logits > 1 ? model_head_name(&g->arena, io->logits_names[i]) : NULL;
        model_add_loss(g, io, name, head_loss(g, o, io->logits[i], io->target));
    }
    if (o->mean_heads && io->n_terms > 1 && !io->consistency)
        io->loss = op_affine(g, io->loss, 1.0 / io->n_terms, 0);
    if (io->loss)
        graph_output(g, "loss", io->loss);
}

static void name_logits(struct graph *g, const struct model_io *io)
{
    for (int i = 0; i < io->n_logits; i++)
        graph_output(g, arena_printf(&g->arena, "output/%s", io->logits_names[i]), io->logits[i]);
}

static void build(struct builder *b, const struct model *m, const struct model_options *o,
                  struct model_io *io)
{
    m->build(b, io);
    if (graph_failed(b->g, NULL))
        return;
    name_logits(b->g, io);
    if (o->with_loss)
        add_loss(b, o, io);
}

const struct objective objective_classify = {
    .choice = {.name = "classify", .doc = "the classes of labelled images"},
    .build = build,
};
