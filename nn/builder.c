/* Scopes and parameters. */
#include "nn/nn.h"

#include <stdarg.h>
#include <stdio.h>

const struct init nn_normal_002 = {INIT_NORMAL, 0.02};
const struct init nn_zero = {INIT_ZERO, 0};
const struct init nn_one = {INIT_ONE, 0};

const char *nn_push(struct builder *b, const char *fmt, ...)
{
    char name[128];
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(name, sizeof name, fmt, ap);
    va_end(ap);
    return graph_scope_push(b->g, name);
}

void nn_pop(struct builder *b, const char *old)
{
    graph_scope_pop(b->g, old);
}

struct tensor *nn_param(struct builder *b, const char *name, struct shape shape, struct init init)
{
    const char *scope = b->g->scope;
    const char *path = arena_printf(&b->g->arena, "%s%s%s", scope, scope[0] ? "." : "", name);
    return graph_param(b->g, path, shape, init);
}

struct tensor *nn_unused_param(struct builder *b, const char *name, struct shape shape,
                               struct init init)
{
    struct tensor *t = nn_param(b, name, shape, init);
    t->unused = 1;
    return t;
}

int nn_check_heads(struct builder *b, const char *key, int64_t width, int heads)
{
    if (width % heads == 0)
        return 1;
    int64_t below = width / heads * heads;
    if (below)
        graph_refuse(b->g, "%s %lld is not divisible by heads %d (%lld and %lld are)", key,
                     (long long)width, heads, (long long)below, (long long)(below + heads));
    else
        graph_refuse(b->g, "%s %lld is not divisible by heads %d (%d is)", key, (long long)width,
                     heads, heads);
    return 0;
}
