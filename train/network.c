#include "train/network.h"

#include "base/error.h"
#include "base/strbuf.h"
#include "tensor/ops/op.h"
#include "train/masker.h"
#include "train/loss.h"
#include "train/update.h"

#include <string.h>

static const struct tensor *find_result(struct network *n, const char *prefix, const char *name)
{
    struct strbuf whole = STRBUF_INIT;
    strbuf_addf(&whole, "%s%s", prefix, name);
    const struct tensor *t = graph_output_find(n->plan->graph, whole.text);
    if (!t)
        BUG("the compiled model lost its result %s", whole.text);
    strbuf_release(&whole);
    return t;
}

/* What an interrupted run must find again. The sum over micro-batches is not of them: a run is left
 * between updates only. */
static void find_states(struct network *n, const struct graph *g)
{
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        if (t->kind != TENSOR_STATE || !strcmp(t->name, "train/sum"))
            continue;
        ASSERT(n->n_states < NETWORK_STATES_MAX);
        n->states[n->n_states++] = t;
    }
}

/* Compiling may replace tensors, so they are found again by name. */
static void find_tensors(struct network *n, const struct model_io *io)
{
    const struct graph *g = n->plan->graph;
    n->image = graph_find(g, "input");
    n->levels = graph_find(g, "levels");
    n->mix = graph_find(g, "mix");
    n->second = io->second ? graph_find(g, "second") : NULL;
    n->view = io->view;
    n->target = graph_find(g, "target");
    n->hyper = graph_find(g, "train/hyper");
    n->mean = graph_find(g, "train/mean");
    find_states(n, g);
    n->loss = graph_output_find(g, "loss");
    n->norm_square = graph_output_find(g, "train/norm_square");
    n->n_logits = io->n_logits;
    n->n_terms = io->n_terms;
    for (int i = 0; i < io->n_terms; i++) {
        n->terms[i] = find_result(n, "loss_", io->terms[i]);
        n->term_names[i] = arena_strdup(&n->plan->graph->arena, io->terms[i]);
    }
    for (int i = 0; i < io->n_logits; i++) {
        n->logits[i] = find_result(n, "output/", io->logits_names[i]);
        n->heads[i] = model_head_name(&n->plan->graph->arena, io->logits_names[i]);
    }
    if (io->n_logits)
        n->classes = (int)shape_last(n->logits[0]->shape);
    n->segment = io->segment;
    n->pixels = graph_output_find(g, SEGMENT_SCORES);
    if (io->segment)
        n->classes = (int)io->segment->classes;
    n->mae = io->mae;
    for (int i = 0; io->mae && i < MAE_STREAMS; i++) {
        n->kept[i] = graph_find(g, io->mae->streams[i].kept);
        n->hidden[i] = graph_find(g, io->mae->streams[i].hidden);
        n->heads[i] = io->mae->streams[i].name;
        n->errors[i] = graph_output_find(g, io->mae->streams[i].error);
    }
}

static int compile(struct network *n, const struct config *c, const struct network_options *o,
                   struct model_io *io, struct error *err)
{
    struct model_options model = {.batch = o->batch,
                                  .with_loss = o->training,
                                  .training = o->training,
                                  .smoothing = o->smoothing,
                                  .soft_targets = o->soft_targets};
    struct plan_options plan = {.loss = o->training ? "loss" : NULL};
    struct capability capability =
        backend_capability(n->device->backend, n->device->options.precision);
    model.mix = o->mix && capability.has(capability.ctx, &op_mix_row);
    model.bytes = o->bytes && model.mix == o->mix && capability.has(capability.ctx, &op_levels_row);
    if (o->training) {
        loss_options(c, &model);
        update_options(c, &plan);
    }
    struct graph *g = model_build(c, &model, io, err);
    if (!g)
        return -1;
    n->plan = plan_compile(g, &plan, &capability, err);
    if (n->plan && o->training && !n->plan->n_trained)
        return config_error(c, err, "train.freeze", "leaves nothing of this model to be trained");
    return n->plan ? 0 : -1;
}

int network_open(struct network *n, const struct config *c, const struct device *device,
                 const struct network_options *o, struct error *err)
{
    struct model_io io;
    *n = (struct network){.device = device, .batch = o->batch};
    if (compile(n, c, o, &io, err)) {
        network_close(n);
        return -1;
    }
    find_tensors(n, &io);
    n->program = device->backend->load(n->plan, &device->options, err);
    if (n->program) {
        masker_prepare(n);
        return 0;
    }
    network_close(n);
    return -1;
}

void network_close(struct network *n)
{
    if (n->program)
        n->device->backend->unload(n->program);
    plan_free(n->plan);
    *n = (struct network){0};
}

void network_init(struct network *n, uint64_t seed)
{
    program_init(n->device->backend, n->program, n->plan, seed);
}

void network_write(struct network *n, const struct tensor *t, const void *host)
{
    n->device->backend->write(n->program, t, host);
}

void network_read(const struct network *n, const struct tensor *t, void *host)
{
    n->device->backend->read(n->program, t, host);
}

void network_put(struct network *n, const struct tensor *t, const void *values)
{
    if (network_value_size(n) == sizeof(double))
        n->device->backend->write_double(n->program, t, values);
    else
        network_write(n, t, values);
}

void network_get(const struct network *n, const struct tensor *t, void *values)
{
    if (network_value_size(n) == sizeof(double))
        n->device->backend->read_double(n->program, t, values);
    else
        network_read(n, t, values);
}

size_t network_value_size(const struct network *n)
{
    return n->device->backend->value_size;
}

void network_run(struct network *n, uint64_t seed, uint64_t step)
{
    n->device->backend->run(n->program, seed, step);
}

void network_wait(struct network *n)
{
    if (n->device->backend->wait)
        n->device->backend->wait(n->program);
}

int64_t network_bytes(const struct network *n)
{
    return (int64_t)(n->plan->static_bytes + n->plan->arena_bytes);
}
