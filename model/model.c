/* The registry of families, and the keys that all of them read. */
#include "model/model.h"

#include "base/error.h"
#include "model/objective.h"
#include "nn/nn.h"

#include <string.h>

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
    {.name = "train.objective",
     .type = CONFIG_CHOICE,
     .fallback = "classify",
     .choice = objective_choice,
     .doc = "what the model is trained for"},
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

void model_add_loss(struct graph *g, struct model_io *io, const char *name, struct tensor *term)
{
    io->loss = io->loss ? op_add(g, io->loss, term) : term;
    if (!name)
        return;
    ASSERT(io->n_terms < MODEL_TERMS_MAX);
    io->terms[io->n_terms++] = name;
    graph_output(g, arena_printf(&g->arena, "loss_%s", name), term);
}

const char *model_head_name(struct arena *a, const char *logits)
{
    const char *suffix = strstr(logits, "_logits");
    return arena_strndup(a, logits, suffix ? (size_t)(suffix - logits) : strlen(logits));
}

struct graph *model_build(const struct config *c, const struct model_options *o,
                          struct model_io *io, struct error *err)
{
    const struct model *m = (const struct model *)config_choice(c, "model.family");
    const struct objective *objective =
        (const struct objective *)config_choice(c, "train.objective");
    struct graph *g = graph_new();
    struct builder b = {.g = g,
                        .c = c,
                        .batch = o->batch,
                        .training = o->training,
                        .token_outputs = o->token_outputs};
    int64_t side = config_int(c, "model.image_size");
    int64_t height = o->height ? o->height : side, width = o->width ? o->width : side;
    *io = (struct model_io){0};
    int64_t channels = config_int(c, "model.channels");
    io->image = graph_input(g, "input", SHAPE(o->batch, channels, height, width),
                            o->bytes ? TENSOR_BYTE : TENSOR_VALUE);
    if (o->bytes)
        io->image =
            op_levels(g, io->image, graph_input(g, "levels", SHAPE(channels, 256), TENSOR_VALUE));
    if (o->mix)
        io->image = op_mix(g, io->image,
                           graph_input(g, "mix", SHAPE(o->batch, MIXED_FIELDS), TENSOR_VALUE));
    objective->build(&b, m, o, io);
    if (graph_failed(g, err)) {
        graph_free(g);
        return NULL;
    }
    return g;
}
