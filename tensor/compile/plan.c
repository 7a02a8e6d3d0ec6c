/* plan_compile: the passes in order. */
#include "tensor/compile/plan.h"
#include "base/memory.h"
#include "tensor/compile/pass.h"
#include "tensor/ops/ops.h"

#include <stdlib.h>
#include <string.h>

void graph_cost(const struct graph *g, struct op_cost *total)
{
    *total = (struct op_cost){0};
    for (int i = 0; i < g->n_nodes; i++) {
        struct op_cost c;
        op_cost(g->nodes[i], &c);
        total->macs += c.macs;
        total->macs_fvcore += c.macs_fvcore;
        total->other_flops += c.other_flops;
        total->bytes_read += c.bytes_read;
        total->bytes_written += c.bytes_written;
    }
}

enum { HALF_BYTES = 2 };

size_t plan_bytes(const struct plan *p, const struct tensor *t)
{
    size_t each = p->places[t->id].half ? HALF_BYTES : tensor_type_size(t->type, p->value_size);
    return (size_t)shape_count(t->shape) * each;
}

size_t plan_copy_bytes(const struct tensor *t)
{
    return (size_t)shape_count(t->shape) * HALF_BYTES;
}

struct tensor *plan_memory_of(struct tensor *t)
{
    while (t->producer && (t->producer->op->flags & OP_ALIAS))
        t = t->producer->in[0];
    return t;
}

/* A parameter's gradient is written straight into the flat segment, so it needs memory of its own:
 * no leaf, not another parameter's gradient, no result. taken, by id: memory that has a use. */
static struct tensor *own_memory(struct plan *p, struct tensor *d, char *taken)
{
    struct tensor *m = plan_memory_of(d);
    int shared = m->kind != TENSOR_NODE || taken[m->id];
    taken[m->id] = 1;
    return shared ? op_affine(p->graph, d, 1, 0) : d;
}

/* The parameters with a gradient whose decay is like this. */
static void list_trained(struct plan *p, struct tensor *const *grads, int n, char *taken,
                         int (*undecayed)(const struct tensor *param), int decays)
{
    for (int i = 0; i < n; i++) {
        struct tensor *t = p->graph->tensors[i];
        if (t->kind != TENSOR_PARAM || !grads[i] || (undecayed && undecayed(t)) == decays)
            continue;
        int64_t count = shape_count(t->shape);
        p->params[p->n_params++] = t;
        p->grads[p->n_trained++] = own_memory(p, grads[i], taken);
        p->flat_count += (count + PLAN_ALIGN - 1) / PLAN_ALIGN * PLAN_ALIGN;
    }
}

static void list_params(struct plan *p, const struct plan_options *o, struct tensor *const *grads)
{
    struct graph *g = p->graph;
    int n = g->n_tensors;
    p->params = mem_alloc((size_t)n * sizeof *p->params);
    p->grads = mem_alloc((size_t)n * sizeof *p->grads);
    char *taken = mem_zalloc((size_t)n, 1);
    for (int i = 0; i < g->n_outputs; i++)
        taken[plan_memory_of(g->outputs[i])->id] = 1;
    if (grads) {
        list_trained(p, grads, n, taken, o->undecayed, 1);
        p->decayed_count = p->flat_count;
        list_trained(p, grads, n, taken, o->undecayed, 0);
    }
    free(taken);
    for (int i = 0; i < n; i++) {
        struct tensor *t = g->tensors[i];
        if (t->kind != TENSOR_PARAM)
            continue;
        p->param_count += shape_count(t->shape);
        if (!grads || !grads[i])
            p->params[p->n_params++] = t;
    }
}

