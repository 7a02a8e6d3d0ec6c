/* Probes. */
#include "cli/selftest/probe.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"

#include <stdlib.h>
#include <string.h>

void probe_loss(struct graph *g, struct tensor *y)
{
    int64_t n = shape_count(y->shape);
    double *cotangent = mem_alloc(sizeof *cotangent * (size_t)n);
    struct rng r;
    rng_init(&r, 1, "cotangent", 0, 0);
    for (int64_t i = 0; i < n; i++)
        cotangent[i] = rng_normal(&r);
    graph_output(g, "y", y);
    struct tensor *weighted = op_mul(g, y, graph_constant(g, "cotangent", y->shape, cotangent));
    struct tensor *flat = op_reshape(g, weighted, SHAPE(n));
    graph_output(g, "loss", op_sum(g, flat, 0, 1, 0, 1));
    free(cotangent);
}

static int has_unfused(const void *ctx, const struct op *op)
{
    const struct backend *b = ctx;
    return !(op->flags & OP_FUSED) && b->has(b, op);
}

int probe_open(struct probe *p, const struct backend *backend, struct graph *g, const char *loss,
               const struct probe_options *o, uint64_t seed, struct error *err)
{
    struct plan_options po = {
        .loss = loss, .keep_gradients = loss != NULL, .no_reuse = o->no_reuse};
    struct capability c = backend_capability(backend, o->precision);
    struct backend_options bo = {.threads = o->threads ? o->threads : 1, .precision = o->precision};
    *p = (struct probe){.backend = backend};
    if (o->expand)
        c.has = has_unfused;
    p->plan = plan_compile(g, &po, &c, err);
    if (!p->plan)
        return -1;
    p->program = backend->load(p->plan, &bo, err);
    if (!p->program) {
        plan_free(p->plan);
        return -1;
    }
    program_init(backend, p->program, p->plan, seed);
    return 0;
}

void probe_close(struct probe *p)
{
    p->backend->unload(p->program);
    plan_free(p->plan);
}

void probe_run(const struct probe *p, uint64_t seed, uint64_t step)
{
    p->backend->run(p->program, seed, step);
}

double *probe_read(const struct probe *p, const char *name, int64_t *count)
{
    const struct tensor *t = graph_output_find(p->plan->graph, name);
    if (!t)
        BUG("no result %s", name);
    int64_t n = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n);
    p->backend->read_double(p->program, t, x);
    if (count)
        *count = n;
    return x;
}

double probe_scalar(const struct probe *p, const char *name)
{
    double *x = probe_read(p, name, NULL), value = x[0];
    free(x);
    return value;
}

void probe_digest(const struct probe *p, char hex[65])
{
    const struct graph *g = p->plan->graph;
    size_t total = 0;
    for (int i = 0; i < g->n_outputs; i++)
        total += (size_t)shape_count(g->outputs[i]->shape);
    double *all = mem_alloc(sizeof *all * (total ? total : 1)), *at = all;
    for (int i = 0; i < g->n_outputs; i++) {
        p->backend->read_double(p->program, g->outputs[i], at);
        at += shape_count(g->outputs[i]->shape);
    }
    file_sha256_bytes(all, sizeof *all * total, hex);
    free(all);
}

int probe_repeats(struct probe *p, uint64_t seed, uint64_t step)
{
    char first[65], again[65];
    probe_run(p, seed, step);
    probe_digest(p, first);
    for (int i = 0; i < 2; i++) {
        probe_run(p, seed, step);
        probe_digest(p, again);
        if (strcmp(first, again))
            return 0;
    }
    return 1;
}
