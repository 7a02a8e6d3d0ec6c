/* Costs by name, and expressions over a cell. */
#include "runner/cell.h"

#include <stddef.h>
#include <string.h>

#include "base/config.h"
#include "base/number.h"

#define COST(field)                                                                                \
    {                                                                                              \
        "cost." #field, offsetof(struct cell_cost, field)                                          \
    }

static const struct {
    const char *name;
    size_t offset;
} costs[] = {
    COST(params),          COST(macs),       COST(macs_fvcore),
    COST(flops),           COST(train_macs), COST(peak_train_bytes),
    COST(peak_eval_bytes),
};

enum { N_COSTS = sizeof costs / sizeof *costs };
_Static_assert(sizeof(struct cell_cost) == N_COSTS * sizeof(int64_t), "every cost has a name");

const char *cell_cost_name(int i)
{
    return i >= 0 && i < N_COSTS ? costs[i].name + 5 : NULL;
}

int64_t cell_cost_get(const struct cell_cost *cost, int i)
{
    int64_t value;
    memcpy(&value, (const char *)cost + costs[i].offset, sizeof value);
    return value;
}

void cell_cost_clear(struct cell_cost *cost)
{
    memset(cost, 0xff, sizeof *cost); /* two's complement: every field is -1 */
}

const char *cell_state_name(enum cell_state state)
{
    static const char *const names[] = {"planned", "excluded", "refused", "folded"};
    return names[state];
}

static struct expr_value cost_value(const struct cell *c, const char *name)
{
    for (int i = 0; i < N_COSTS; i++)
        if (!strcmp(costs[i].name, name)) {
            int64_t value = cell_cost_get(&c->cost, i);
            return (struct expr_value){value < 0 ? EXPR_MISSING : EXPR_NUMBER, (double)value, NULL};
        }
    return (struct expr_value){EXPR_UNKNOWN, 0, NULL};
}

static struct expr_value key_value(const struct config_key *key, const char *text)
{
    struct expr_value v = {EXPR_STRING, 0, text};
    if (!text)
        v.kind = EXPR_MISSING;
    else if (key->type == CONFIG_BOOL)
        v = (struct expr_value){EXPR_BOOL, !strcmp(text, "true"), NULL};
    else if ((key->type == CONFIG_INT || key->type == CONFIG_FLOAT) &&
             !number_float(text, &v.number))
        v.kind = EXPR_NUMBER;
    else if (key->type == CONFIG_INTS || key->type == CONFIG_FLOATS)
        v = expr_list(text);
    return v;
}

static struct expr_value lookup(void *ctx, const char *name)
{
    const struct cell *c = ctx;
    if (!strncmp(name, "cost.", 5))
        return cost_value(c, name);
    const struct config_key *key = config_find(c->config, name);
    if (key)
        return key_value(key, config_text(c->config, name));
    if (!strcmp(name, "model"))
        return (struct expr_value){c->model ? EXPR_STRING : EXPR_MISSING, 0, c->model};
    return (struct expr_value){EXPR_UNKNOWN, 0, NULL};
}

static const char *cost_name(const void *ctx, int i)
{
    (void)ctx;
    return i < N_COSTS ? costs[i].name : NULL;
}

static const char *suggest(void *ctx, const char *name)
{
    const struct cell *c = ctx;
    const char *costs_near[CONFIG_NEAR];
    int n = config_near(name, cost_name, NULL, costs_near);
    const char *key = n && !strncmp(name, "cost", 4) ? NULL : config_suggest(c->config, name);
    return key ? key : n ? costs_near[0] : NULL;
}

int cell_value(const struct cell *c, const struct expr *e, struct expr_value *out,
               struct error *err)
{
    struct cell copy = *c; /* the scope's context is not const */
    const struct expr_scope scope = {lookup, suggest, &copy};
    return expr_value(e, &scope, out, err);
}

int cell_test(const struct cell *c, const struct expr *e, int *out, struct error *err)
{
    struct cell copy = *c;
    const struct expr_scope scope = {lookup, suggest, &copy};
    return expr_test(e, &scope, out, err);
}
