#include "train/update.h"

#include "train/optimizer.h"
#include "train/weights_fit.h"

#include <stddef.h>
#include <string.h>

/* ---- running means --------------------------------------------------------------------------- */

static const struct config_key ema_keys[] = {
    {.name = "train.ema_decay",
     .type = CONFIG_FLOAT,
     .fallback = "0.999",
     .min = 0,
     .max = 0.9999999,
     .doc = "share of the old mean after an update; the first update copies the weights"},
    {0}};

static double ema_share(const struct config *c, int64_t t)
{
    return t ? 1 - config_float(c, "train.ema_decay") : 1;
}

static double swa_share(const struct config *c, int64_t t)
{
    (void)c;
    return 1 / (double)(t + 1);
}

static const struct average averages[] = {
    {{"none", "no running mean", NULL}, NULL, NULL},
    {{"ema", "exponential moving average, evaluated as val/ema_…", ema_keys}, "ema_", ema_share},
    {{"swa", "mean of the weights after every update so far, evaluated as val/swa_…", NULL},
     "swa_",
     swa_share}};

static const struct config_choice *average_choice(int i)
{
    return i < 3 ? &averages[i].choice : NULL;
}

const struct average *update_average(const struct config *c)
{
    return (const struct average *)config_choice(c, "train.average");
}

/* ---- freezing -------------------------------------------------------------------------------- */

static int is_embedding(const struct tensor *t)
{
    return strstr(t->name, "embedder") || strstr(t->name, "patch_embed");
}

static int is_no_head(const struct tensor *t)
{
    return !weights_is_head(t->name);
}

/* The authors' list, which has the position tables of the two streams but not the ViT's. */
static int is_old(const struct tensor *t)
{
    static const char *const added[] = {"process_pos_embed", "memory_pos_embed", "process_embedder",
                                        "memory_embedder",   "read_norm",        "write_norm",
                                        "process_norm",      "process_head",     "head",
                                        "mem_blocks",        "write_head",       "read_head"};
    for (size_t i = 0; i < sizeof added / sizeof *added; i++)
        if (strstr(t->name, added[i]))
            return 0;
    return 1;
}

/* A set of parameters under a name. */
struct chosen {
    struct config_choice choice;
    int (*is)(const struct tensor *t); /* NULL: none of them */
};

static const struct chosen freezes[] = {
    {{"none", "everything is trained", NULL}, NULL},
    {{"embeddings", "patch embeddings stay as they are", NULL}, is_embedding},
    {{"all_but_head", "the classifiers alone are trained", NULL}, is_no_head},
    {{"all_but_new", "what a ViTTM adds to a ViT is trained, and the classifiers", NULL}, is_old}};

static const struct config_choice *freeze_choice(int i)
{
    return i < 4 ? &freezes[i].choice : NULL;
}

/* ---- decay groups ---------------------------------------------------------------------------- */

static int is_vector(const struct tensor *t)
{
    return t->shape.rank <= 1;
}

/* Tables of positions and learned tokens are (1,N,C). */
static int is_vector_or_table(const struct tensor *t)
{
    return is_vector(t) || (t->shape.rank == 3 && t->shape.dim[0] == 1);
}

static const struct chosen groups[] = {
    {{"one", "weight decay of every parameter, the authors' way", NULL}, NULL},
    {{"vectors_free", "none of biases, norms and other vectors", NULL}, is_vector},
    {{"embeddings_free", "none of vectors, position tables and learned tokens either", NULL},
     is_vector_or_table}};

static const struct config_choice *group_choice(int i)
{
    return i < 3 ? &groups[i].choice : NULL;
}

/* ---- keys ------------------------------------------------------------------------------------ */

const struct config_key update_keys[] = {
    {.name = "train.accumulate",
     .type = CONFIG_INT,
     .fallback = "1",
     .min = 1,
     .max = 65536,
     .doc =
         "batches whose gradients are summed, each divided by their number, before one optimiser "
         "step; an epoch's last step may have fewer"},
    {.name = "train.average",
     .type = CONFIG_CHOICE,
     .fallback = "none",
     .choice = average_choice,
     .doc = "running mean of the weights, evaluated beside them"},
    {.name = "train.freeze",
     .type = CONFIG_CHOICE,
     .fallback = "none",
     .choice = freeze_choice,
     .doc = "parameters that keep their first values"},
    {.name = "train.decay_groups",
     .type = CONFIG_CHOICE,
     .fallback = "one",
     .choice = group_choice,
     .doc = "which parameters train.weight_decay concerns"},
    {0}};

void update_options(const struct config *c, struct plan_options *o)
{
    o->optimizer = ((const struct optimizer *)config_choice(c, "train.optimizer"))->op;
    o->accumulate = (int)config_int(c, "train.accumulate");
    o->running_mean = update_average(c)->share != NULL;
    o->frozen = ((const struct chosen *)config_choice(c, "train.freeze"))->is;
    o->undecayed = ((const struct chosen *)config_choice(c, "train.decay_groups"))->is;
}

void update_hyper(const struct config *c, const struct update *u, float out[HYPER_COUNT])
{
    const struct optimizer *optimizer =
        (const struct optimizer *)config_choice(c, "train.optimizer");
    const struct average *average = update_average(c);
    memset(out, 0, sizeof *out * HYPER_COUNT);
    out[HYPER_LR] = (float)u->lr;
    out[HYPER_DECAY] = (float)config_float(c, "train.weight_decay");
    out[HYPER_CLIP] = (float)config_float(c, "train.clip");
    out[HYPER_T] = u->last ? (float)(u->t + 1) : 0;
    out[HYPER_ADD] = u->part > 0;
    if (average->share)
        out[HYPER_SHARE] = (float)average->share(c, u->t);
    optimizer->hyper(c, out);
}
