/* AdamW through a compiled graph: hand-computed steps, and the reference trajectories where they
 * are at hand. */
#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"
#include "train/keys.h"
#include "train/update.h"
#include "train/safetensors.h"

#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* One update over n values on a backend. */
struct bench {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
    const struct tensor *p, *m, *v, *g, *hyper, *norm;
};

static struct bench open_bench(const char *backend, int64_t n, const struct op *update)
{
    struct bench b = {.backend = backend_find(backend)};
    struct error err = {0};
    struct graph *g = graph_new();
    struct init zero = {INIT_ZERO, 0};
    struct tensor *p = graph_state(g, "p", SHAPE(n), zero),
                  *m = graph_state(g, "m", SHAPE(n), zero),
                  *v = graph_state(g, "v", SHAPE(n), zero),
                  *grads = graph_input(g, "g", SHAPE(n), TENSOR_VALUE),
                  *hyper = graph_input(g, "hyper", SHAPE(HYPER_COUNT), TENSOR_VALUE);
    struct tensor *norm = op_norm_square(g, grads);
    graph_output(g, "norm", norm);
    op_apply_update(g, update, p, (struct tensor *[]){m, v}, grads, norm, hyper, n);
    struct capability can = backend_capability(b.backend, PRECISION_FP32);
    b.plan = plan_compile(g, &(struct plan_options){0}, &can, &err);
    if (!b.plan)
        fail_msg("%s", err.msg);
    b.program = b.backend->load(b.plan, &(struct backend_options){.threads = 1}, &err);
    if (!b.program)
        fail_msg("%s", err.msg);
    program_init(b.backend, b.program, b.plan, 0);
    g = b.plan->graph;
    b.p = graph_find(g, "p");
    b.m = graph_find(g, "m");
    b.v = graph_find(g, "v");
    b.g = graph_find(g, "g");
    b.hyper = graph_find(g, "hyper");
    b.norm = graph_output_find(g, "norm");
    return b;
}

static void close_bench(struct bench *b)
{
    b->backend->unload(b->program);
    plan_free(b->plan);
}

static double step(struct bench *b, const double *grads, const float hyper[HYPER_COUNT])
{
    double norm;
    b->backend->write_double(b->program, b->g, grads);
    b->backend->write(b->program, b->hyper, hyper);
    b->backend->run(b->program, 0, 0);
    b->backend->read_double(b->program, b->norm, &norm);
    return sqrt(norm);
}

/* ---- by hand --------------------------------------------------------------------------------- */

static const struct config_key *const tables[] = {train_keys, update_keys, NULL};

static void test_by_hand(void **state)
{
    (void)state;
    struct error err = {0};
    struct config *c = config_new(tables);
    const struct config_origin here = {"test", 0, 0};
    if (config_set(c, "train.weight_decay", "0.1", here, &err) ||
        config_set(c, "train.betas", "[0.5, 0.75]", here, &err) ||
        config_set(c, "train.clip", "0", here, &err) || config_resolve(c, &err))
        fail_msg("%s", err.msg);
    float hyper[HYPER_COUNT];
    const double start[2] = {1, -2}, grads[2] = {3, -4};
    double p[2];
    struct bench b = open_bench("judge", 2, &op_adamw_row);
    b.backend->write_double(b.program, b.p, start);
    update_hyper(c, &(struct update){.lr = 0.01, .last = 1}, hyper);
    assert_true(step(&b, grads, hyper) == 5);
    b.backend->read_double(b.program, b.p, p);
    /* After one step the bias corrections cancel: lr * sign(g), after the decay. */
    for (int i = 0; i < 2; i++) {
        double want = start[i] * (1 - 0.001) - 0.01 * (start[i] > 0 ? 1 : -1);
        if (fabs(p[i] - want) > 1e-7)
            fail_msg("value %d: %.12g, not %.12g", i, p[i], want);
    }
    close_bench(&b);
    config_free(c);
}

/* Two steps of one value; the figures are worked out from torch.optim.SGD's rule. */
static void test_sgd(void **state)
{
    (void)state;
    static const double want[2][2] = {{0.969, 0.920131}, {0.9411, 0.87620191}};
    for (int nesterov = 0; nesterov < 2; nesterov++) {
        const double start = 1, grads[2] = {3, 2};
        float hyper[HYPER_COUNT] = {[HYPER_LR] = 0.01f,
                                    [HYPER_DECAY] = 0.1f,
                                    [HYPER_MOMENTUM] = 0.9f,
                                    [HYPER_NESTEROV] = (float)nesterov};
        struct bench b = open_bench("judge", 1, &op_sgd_row);
        double p;
        b.backend->write_double(b.program, b.p, &start);
        for (int i = 0; i < 2; i++) {
            hyper[HYPER_T] = (float)(i + 1);
            step(&b, &grads[i], hyper);
            b.backend->read_double(b.program, b.p, &p);
            if (fabs(p - want[nesterov][i]) > 1e-7)
                fail_msg("nesterov %d, step %d: %.12g, not %.12g", nesterov, i, p,
                         want[nesterov][i]);
        }
        close_bench(&b);
    }
}

/* ---- reference trajectories ------------------------------------------------------------------ */

enum { PARTS = 4, VALUES_MAX = 200 };

