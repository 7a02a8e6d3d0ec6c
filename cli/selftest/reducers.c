/* Contracts of token reduction: every registered method on the small ViT, options that change its
 * graph, and what is refused. A new method is covered without a change here. */
#include "cli/selftest/contract.h"
#include "model/reducer.h"

#include <stdio.h>
#include <string.h>

/* A method with up to two options. */
struct setting {
    const char *method, *options[2][2];
    int frozen; /* differences disagree with the gradient by design (model/reducer.h) */
};

static const struct setting settings[] = {
    {"tome", {{"model.reduce.prop_attn", "false"}}, 0},
    {"tome", {{"model.reduce.unmerge", "true"}, {"model.pool", "avg"}}, 0},
    {"tome", {{"model.layer_scale", "true"}}, 0},
    {"tome", {{"model.class_token", "false"}, {"model.pool", "avg"}}, 0},
    {"tome", {{"model.reduce.r", "[2, -1]"}, {"model.reduce.r_kind", "inflect"}}, 0},
    {"tome", {{"model.reduce.r", "[1, 3]"}}, 0},
    {"mctf", {{"model.reduce.pooling", "size"}}, 0},
    {"mctf", {{"model.reduce.pooling", "mean"}, {"model.reduce.one_step_ahead", "2"}}, 0},
    {"mctf", {{"model.reduce.pooling", "size"}, {"model.reduce.one_step_ahead", "0"}}, 0},
    {"mctf", {{"model.reduce.pooling", "mean"}, {"model.reduce.bidirectional", "false"}}, 0},
    {"mctf", {{"model.reduce.layers", "[0, 1]"}, {"model.reduce.r", "0.3"}}, 1},
    {"mctf", {{"model.reduce.unmerge", "true"}, {"model.layer_scale", "true"}}, 1},
    {"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.teacher_r", "1"}}, 1},
};

/* What cannot work, and the key that the refusal names. */
static const struct {
    struct setting setting;
    const char *key;
} refused[] = {
    {{"tome", {{"model.reduce.r", "5"}}, 0}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "1.5"}}, 0}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "-1"}}, 0}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "[1, 1, 1, 1]"}}, 0}, "model.reduce.r"},
    {{"tome", {{"model.reduce.r", "2"}, {"model.reduce.r_kind", "inflect"}}, 0},
     "model.reduce.r_kind"},
    {{"tome", {{"model.reduce.r", "[1, 1]"}, {"model.reduce.r_kind", "constant"}}, 0},
     "model.reduce.r_kind"},
    {{"mctf", {{"model.reduce.r", "5"}}, 0}, "model.reduce.r"},
    {{"mctf", {{"model.reduce.r", "0.7"}}, 0}, "model.reduce.r"},
    {{"mctf", {{"model.reduce.layers", "[0, 3]"}}, 0}, "model.reduce.layers"},
    {{"mctf", {{"model.reduce.layers", "[1, 1]"}}, 0}, "model.reduce.layers"},
    {{"mctf", {{"model.reduce.protected", "0"}}, 0}, "model.reduce.protected"},
    {{"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.task_weight", "1"}}, 0},
     "model.reduce.task_weight"},
    {{"mctf", {{"model.reduce.consistency", "true"}, {"model.reduce.teacher_r", "9"}}, 0},
     "model.reduce.teacher_r"},
};

static struct config *configured(const struct setting *s, char *name, size_t size)
{
    struct config *c = contract_config("vit");
    int n = snprintf(name, size, "vit reduce %s", s->method);
    contract_set(c, "model.reduce.method", s->method);
    contract_set(c, "model.depth", "3");
    contract_set(c, "model.drop_path", "0"); /* a dropped branch would hide what it merged */
    for (int i = 0; i < 2 && s->options[i][0]; i++) {
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
        struct setting s = {reducer_at(i)->choice.name, {{0}}, reducer_at(i)->frozen};
        check_setting(t, &s);
    }
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        check_setting(t, &settings[i]);
    for (size_t i = 0; i < sizeof refused / sizeof *refused; i++)
        check_refused(t, &refused[i].setting, refused[i].key);
}