/* The sum over micro-batches where there is one, and what reads it: the norm, the update. */
static void append_optimizer(struct plan *p, const struct plan_options *o)
{
    struct graph *g = p->graph;
    struct init zero = {INIT_ZERO, 0};
    struct shape flat = SHAPE(p->flat_count);
    struct tensor *params = graph_flat(g, FLAT_PARAMS, p->flat_count);
    struct tensor *grads = graph_flat(g, FLAT_GRADS, p->flat_count);
    struct tensor *states[2] = {graph_state(g, "train/m", flat, zero)};
    if (op_update_states(o->optimizer) > 1)
        states[1] = graph_state(g, "train/v", flat, zero);
    struct tensor *hyper = graph_input(g, "train/hyper", SHAPE(HYPER_COUNT), TENSOR_VALUE);
    if (o->accumulate > 1) {
        struct tensor *sum = graph_state(g, "train/sum", flat, zero);
        op_apply_accumulate(g, sum, grads, hyper);
        grads = sum;
    }
    struct tensor *square = op_norm_square(g, grads);
    graph_output(g, "train/norm_square", square);
    op_apply_update(g, o->optimizer, params, states, grads, square, hyper, p->decayed_count);
    if (o->running_mean)
        op_apply_running_mean(g, graph_state(g, "train/mean", flat, zero), params, hyper);
}

static void name_gradients(struct plan *p)
{
    for (int i = 0; i < p->n_trained; i++) {
        char *name = arena_printf(&p->graph->arena, "grad/%s", p->params[i]->name);
        graph_output(p->graph, name, p->grads[i]);
    }
}

static int differentiate(struct plan *p, const struct plan_options *o,
                         const struct capability *backend, struct error *err)
{
    struct graph *g = p->graph;
    struct tensor *loss = graph_output_find(g, o->loss);
    if (!loss)
        return error_set(err, "the model has no result named %s", o->loss);
    int n = g->n_tensors;
    struct tensor **grads = mem_zalloc((size_t)n, sizeof *grads);
    if (o->frozen)
        pass_freeze(g, o->frozen);
    int rc = pass_autograd(g, loss, grads, n, o->accumulate > 1 ? 1.0 / o->accumulate : 1, err);
    if (!rc) {
        list_params(p, o, grads);
        if (o->optimizer && p->n_trained)
            append_optimizer(p, o);
        if (o->keep_gradients)
            name_gradients(p);
        rc = pass_lower(g, backend, p->grads, p->n_trained, err);
        if (!rc)
            rc = pass_fuse_gradients(g, backend, p->grads, p->n_trained, err);
    }
    free(grads);
    return rc;
}

/* The nodes that a kernel computes; no placement yet. */
static void list_steps(struct plan *p)
{
    const struct graph *g = p->graph;
    p->steps = mem_zalloc((size_t)g->n_nodes + 1, sizeof *p->steps);
    p->places = mem_zalloc((size_t)g->n_tensors + 1, sizeof *p->places);
    for (int i = 0; i < g->n_nodes; i++)
        if (!(g->nodes[i]->op->flags & OP_ALIAS))
            p->steps[p->n_steps++].node = g->nodes[i];
}

static int compile(struct plan *p, const struct plan_options *o, const struct capability *backend,
                   struct error *err)
{
    struct graph *g = p->graph;
    if (graph_failed(g, err))
        return -1;
    graph_prune(g, NULL, 0);
    if (pass_check(g, err) || pass_lower(g, backend, NULL, 0, err) || pass_fuse(g, backend, err))
        return -1;
    if (o->loss && differentiate(p, o, backend, err))
        return -1;
    if (!o->loss)
        list_params(p, o, NULL);
    graph_prune(g, p->grads, p->n_trained);
    pass_narrow(g, p->grads, p->n_trained);
    list_steps(p);
    pass_store(p, o, backend);
    pass_place(p, o, backend);
    return 0;
}

struct plan *plan_compile(struct graph *g, const struct plan_options *options,
                          const struct capability *backend, struct error *err)
{
    struct plan *p = mem_zalloc(1, sizeof *p);
    p->graph = g;
    p->value_size = backend->value_size;
    if (compile(p, options, backend, err)) {
        plan_free(p);
        return NULL;
    }
    return p;
}

void plan_free(struct plan *p)
{
    if (!p)
        return;
    free(p->places);
    free(p->steps);
    free(p->params);
    free(p->grads);
    graph_free(p->graph);
    free(p);
}