struct golden {
    struct safetensors file;
    json_t *info;
    int64_t offset[PARTS + 1];
};

/* "p0.init", "g3.step2.micro1". */
static const struct safetensors_tensor *tensor(const struct golden *g, char kind, int part,
                                               const char *suffix)
{
    char name[64];
    snprintf(name, sizeof name, "%c%d.%s", kind, part, suffix);
    const struct safetensors_tensor *t = safetensors_find(&g->file, name);
    if (!t)
        fail_msg("no %s", name);
    return t;
}

/* All parts of one kind, one after the other. */
static void gather(const struct golden *g, char kind, const char *suffix, double *out)
{
    for (int i = 0; i < PARTS; i++)
        safetensors_read_double(tensor(g, kind, i, suffix), out + g->offset[i]);
}

static void mean_gradient(const struct golden *g, int s, int micro, double *out)
{
    double part[VALUES_MAX];
    char suffix[40];
    int64_t n = g->offset[PARTS];
    for (int64_t k = 0; k < n; k++)
        out[k] = 0;
    for (int a = 0; a < micro; a++) {
        if (micro == 1)
            snprintf(suffix, sizeof suffix, "step%d", s);
        else
            snprintf(suffix, sizeof suffix, "step%d.micro%d", s, a);
        gather(g, 'g', suffix, part);
        for (int64_t k = 0; k < n; k++)
            out[k] += part[k] / micro;
    }
}

static double number(const struct golden *g, const char *key, double fallback)
{
    const json_t *v = json_object_get(g->info, key);
    return json_is_number(v) ? json_number_value(v) : fallback;
}

static void expect(const char *what, int s, const double *got, const double *want, int64_t n,
                   double tolerance)
{
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(got[i] - want[i]) <= tolerance * (1 + fabs(want[i]))))
            fail_msg("%s, step %d, value %lld: %.9g, not %.9g", what, s, (long long)i, got[i],
                     want[i]);
}

static void follow(const struct golden *g, const char *backend, double tolerance)
{
    double values[VALUES_MAX], want[VALUES_MAX], lr[16], norms[16];
    char suffix[40];
    int64_t n = g->offset[PARTS];
    struct bench b = open_bench(backend, n, &op_adamw_row);
    const json_t *betas = json_object_get(g->info, "betas");
    float hyper[HYPER_COUNT] = {0};
    hyper[HYPER_DECAY] = (float)number(g, "weight_decay", 0);
    hyper[HYPER_NEW1] = (float)(1 - json_number_value(json_array_get(betas, 0)));
    hyper[HYPER_NEW2] = (float)(1 - json_number_value(json_array_get(betas, 1)));
    hyper[HYPER_EPS] = (float)number(g, "eps", 0);
    hyper[HYPER_CLIP] = (float)number(g, "clip_norm", 0);
    safetensors_read_double(safetensors_find(&g->file, "lr"), lr);
    safetensors_read_double(safetensors_find(&g->file, "grad_norm"), norms);
    gather(g, 'p', "init", values);
    b.backend->write_double(b.program, b.p, values);
    for (int s = 0; s < (int)number(g, "steps", 0); s++) {
        mean_gradient(g, s, (int)number(g, "accum", 1), values);
        hyper[HYPER_LR] = (float)lr[s];
        hyper[HYPER_T] = (float)(s + 1);
        double norm = step(&b, values, hyper);
        expect("norm", s, &norm, &norms[s], 1, 1e-5);
        b.backend->read_double(b.program, b.p, values);
        snprintf(suffix, sizeof suffix, "after%d", s);
        gather(g, 'p', suffix, want);
        expect("p", s, values, want, n, tolerance);
    }
    b.backend->read_double(b.program, b.m, values);
    gather(g, 'm', "final", want);
    expect("m", -1, values, want, n, tolerance);
    b.backend->read_double(b.program, b.v, values);
    gather(g, 'v', "final", want);
    expect("v", -1, values, want, n, tolerance);
    close_bench(&b);
}

static void test_golden(void **state)
{
    (void)state;
    static const char *const names[] = {"adamw_basic", "adamw_nowd", "adamw_clip", "adamw_betas",
                                        "adamw_accum_clip_ema"};
    const char *root = getenv("VITTM_SHARED");
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char path[600];
        struct golden g = {.info = NULL};
        struct error err = {0};
        snprintf(path, sizeof path, "%s/golden/data/%s.safetensors", root ? root : "../shared",
                 names[i]);
        if (!file_exists(path)) {
            print_message("no %s\n", path);
            skip();
        }
        if (safetensors_open(&g.file, path, &err))
            fail_msg("%s", err.msg);
        g.info = json_loads(safetensors_metadata(&g.file, "case"), 0, NULL);
        for (int k = 0; k < PARTS; k++)
            g.offset[k + 1] = g.offset[k] + tensor(&g, 'p', k, "init")->count;
        assert_true(g.offset[PARTS] <= VALUES_MAX);
        follow(&g, "cpu", 2e-6);
        follow(&g, "judge", 2e-6);
        json_decref(g.info);
        safetensors_close(&g.file);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_by_hand), cmocka_unit_test(test_sgd),
                                       cmocka_unit_test(test_golden)};
    return cmocka_run_group_tests_name("optimizer", tests, NULL, NULL);
}
