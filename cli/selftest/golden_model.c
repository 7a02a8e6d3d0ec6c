/* One golden model file: build the model that its configuration describes, load its parameters, run
 * forward and backward three times, and compare everything stored. */
#include "base/memory.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"
#include "model/model.h"

#include <stdlib.h>
#include <string.h>

/* In float a gradient that is small because its terms cancel has the rounding of the terms. Below
 * this part of the model's largest gradient (norms) the error counts absolutely: with the usual
 * tolerance of 1e-4 that is 1e-7 of the largest, one epsilon of float; seen are 3.2e-8. It is
 * needed by erase models, whose tokens are nearly one vector by the second layer: their gradients
 * of q and k, 1e-4 to 4e-9 of the largest, are differences of tokens that float has stored, so no
 * order of operations behind them brings the digits back, in any of the heads (cross, latent,
 * latent_cross, linear). Double has no need. */
#define FLOAT_FLOOR 1e-3

struct run {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
    const struct safetensors *file;
};

/* What the file has of a parameter, by either of its names. */
static double *stored_of(const struct run *r, const char *prefix, const struct tensor *t)
{
    double *x = golden_stored(r->file, prefix, t->name, shape_count(t->shape));
    return x || !t->alias_name
               ? x
               : golden_stored(r->file, prefix, t->alias_name, shape_count(t->shape));
}

static int write_params(const struct run *r, struct error *err)
{
    for (int i = 0; i < r->plan->n_params; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored_of(r, "param/", t);
        if (!x)
            return error_set(err, "has no parameter %s of the model's shape", t->name);
        r->backend->write_double(r->program, t, x);
        free(x);
    }
    return 0;
}

static int has_param(const struct plan *p, const char *name)
{
    for (int i = 0; i < p->n_params; i++)
        if (!strcmp(p->params[i]->name, name) ||
            (p->params[i]->alias_name && !strcmp(p->params[i]->alias_name, name)))
            return 1;
    return 0;
}

static int all_params_known(const struct run *r, struct error *err)
{
    for (size_t i = 0; i < r->file->n_tensors; i++) {
        const char *name = r->file->tensors[i].name;
        if (!strncmp(name, "param/", 6) && !has_param(r->plan, name + 6))
            return error_set(err, "the model has no parameter %s", name + 6);
    }
    return 0;
}

