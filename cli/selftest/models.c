/* Contracts of everything that plugs into a model (cli/selftest/contract.h): every combination of
 * read-write head, fusion, memory block and process initialisation, and every other family, is
 * built small from the registries. A new member is covered without a change here. */
#include "cli/selftest/contract.h"
#include "fusion/fusion.h"
#include "heads/head.h"
#include "model/memory_block.h"
#include "model/model.h"
#include "model/objective.h"
#include "model/process_init.h"

#include <stdio.h>
#include <string.h>

static void check_vittm(struct selftest *t, const struct head *h, const struct fusion *f,
                        const struct memory_block *m, const struct process_init *p)
{
    char name[200];
    snprintf(name, sizeof name, "vittm %s %s memory %s init %s", h->choice.name, f->choice.name,
             m->choice.name, p->choice.name);
    struct config *c = contract_config("vittm");
    contract_set(c, "model.rw_head", h->choice.name);
    contract_set(c, "model.fusion", f->choice.name);
    contract_set(c, "model.memory_block", m->choice.name);
    contract_set(c, "model.process_init", p->choice.name);
    contract_check(t, name, c, 1);
    config_free(c);
}

/* Options that change how a family is put together, one at a time over the small model. */
static const struct variation {
    const char *family, *key, *value;
} variations[] = {
    {"vit", "model.class_token", "false"},      {"vit", "model.pool", "avg"},
    {"vit", "model.layer_scale", "true"},       {"vit", "model.no_embed_class", "true"},
    {"vit", "model.table_image_size", "20"},    {"vittm", "model.table_image_size", "18"},
    {"vittm", "model.layer_scale", "true"},     {"vittm", "model.rw_every", "2"},
    {"vittm", "model.memory_dim", "8"},         {"revvit", "model.variant", "minrev"},
    {"revvit", "model.reversible", "false"},    {"vittm", "train.mae.masks", "matched"},
    {"vittm", "train.mae.normalize", "true"},   {"vittm", "model.memory_input", "second"},
    {"vittm", "model.second.image_size", "24"},
};

static void check_variation(struct selftest *t, const struct variation *v)
{
    char name[128];
    snprintf(name, sizeof name, "%s %s %s", v->family, v->key, v->value);
    struct config *c = contract_config(v->family);
    if (!strncmp(v->key, "train.mae.", strlen("train.mae.")))
        contract_set(c, "train.objective", "mae");
    if (!strncmp(v->key, "model.second.", strlen("model.second.")))
        contract_set(c, "model.memory_input", "second");
    contract_set(c, v->key, v->value);
    if (!strcmp(v->key, "model.class_token")) /* nothing to take as the token */
        contract_set(c, "model.pool", "avg");
    contract_check(t, name, c, 1);
    config_free(c);
}

/* What a model may be trained for besides classes: with every family, and with every head and
 * fusion of a ViTTM. */
static void check_objective(struct selftest *t, const struct objective *o, const char *family,
                            const char *head, const char *fusion)
{
    char name[128];
    snprintf(name, sizeof name, "%s %s %s %s", o->choice.name, family, head, fusion);
    struct config *c = contract_config(family);
    contract_set(c, "train.objective", o->choice.name);
    if (*head) {
        contract_set(c, "model.rw_head", head);
        contract_set(c, "model.fusion", fusion);
    }
    contract_check(t, name, c, 1);
    config_free(c);
}

static void check_objectives(struct selftest *t)
{
    for (int i = 1; objective_at(i); i++) { /* the first one is that of all other checks */
        for (int m = 0; model_at(m); m++)
            check_objective(t, objective_at(i), model_at(m)->choice.name, "", "");
        for (int h = 0; head_at(h); h++)
            for (int f = 0; fusion_at(f); f++)
                check_objective(t, objective_at(i), "vittm", head_at(h)->choice.name,
                                fusion_at(f)->choice.name);
    }
}

/* A reversible network needs no more memory when it is deeper, but for parameters' gradients. */
static size_t arena_of_depth(const char *depth)
{
    struct error err = {0};
    struct capability null = backend_capability(backend_find("null"), PRECISION_FP32);
    struct plan_options o = {.loss = "loss", .optimizer = &op_adamw_row};
    struct config *c = contract_config("revvit");
    contract_set(c, "model.depth", depth);
    if (config_resolve(c, &err))
        BUG("%s", err.msg);
    struct graph *g = contract_build(c, &err);
    struct plan *p = g ? plan_compile(g, &o, &null, &err) : NULL;
    size_t bytes = p ? p->arena_bytes - (size_t)p->flat_count * p->value_size : 0;
    plan_free(p);
    config_free(c);
    return bytes;
}

static void check_reversible_memory(struct selftest *t)
{
    size_t shallow = arena_of_depth("12"), deep = arena_of_depth("48");
    if (shallow && shallow == deep)
        selftest_pass(t, "revvit memory", "%zu bytes of activations at depth 12 and 48", shallow);
    else
        selftest_fail(t, "revvit memory", "%zu bytes of activations at depth 12, %zu at 48",
                      shallow, deep);
}

void selftest_models(struct selftest *t)
{
    for (size_t i = 0; i < sizeof variations / sizeof *variations; i++)
        check_variation(t, &variations[i]);
    check_reversible_memory(t);
    selftest_decoders(t);
    check_objectives(t);
    for (int h = 0; head_at(h); h++)
        for (int f = 0; fusion_at(f); f++)
            for (int m = 0; memory_block_at(m); m++)
                for (int p = 0; process_init_at(p); p++)
                    check_vittm(t, head_at(h), fusion_at(f), memory_block_at(m),
                                process_init_at(p));
    selftest_reducers(t);
    for (int i = 0; model_at(i); i++) {
        struct config *c = contract_config(model_at(i)->choice.name);
        contract_check(t, model_at(i)->choice.name, c, 1);
        config_free(c);
    }
}
