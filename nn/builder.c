/* Scopes and parameters. */
#include "nn/nn.h"

#include "base/number.h"
#include "tensor/graph/scope.h"

#include <stdarg.h>
#include <stdio.h>

const struct init nn_normal_002 = {INIT_NORMAL, 0.02};
const struct init nn_zero = {INIT_ZERO, 0};
const struct init nn_one = {INIT_ONE, 0};

const char *nn_enter(struct builder *b, const char *name)
{
    return graph_scope_push(b->g, name);
}

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

const char *nn_numbered(struct builder *b, const char *stem, int64_t i)
{
    char digits[32];
    return arena_join(&b->g->arena, stem, ".", number_whole(i, digits));
}

struct tensor *nn_param(struct builder *b, const char *name, struct shape shape, struct init init)
{
    return graph_scope_param(b->g, name, shape, init);
}

struct tensor *nn_unused_param(struct builder *b, const char *name, struct shape shape,
                               struct init init)
{
    struct tensor *t = nn_param(b, name, shape, init);
    t->unused = 1;
    return t;
}

void nn_refuse(struct builder *b, const char *key, const char *fmt, ...)
{
    char text[400];
    struct error err;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(text, sizeof text, fmt, ap);
    va_end(ap);
    const char *scope = b->g->scope;
    if (scope[0])
        config_error(b->c, &err, key, "%s (%s)", text, scope);
    else
        config_error(b->c, &err, key, "%s", text);
    if (!b->g->error.code)
        b->g->error = err;
}

int nn_check_heads(struct builder *b, const char *key, int64_t width, int heads)
{
    if (width % heads == 0)
        return 1;
    int64_t below = width / heads * heads;
    if (below)
        nn_refuse(b, key, "not divisible by %d heads (%lld and %lld are)", heads, (long long)below,
                  (long long)(below + heads));
    else
        nn_refuse(b, key, "not divisible by %d heads (%d is)", heads, heads);
    return 0;
}

int nn_check_patch(struct builder *b, const char *key, int64_t patch, int64_t side)
{
    int64_t below = patch < side ? patch : side, above = patch;
    if (side % patch == 0)
        return 1;
    while (side % below)
        below--;
    while (above < side && side % above)
        above++;
    if (above < side)
        nn_refuse(b, key, "does not divide an image of %lld pixels (%lld and %lld do)",
                  (long long)side, (long long)below, (long long)above);
    else
        nn_refuse(b, key, "does not divide an image of %lld pixels (%lld does)", (long long)side,
                  (long long)below);
    return 0;
}