static void write_input(const struct run *r, const struct model_io *io)
{
    double *x = golden_stored(r->file, "", "input", shape_count(io->image->shape));
    int64_t n = shape_count(io->target->shape);
    double *labels = golden_stored(r->file, "", "target", n);
    int32_t *target = mem_alloc(sizeof *target * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        target[i] = (int32_t)labels[i];
    r->backend->write_double(r->program, io->image, x);
    r->backend->write(r->program, io->target, target);
    free(x);
    free(labels);
    free(target);
}

/* Whether theory says that this gradient is zero (a bias before a softmax over the same axis): what
 * is stored and what comes out is rounding, so it is held against the largest gradient of the
 * model. */
static int zero_in_theory(const struct safetensors *s, const char *param)
{
    const char *text = safetensors_metadata(s, "zero_grad_params");
    json_error_t je;
    json_t *list = text ? json_loads(text, 0, &je) : NULL, *item;
    size_t i;
    int found = 0;
    json_array_foreach(list, i, item) found |=
        json_is_string(item) && !strcmp(json_string_value(item), param);
    json_decref(list);
    return found;
}

/* Every stored result must be one of the model's. */
static int all_results_given(const struct run *r, struct error *err)
{
    for (size_t i = 0; i < r->file->n_tensors; i++) {
        const struct safetensors_tensor *t = &r->file->tensors[i];
        if (strncmp(t->name, "output/", 7) && strncmp(t->name, "loss", 4))
            continue;
        const struct tensor *ours = graph_output_find(r->plan->graph, t->name);
        if (!ours)
            return error_set(err, "the model has no result %s", t->name);
        if (shape_count(ours->shape) != (int64_t)t->count)
            return error_set(err, "%s has another size than the model's", t->name);
    }
    return 0;
}

/* Outputs and loss by name, gradients of trained parameters; untrained ones must be stored as zero.
 */
static int compare_all(const struct run *r, struct comparison *c, struct error *err)
{
    double tolerance =
        r->backend->value_size == 8 ? GOLDEN_TOLERANCE_DOUBLE : GOLDEN_TOLERANCE_FLOAT;
    const struct graph *g = r->plan->graph;
    double largest = 0; /* gradient norm */
    for (int i = 0; i < r->plan->n_trained; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored_of(r, "grad/", t);
        if (!x)
            return error_set(err, "has no gradient of %s", t->name);
        double size = golden_norm(x, shape_count(t->shape));
        largest = size > largest ? size : largest;
        free(x);
    }
    for (int i = 0; i < g->n_outputs; i++) {
        const char *name = g->output_names[i];
        int is_grad = !strncmp(name, "grad/", 5);
        int64_t n = shape_count(g->outputs[i]->shape);
        const struct tensor *of = is_grad ? graph_find(g, name + 5) : NULL;
        double *want = of ? stored_of(r, "grad/", of) : golden_stored(r->file, "", name, n);
        if (!want && !is_grad)
            continue; /* a result that this file does not speak of */
        if (!want)
            return error_set(err, "has no %s", name);
        double *got = mem_alloc(sizeof *got * (size_t)n);
        r->backend->read_double(r->program, g->outputs[i], got);
        int is_zero = is_grad && (golden_norm(want, n) == 0 || zero_in_theory(r->file, name + 5));
        double floor = is_grad && r->backend->value_size < 8 ? FLOAT_FLOOR * largest : 1e-12;
        golden_compare(c, name, got, want, n, tolerance, is_zero ? largest : floor);
        free(got);
        free(want);
    }
    for (int i = r->plan->n_trained; i < r->plan->n_params; i++) {
        const struct tensor *t = r->plan->params[i];
        double *x = stored_of(r, "grad/", t);
        if (x && golden_norm(x, shape_count(t->shape)) > 0)
            error_set(err, "%s has a gradient in the file and none in the model", t->name);
        free(x);
        if (err->code)
            return -1;
    }
    return 0;
}

/* Whether the file is about a training step of two passes rather than a plain forward and backward.
 */
static int is_training(const struct config *c)
{
    return config_is_active(c, "model.reduce.consistency") &&
           config_bool(c, "model.reduce.consistency");
}

static int run_case(const struct backend *backend, int threads, const struct safetensors *file,
                    const struct config *c, struct comparison *result, struct error *err)
{
    const struct safetensors_tensor *input = safetensors_find(file, "input");
    struct model_options o = {.batch = input ? input->dim[0] : 1,
                              .height = input && input->rank == 4 ? input->dim[2] : 0,
                              .width = input && input->rank == 4 ? input->dim[3] : 0,
                              .with_loss = 1,
                              .token_outputs = 1,
                              .training = is_training(c)};
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability capability = backend_capability(backend, PRECISION_FP32);
    struct backend_options bo = {.threads = threads};
    struct model_io io;
    struct run r = {.backend = backend, .file = file};
    int rc = -1;
    struct graph *g = model_build(c, &o, &io, err);
    r.plan = g ? plan_compile(g, &po, &capability, err) : NULL;
    r.program = r.plan ? backend->load(r.plan, &bo, err) : NULL;
    if (r.program && !all_params_known(&r, err) && !write_params(&r, err)) {
        write_input(&r, &io);
        struct probe p = {backend, r.plan, r.program};
        rc = probe_repeats(&p, 0, 0) ? 0 : error_set(err, "a second run has other bits");
        if (!rc)
            rc = all_results_given(&r, err) ? -1 : compare_all(&r, result, err);
    }
    if (r.program)
        backend->unload(r.program);
    plan_free(r.plan);
    return rc;
}

void selftest_golden_model(struct selftest *t, const char *name, const char *path)
{
    struct safetensors file;
    struct error err = {0};
    if (safetensors_open(&file, path, &err)) {
        selftest_fail(t, name, "%s", err.msg);
        return;
    }
    if (golden_data(t, name, &file) || golden_step(t, name, &file) ||
        golden_segment(t, name, &file)) {
        safetensors_close(&file);
        return;
    }
    struct config *c = golden_config(&file, &err);
    if (!c)
        selftest_skip(t, name, "%s", err.msg);
    for (int i = 0; c && t->backends[i]; i++) {
        const struct backend *b = t->backends[i];
        struct comparison result = {0};
        err = (struct error){0};
        int rc = run_case(b, t->threads, &file, c, &result, &err);
        golden_verdict(t, name, b->choice.name, rc, &result, &err);
    }
    config_free(c);
    safetensors_close(&file);
}
