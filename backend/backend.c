/* The registry, and what all backends share: initial values. */
#include "backend/backend.h"
#include "backend/plugin.h"

#include "base/memory.h"
#include "base/rng.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BACKEND(name) extern const struct backend backend_##name;
#include "backend/backends.def"
#undef BACKEND

static const struct backend *const backends[] = {
#define BACKEND(name) &backend_##name,
#include "backend/backends.def"
#undef BACKEND
};

enum { N_BACKENDS = sizeof backends / sizeof *backends };

const struct backend *backend_at(int i)
{
    return i >= 0 && i < N_BACKENDS ? backends[i] : NULL;
}

const struct backend *backend_find(const char *name)
{
    for (int i = 0; i < N_BACKENDS; i++)
        if (!strcmp(backends[i]->choice.name, name))
            return backends[i];
    return NULL;
}

const struct config_choice *backend_choice(int i)
{
    const struct backend *b = backend_at(i);
    return b ? &b->choice : NULL;
}

const struct backend *backend_open(const struct backend *row, const struct backend_options *o,
                                   char *device, size_t size, struct error *err)
{
    const struct backend *b = row->plugin ? plugin_load(row->plugin, err) : row;
    return b && !b->probe(o, device, size, err) ? b : NULL;
}

struct capability backend_capability(const struct backend *b, enum precision precision)
{
    return (struct capability){.has = b->has,
                               .scratch = b->scratch,
                               .value_size = b->value_size,
                               .halves = precision == PRECISION_BF16 ? b->halves : NULL,
                               .ctx = b};
}

/* ---- initial values -------------------------------------------------------------------------- */

static void fill_constant(double *values, int64_t count, double value)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = value;
}

static void init_zero(double *values, int64_t count, double scale, struct rng *r)
{
    (void)scale;
    (void)r;
    fill_constant(values, count, 0);
}

static void init_one(double *values, int64_t count, double scale, struct rng *r)
{
    (void)scale;
    (void)r;
    fill_constant(values, count, 1);
}

static void init_normal(double *values, int64_t count, double scale, struct rng *r)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = scale * rng_normal(r);
}

static void init_uniform(double *values, int64_t count, double scale, struct rng *r)
{
    for (int64_t i = 0; i < count; i++)
        values[i] = rng_range(r, -scale, scale);
}

static void init_value(double *values, int64_t count, double scale, struct rng *r)
{
    (void)r;
    fill_constant(values, count, scale);
}

typedef void init_rule(double *values, int64_t count, double scale, struct rng *r);

static init_rule *const init_rules[] = {
    [INIT_ZERO] = init_zero,       [INIT_ONE] = init_one,     [INIT_NORMAL] = init_normal,
    [INIT_UNIFORM] = init_uniform, [INIT_VALUE] = init_value,
};

static void init_tensor(const struct backend *b, struct program *p, const struct tensor *t,
                        uint64_t seed)
{
    int64_t count = shape_count(t->shape);
    size_t size = strlen(t->name) + sizeof "init/";
    char *purpose = mem_alloc(size);
    double *values = mem_alloc(sizeof(double) * (size_t)count);
    struct rng r;
    snprintf(purpose, size, "init/%s", t->name);
    rng_init(&r, seed, purpose, 0, 0);
    init_rules[t->init.kind](values, count, t->init.scale, &r);
    b->write_double(p, t, values);
    free(values);
    free(purpose);
}

void program_init(const struct backend *b, struct program *p, const struct plan *plan,
                  uint64_t seed)
{
    const struct graph *g = plan->graph;
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        int has_rule = t->kind == TENSOR_PARAM || t->kind == TENSOR_STATE;
        if (has_rule && plan->places[t->id].block != PLAN_NONE)
            init_tensor(b, p, t, seed);
    }
}
