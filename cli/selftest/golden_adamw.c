/* Golden files about AdamW: many updates with decay, clipping, micro-batches and the running mean.
 */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_train.h"
#include "tensor/ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { PARTS_MAX = 16 };

struct parts {
    const struct safetensors *file;
    int n;
    int64_t offset[PARTS_MAX + 1];
};

/* Tensors KIND0.SUFFIX, KIND1.SUFFIX, … one after the other. */
static int gather(const struct parts *p, const char *kind, const char *suffix, double *out,
                  struct error *err)
{
    for (int i = 0; i < p->n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%d.%s", kind, i, suffix);
        const struct safetensors_tensor *t = safetensors_find(p->file, name);
        if (!t || t->count != p->offset[i + 1] - p->offset[i])
            return error_set(err, "has no %s of its parameter's size", name);
        safetensors_read_double(t, out + p->offset[i]);
    }
    return 0;
}

static void find_parts(struct parts *p, const struct safetensors *f)
{
    *p = (struct parts){.file = f};
    for (; p->n < PARTS_MAX; p->n++) {
        char name[64];
        snprintf(name, sizeof name, "p%d.init", p->n);
        const struct safetensors_tensor *t = safetensors_find(f, name);
        if (!t)
            return;
        p->offset[p->n + 1] = p->offset[p->n] + t->count;
    }
}

/* The update of a training step over n values: each micro-batch's share of the gradient is summed,
 * the running mean follows. */
static struct graph *adamw_graph(int64_t n, int micro)
{
    struct graph *g = graph_new();
    struct init zero = {INIT_ZERO, 0};
    struct tensor *p = graph_state(g, "p", SHAPE(n), zero),
                  *m = graph_state(g, "m", SHAPE(n), zero),
                  *v = graph_state(g, "v", SHAPE(n), zero),
                  *sum = graph_state(g, "sum", SHAPE(n), zero),
                  *mean = graph_state(g, "ema", SHAPE(n), zero),
                  *hyper = graph_input(g, "hyper", SHAPE(HYPER_COUNT), TENSOR_VALUE);
    struct tensor *part = graph_input(g, "g", SHAPE(n), TENSOR_VALUE);
    op_apply_accumulate(g, sum, op_affine(g, part, 1 / (double)micro, 0), hyper);
    struct tensor *norm = op_norm_square(g, sum);
    graph_output(g, "norm_square", norm);
    op_apply_adamw(g, p, m, v, sum, norm, hyper);
    op_apply_running_mean(g, mean, p, hyper);
    return g;
}

static int read_gradient(const struct parts *p, int step, int part, int micro, double *out,
                         struct error *err)
{
    char suffix[40];
    if (micro == 1)
        snprintf(suffix, sizeof suffix, "step%d", step);
    else
        snprintf(suffix, sizeof suffix, "step%d.micro%d", step, part);
    return gather(p, "g", suffix, out, err);
}

static int compare_state(struct train_case *s, const struct probe *run, const struct parts *p,
                         const char *state, const char *suffix, struct error *err)
{
    int64_t n = p->offset[p->n];
    double *got = mem_alloc(sizeof *got * (size_t)n), *want = mem_alloc(sizeof *want * (size_t)n);
    char name[64];
    int rc = gather(p, state, suffix, want, err);
    run->backend->read_double(run->program, graph_find(run->plan->graph, state), got);
    snprintf(name, sizeof name, "%s.%s", state, suffix);
    if (!rc)
        train_compare(&s->result, name, got, want, n, 2e-6, 2e-6);
    free(got);
    free(want);
    return rc;
}

static void adamw_hyper(const json_t *o, float hyper[HYPER_COUNT])
{
    const json_t *betas = json_object_get(o, "betas");
    memset(hyper, 0, sizeof *hyper * HYPER_COUNT);
    hyper[HYPER_DECAY] = (float)golden_number(o, "weight_decay");
    hyper[HYPER_NEW1] = (float)(1 - json_number_value(json_array_get(betas, 0)));
    hyper[HYPER_NEW2] = (float)(1 - json_number_value(json_array_get(betas, 1)));
    hyper[HYPER_EPS] = (float)golden_number(o, "eps");
    hyper[HYPER_CLIP] = (float)golden_number(o, "clip_norm");
}

