/* Contracts of token reduction: every registered method on the small ViT, options that change its
 * graph, and what is refused. A new method is covered without a change here. */
#include "cli/selftest/contract.h"
#include "model/reducer.h"

#include <stdio.h>
#include <string.h>

/* A method with up to three options. */
struct setting {
    const char *method, *options[3][2];
    int frozen;         /* differences disagree with the gradient by design (model/reducer.h) */
    const char *family; /* NULL: vit */
};

static const struct setting settings[] = {
    {"tome", {{"model.reduce.prop_attn", "false"}}, 0, NULL},
    {"tome", {{"model.reduce.unmerge", "true"}, {"model.pool", "avg"}}, 0, NULL},
    {"tome", {{"model.layer_scale", "true"}}, 0, NULL},
    {"tome", {{"model.class_token", "false"}, {"model.pool", "avg"}}, 0, NULL},
    {"tome", {{"model.reduce.r", "[2, -1]"}, {"model.reduce.r_kind", "inflect"}}, 0, NULL},
    {"tome", {{"model.reduce.r", "[1, 3]"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "size"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "mean"}, {"model.reduce.one_step_ahead", "2"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "size"}, {"model.reduce.one_step_ahead", "0"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "mean"}, {"model.reduce.bidirectional", "false"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "max"}}, 0, NULL},
    {"mctf", {{"model.reduce.pooling", "max"}, {"model.reduce.one_step_ahead", "0"}}, 0, NULL},
    {"mctf", {{"model.reduce.layers", "[0, 1]"}, {"model.reduce.r", "0.3"}}, 1, NULL},
    {"mctf", {{"model.reduce.unmerge", "true"}, {"model.layer_scale", "true"}}, 1, NULL},
    {"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.teacher_r", "1"}}, 1, NULL},
};

/* Other hosts, whose blocks have no bias on q, k, v, another scale or divided branches. */
static const struct setting hosts[] = {
    {"mctf", {{"model.reduce.pooling", "size"}}, 0, "lvvit"},
    {"tome", {{"model.reduce.r", "2"}}, 0, "lvvit"},
    {"mctf", {{"model.reduce.pooling", "mean"}, {"model.image_size", "32"}}, 0, "t2tvit"},
    {"tome", {{"model.reduce.r", "1"}, {"model.image_size", "32"}}, 0, "t2tvit"},
};

/* Streams of a ViTTM: 16 memory and 4 process tokens. */
static const struct setting streams[] = {
    {"tome", {{"model.reduce.r", "1"}, {"model.fusion", "add"}}, 0, "vittm"},
    {"mctf", {{"model.reduce.r", "1"}, {"model.reduce.pooling", "size"}}, 0, "vittm"},
    {"tome", {{"model.reduce.stream", "memory"}, {"model.reduce.unmerge", "true"}}, 0, "vittm"},
    {"tome", {{"model.reduce.stream", "memory"}, {"model.rw_every", "2"}}, 0, "vittm"},
    {"tome",
     {{"model.reduce.stream", "memory"}, {"model.memory_block", "mlp"}, {"model.rw_head", "cross"}},
     0,
     "vittm"},
};

/* What cannot work, and the key that the refusal names. */
static const struct {
    struct setting setting;
    const char *key;
} refused[] = {
    {{"tome", {{"model.reduce.r", "5"}}, 0, NULL}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "1.5"}}, 0, NULL}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "-1"}}, 0, NULL}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "[1, 1, 1, 1]"}}, 0, NULL}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "2"}, {"model.reduce.r_kind", "inflect"}}, 0, NULL},
     "model.reduce.r_kind"},
    {{"tome", {{"model.reduce.r", "[1, 1]"}, {"model.reduce.r_kind", "constant"}}, 0, NULL},
     "model.reduce.r_kind"},
    {{"mctf", {{"model.reduce.r", "5"}}, 0, NULL}, "model.reduce.r"},
    {{"mctf", {{"model.reduce.r", "0.7"}}, 0, NULL}, "model.reduce.r"},
    {{"mctf", {{"model.reduce.layers", "[0, 3]"}}, 0, NULL}, "model.reduce.layers"},
    {{"mctf", {{"model.reduce.layers", "[1, 1]"}}, 0, NULL}, "model.reduce.layers"},
    {{"mctf", {{"model.reduce.protected", "0"}}, 0, NULL}, "model.reduce.protected"},
    {{"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.task_weight", "1"}}, 0, NULL},
     "model.reduce.task_weight"},
    {{"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.teacher_r", "9"}}, 0, NULL},
     "model.reduce.teacher_r"},
    {{"tome", {{"model.fusion", "add_erase"}}, 0, "vittm"}, "model.fusion"},
    {{"mctf", {{"model.reduce.stream", "memory"}}, 0, "vittm"}, "model.reduce.stream"},
    {{"mctf", {{"model.reduce.consistency", "true"}}, 0, "vittm"}, "model.reduce.consistency"},
    {{"mctf", {{"model.reduce.consistency", "true"}}, 0, "lvvit"}, "model.reduce.consistency"},
    {{"tome", {{"model.reduce.stream", "memory"}, {"model.memory_block", "conv"}}, 0, "vittm"},
     "model.memory_block"},
};

static struct config *configured(const struct setting *s, char *name, size_t size)
{
    const char *family = s->family ? s->family : "vit";
    struct config *c = contract_config(family);
    int n = snprintf(name, size, "%s reduce %s", family, s->method);
    contract_set(c, "model.reduce.method", s->method);
    contract_set(c, "model.depth", "3");
    contract_set(c, "model.drop_path", "0"); /* a dropped branch would hide what it merged */
    for (int i = 0; i < 3 && s->options[i][0]; i++) {
        contract_set(c, s->options[i][0], s->options[i][1]);
        n += snprintf(name + n, size - (size_t)n, " %s %s", strrchr(s->options[i][0], '.') + 1,
                      s->options[i][1]);
    }
    return c;
}

/* These must be built, so a refusal does not pass. */
static int is_built(const struct config *c, struct error *err)
{
    struct graph *g = contract_build(c, err);
    if (g)
        graph_free(g);
    return g != NULL;
}

static void check_setting(struct selftest *t, const struct setting *s)
{
    char name[200];
    struct error err = {0};
    struct config *c = configured(s, name, sizeof name);
    if (config_resolve(c, &err) || !is_built(c, &err))
        selftest_fail(t, name, "%s", err.msg);
    else
        contract_check(t, name, c, !s->frozen);
    config_free(c);
}

static void check_refused(struct selftest *t, const struct setting *s, const char *key)
{
    char name[200];
    struct error err = {0};
    struct config *c = configured(s, name, sizeof name);
    if (!config_resolve(c, &err) && is_built(c, &err))
        selftest_fail(t, name, "was not refused");
    else if (!strstr(err.msg, key))
        selftest_fail(t, name, "refused without naming %s: %s", key, err.msg);
    else
        selftest_pass(t, name, "refused: %s", err.msg);
    config_free(c);
}

void selftest_reducers(struct selftest *t)
{
    for (int i = 0; reducer_at(i); i++) {
        struct setting s = {reducer_at(i)->choice.name, {{0}}, reducer_at(i)->frozen, NULL};
        check_setting(t, &s);
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        check_setting(t, &settings[i]);
    for (size_t i = 0; i < sizeof hosts / sizeof *hosts; i++)
        check_setting(t, &hosts[i]);
    for (size_t i = 0; i < sizeof streams / sizeof *streams; i++)
        check_setting(t, &streams[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_refused(t, &refused[i].setting, refused[i].key);
}
