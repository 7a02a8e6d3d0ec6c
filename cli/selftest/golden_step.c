/* Golden files about one operation. The file's configuration says which under "op". */
#include "cli/selftest/golden_step.h"

#include "base/memory.h"
#include "cli/selftest/selftest.h"
#include "tensor/ops/ops.h"

#include <stdlib.h>
#include <string.h>

int64_t step_number(const struct step_case *s, const char *key)
{
    return json_integer_value(json_object_get(s->config, key));
}

int step_truth(const struct step_case *s, const char *key)
{
    return json_is_true(json_object_get(s->config, key));
}

double step_tolerance(const struct step_case *s)
{
    return s->backend && s->backend->value_size < 8 ? GOLDEN_TOLERANCE_FLOAT
                                                    : GOLDEN_TOLERANCE_DOUBLE;
}

struct shape step_stored_shape(const struct step_case *s, const char *name)
{
    const struct safetensors_tensor *t = safetensors_find(s->file, name);
    struct shape shape = {0};
    for (int i = 0; t && i < t->rank; i++)
        shape.dim[shape.rank++] = t->dim[i];
    return shape;
}

int step_has(const struct step_case *s, const char *name)
{
    return safetensors_find(s->file, name) != NULL;
}

struct tensor *step_input(const struct step_case *s, struct graph *g, const char *name, int param)
{
    struct shape shape = step_stored_shape(s, name);
    if (!shape.rank)
        graph_refuse(g, "the file has no %s", name);
    return param ? graph_param(g, name, shape, (struct init){0})
                 : graph_input(g, name, shape, TENSOR_VALUE);
}

struct tensor *step_against(const struct step_case *s, struct graph *g, struct tensor *t,
                            const char *cotangent)
{
    struct tensor *y = op_mul(g, t, step_input(s, g, cotangent, 0));
    return op_sum(g, y, 0, y->shape.rank, 0, 1);
}

int step_run(struct step_case *s, struct graph *g, struct error *err)
{
    struct plan_options po = {.loss = "loss", .keep_gradients = 1};
    struct capability capability = backend_capability(s->backend, PRECISION_FP32);
    struct backend_options bo = {.threads = s->threads};
    if (graph_failed(g, err)) {
        graph_free(g);
        return -1;
    }
    s->plan = plan_compile(g, &po, &capability, err);
    s->program = s->plan ? s->backend->load(s->plan, &bo, err) : NULL;
    if (!s->program)
        return -1;
    for (int i = 0; i < s->plan->graph->n_tensors; i++) {
        const struct tensor *t = s->plan->graph->tensors[i];
        double *x = t->kind == TENSOR_INPUT || t->kind == TENSOR_PARAM
                        ? golden_stored(s->file, "", t->name, shape_count(t->shape))
                        : NULL;
        if (x)
            s->backend->write_double(s->program, t, x);
        free(x);
    }
    s->backend->run(s->program, 0, 0);
    return 0;
}

double *step_computed(const struct step_case *s, const char *name, int64_t *count)
{
    const struct tensor *t = graph_output_find(s->plan->graph, name);
    if (!t)
        BUG("no result %s", name);
    *count = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)*count);
    s->backend->read_double(s->program, t, x);
    return x;
}

void step_compare_results(const struct step_case *s)
{
    const struct graph *g = s->plan->graph;
    for (int i = 0; i < g->n_outputs; i++) {
        int64_t n;
        double *got = step_computed(s, g->output_names[i], &n);
        double *want = golden_stored(s->file, "", g->output_names[i], n);
        if (want)
            golden_compare(s->result, g->output_names[i], got, want, n, step_tolerance(s), 1e-12);
        free(got);
        free(want);
    }
}

static const struct {
    const char *op;
    int (*run)(struct step_case *s, struct error *err);
    int on_host; /* once, not on every backend */
} steps[] = {
    {"tome_merge", step_tome, 0},
    {"mctf_step", step_mctf, 0},
    {"resample_pos_embed", step_position_table, 1},
    {"flexi_resize_patch_embed", step_patch_kernels, 1},
};

enum { N_STEPS = sizeof steps / sizeof *steps };

static void run_step(struct selftest *t, const char *name, const struct safetensors *file,
                     json_t *config, int which, const struct backend *backend)
{
    struct comparison result = {0};
    struct error err = {0};
    struct step_case s = {.backend = backend,
                          .file = file,
                          .config = config,
                          .threads = t->threads,
                          .result = &result};
    int rc = steps[which].run(&s, &err);
    if (!rc && !result.compared)
        rc = error_set(&err, "nothing to compare");
    golden_verdict(t, name, backend ? backend->choice.name : "host", rc, &result, &err);
    if (s.program)
        backend->unload(s.program);
    plan_free(s.plan);
}

int golden_step(struct selftest *t, const char *name, const struct safetensors *file)
{
    json_t *config = golden_json(file);
    const char *op = json_string_value(json_object_get(config, "op"));
    int which = 0;
    while (op && which < N_STEPS && strcmp(steps[which].op, op))
        which++;
    if (op && which == N_STEPS)
        selftest_skip(t, name, "an operation %s, which this build does not know", op);
    else if (op && steps[which].on_host)
        run_step(t, name, file, config, which, NULL);
    else if (op)
        for (int i = 0; t->backends[i]; i++)
            run_step(t, name, file, config, which, t->backends[i]);
    json_decref(config);
    return op != NULL;
}