/* One update: as many runs as there are micro-batches. x has room for a gradient. */
static int adamw_update(const struct train_case *s, const struct probe *run, const struct parts *p,
                        int step, float hyper[HYPER_COUNT], double *x, struct error *err)
{
    const json_t *decay = json_object_get(s->json, "ema_decay");
    int micro = (int)golden_number(s->json, "accum");
    hyper[HYPER_SHARE] = step ? (float)(1 - json_number_value(decay)) : 1;
    for (int a = 0; a < micro; a++) {
        hyper[HYPER_ADD] = a > 0;
        hyper[HYPER_T] = a + 1 == micro ? (float)(step + 1) : 0;
        if (read_gradient(p, step, a, micro, x, err))
            return -1;
        train_write(run, "g", x);
        run->backend->write(run->program, graph_find(run->plan->graph, "hyper"), hyper);
        probe_run(run, 0, 0);
    }
    return 0;
}

/* What the gradient was multiplied by, from our norm; the product shows in the parameters. */
static void compare_clip(struct train_case *s, const struct probe *run, double clip, double want)
{
    double square, got = 1;
    run->backend->read_double(run->program, graph_output_find(run->plan->graph, "norm_square"),
                              &square);
    if (clip > 0 && clip < sqrt(square) + 1e-6)
        got = clip / (sqrt(square) + 1e-6);
    train_compare(&s->result, "clip_coef", &got, &want, 1, 0, 1e-5);
}

static int adamw_steps(struct train_case *s, const struct probe *run, const struct parts *p,
                       struct error *err)
{
    int steps = (int)golden_number(s->json, "steps");
    int64_t n_lr, n_norm, n_clip;
    double *x = mem_alloc(sizeof *x * (size_t)p->offset[p->n]);
    double *lr = golden_values(s->file, "lr", &n_lr, err),
           *norm = golden_values(s->file, "grad_norm", &n_norm, err),
           *clip = golden_values(s->file, "clip_coef", &n_clip, err);
    float hyper[HYPER_COUNT];
    int rc = lr && norm && clip && n_lr >= steps && n_norm >= steps && n_clip >= steps
                 ? 0
                 : error_set(err, "has no rates, norms or clip_coef");
    adamw_hyper(s->json, hyper);
    if (!rc)
        rc = gather(p, "p", "init", x, err);
    if (!rc)
        train_write(run, "p", x);
    for (int i = 0; !rc && i < steps; i++) {
        char suffix[40];
        hyper[HYPER_LR] = (float)lr[i];
        rc = adamw_update(s, run, p, i, hyper, x, err);
        if (rc)
            break;
        compare_clip(s, run, golden_number(s->json, "clip_norm"), clip[i]);
        double square = norm[i] * norm[i];
        train_compare_result(&s->result, run, "norm_square", "grad_norm squared", &square, 1e-12,
                             2e-5);
        snprintf(suffix, sizeof suffix, "after%d", i);
        rc = compare_state(s, run, p, "p", suffix, err);
        if (!rc && json_is_number(json_object_get(s->json, "ema_decay")))
            rc = compare_state(s, run, p, "ema", suffix, err);
    }
    if (!rc && !compare_state(s, run, p, "m", "final", err))
        rc = compare_state(s, run, p, "v", "final", err);
    free(x);
    free(lr);
    free(norm);
    free(clip);
    return rc;
}

int train_check_adamw(struct train_case *s, struct error *err)
{
    struct parts p;
    struct probe run;
    find_parts(&p, s->file);
    if (!p.n || golden_number(s->json, "accum") < 1)
        return error_set(err, "has no parameters or no number of micro-batches");
    struct graph *g = adamw_graph(p.offset[p.n], (int)golden_number(s->json, "accum"));
    if (train_open(s, &run, g, NULL, err))
        return -1;
    int rc = adamw_steps(s, &run, &p, err);
    probe_close(&run);
    return rc;
}
