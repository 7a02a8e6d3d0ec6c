#include "cli/actions.h"

#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"

static int count(const struct action *actions)
{
    int n = 0;
    while (actions[n].name)
        n++;
    return n;
}

const char *actions_name(const struct action *actions, int i)
{
    return i >= 0 && i < count(actions) ? actions[i].name : NULL;
}

static const char *action_at(const void *ctx, int i)
{
    return actions_name(ctx, i);
}

static int unknown(const struct action *actions, const char *name, struct error *err)
{
    const char *near = config_nearest(name, action_at, actions);
    struct strbuf all = STRBUF_INIT;
    if (near)
        return error_set(err, "unknown action %s (did you mean %s?)", name, near);
    for (int i = 0, n = count(actions); i < n; i++)
        strbuf_addf(&all, "%s%s", i == 0 ? "" : i == n - 1 ? " or " : ", ", actions[i].name);
    error_set(err, "unknown action %s (%s)", name, all.text);
    strbuf_release(&all);
    return -1;
}

int actions_run(const struct action *actions, const struct args *a, struct error *err)
{
    const struct action *x = actions;
    while (x->name && strcmp(x->name, a->operands[0]) != 0)
        x++;
    if (!x->name)
        return unknown(actions, a->operands[0], err);
    if (a->n_operands < x->min_operands || a->n_operands > x->max_operands)
        return error_set(err, "%s takes %s: vittm %s %s", x->name, x->takes, a->command->name,
                         a->command->operands);
    return x->run(a, err);
}
