/* The registry of families, the keys that all of them read, and the loss on top. */
#include "model/model.h"
#include "model/consistency.h"
#include "nn/nn.h"

#define MODEL(name) extern const struct model model_##name;
#include "model/models.def"
#undef MODEL

static const struct model *const models[] = {
#define MODEL(name) &model_##name,
#include "model/models.def"
#undef MODEL
};

const struct model *model_at(int i)
{
    return i >= 0 && i < (int)(sizeof models / sizeof *models) ? models[i] : NULL;
}

const struct config_choice *model_choice(int i)
{
    return model_at(i) ? &model_at(i)->choice : NULL;
}

const struct config_key model_keys[] = {
    {.name = "model.family",
     .type = CONFIG_CHOICE,
     .fallback = "vittm",
     .choice = model_choice,
     .doc = "architecture"},
    {.name = "model.image_size",
     .type = CONFIG_INT,
     .fallback = "224",
     .min = 1,
     .max = 4096,
     .doc = "side of the square input image, pixels"},
    {.name = "model.channels",
     .type = CONFIG_INT,
     .fallback = "3",
     .min = 1,
     .max = 64,
     .doc = "channels of the input image"},
    {.name = "model.classes",
     .type = CONFIG_INT,
     .fallback = "1000",
     .min = 1,
     .max = 1000000,
     .doc = "outputs of each classifier"},
    {.name = "model.drop_path",
     .type = CONFIG_FLOAT,
     .fallback = "0",
     .min = 0,
     .max = 0.99,
     .doc = "stochastic depth rate of the last block; earlier ones have less, linearly from 0"},
    {0},
};

static struct tensor *head_loss(struct graph *g, const struct model_options *o,
                                struct tensor *logits, struct tensor *target)
{
    double classes = (double)shape_last(logits->shape);
    if (o->bce)
        return op_bce(g, logits, target, o->smoothing, o->bce_mean ? 1 / classes : 1);
    return op_cross_entropy(g, logits, target, o->smoothing);
}

/* Both classifiers are trained with equal weight (the authors' train_lt.py). */
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
        io->loss = consistency_loss(b, o, io);
    for (int i = 0; i < io->n_logits && !io->consistency; i++) {
        struct tensor *loss = head_loss(g, o, io->logits[i], io->target);
        io->loss = i ? op_add(g, io->loss, loss) : loss;
    }
    if (io->loss)
        graph_output(g, "loss", io->loss);
}

static void name_logits(struct graph *g, const struct model_io *io)
{
    for (int i = 0; i < io->n_logits; i++)
        graph_output(g, arena_printf(&g->arena, "output/%s", io->logits_names[i]), io->logits[i]);
}

struct graph *model_build(const struct config *c, const struct model_options *o,
                          struct model_io *io, struct error *err)
{
    const struct model *m = (const struct model *)config_choice(c, "model.family");
    struct graph *g = graph_new();
    struct builder b = {.g = g,
                        .c = c,
                        .batch = o->batch,
                        .training = o->training,
                        .token_outputs = o->token_outputs};
    int64_t side = config_int(c, "model.image_size");
    *io = (struct model_io){0};
    io->image = graph_input(
        g, "input", SHAPE(o->batch, config_int(c, "model.channels"), side, side), TENSOR_VALUE);
    m->build(&b, io);
    if (!graph_failed(g, NULL)) {
        name_logits(g, io);
        if (o->with_loss)
            add_loss(&b, o, io);
    }
    if (graph_failed(g, err)) {
        graph_free(g);
        return NULL;
    }
    return g;
}
