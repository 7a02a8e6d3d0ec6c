/* Programs: a small training step on every backend, variant and number of threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "backend/backend.h"
#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"

enum { BATCH = 24, TOKENS = 10, DIM = 32, CLASSES = 5, STEPS = 3 };

/* Attention, layer norm, an MLP and a classifier on tokens. */
static struct graph *network(void)
{
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 0.2}, zero = {INIT_ZERO, 0}, one = {INIT_ONE, 1};
    struct tensor *x = graph_input(g, "x", SHAPE(BATCH, TOKENS, DIM), TENSOR_VALUE);
    struct tensor *label = graph_input(g, "label", SHAPE(BATCH), TENSOR_INT);
    struct tensor *h = op_layer_norm(g, x, graph_param(g, "gamma", SHAPE(DIM), one),
                                     graph_param(g, "beta", SHAPE(DIM), zero), 1e-6);
    h = op_linear(g, h, graph_param(g, "qkv.weight", SHAPE(3 * DIM, DIM), spread),
                  graph_param(g, "qkv.bias", SHAPE(3 * DIM), zero));
    h = op_add(g, x, op_attention_packed(g, h, NULL, 4, 0.35));
    h = op_linear(g, h, graph_param(g, "fc.weight", SHAPE(2 * DIM, DIM), spread), NULL);
    h = op_drop_path(g, op_gelu(g, h), 0.2, "drop");
    h = op_linear(g, op_mean_tokens(g, h),
                  graph_param(g, "head.weight", SHAPE(CLASSES, 2 * DIM), spread),
                  graph_param(g, "head.bias", SHAPE(CLASSES), (struct init){INIT_UNIFORM, 0.1}));
    h = op_mul(g, h, graph_scalar(g, 1.25));
    graph_output(g, "logits", h);
    graph_output(g, "loss", op_cross_entropy(g, h, label, 0.1));
    return g;
}

/* A loaded training step. */
struct run {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static const struct tensor *find(const struct run *r, const char *name)
{
    const struct tensor *t = graph_find(r->plan->graph, name);
    return t ? t : graph_output_find(r->plan->graph, name);
}

static struct run open(const char *backend, const struct backend_options *o)
{
    struct error err = {0};
    struct run r = {.backend = backend_find(backend)};
    struct plan_options po = {.loss = "loss", .optimizer = &op_adamw_row};
    assert_non_null(r.backend);
    struct capability cap = backend_capability(r.backend, o ? o->precision : PRECISION_FP32);
    r.plan = plan_compile(network(), &po, &cap, &err);
    if (!r.plan || plan_verify(r.plan, &err))
        fail_msg("%s", err.msg);
    r.program = r.backend->load(r.plan, o, &err);
    if (!r.program)
        fail_msg("%s", err.msg);
    return r;
}

static void close_run(struct run *r)
{
    r->backend->unload(r->program);
    plan_free(r->plan);
}

static void feed(const struct run *r)
{
    static const double hyper[HYPER_COUNT] = {1e-2, 0.05, 0.1, 0.01, 1e-8, 1, 1, 0};
    float x[BATCH * TOKENS * DIM];
    int32_t label[BATCH];
    for (int i = 0; i < BATCH * TOKENS * DIM; i++)
        x[i] = (float)((i * 37 % 101) - 50) / 25.0f;
    for (int i = 0; i < BATCH; i++)
        label[i] = i % CLASSES;
    r->backend->write(r->program, find(r, "x"), x);
    r->backend->write(r->program, find(r, "label"), label);
    r->backend->write_double(r->program, find(r, "train/hyper"), hyper);
}

/* The loss after each step, and one parameter at the end. */
struct trace {
    double loss[STEPS];
    double weight[2 * DIM * DIM];
};

static void train(const struct run *r, struct trace *t)
{
    program_init(r->backend, r->program, r->plan, 11);
    feed(r);
    for (int i = 0; i < STEPS; i++) {
        r->backend->run(r->program, 11, (uint64_t)i);
        r->backend->read_double(r->program, find(r, "loss"), &t->loss[i]);
    }
    r->backend->read_double(r->program, find(r, "fc.weight"), t->weight);
}

static struct trace trace_of(const char *backend, const struct backend_options *o)
{
    struct trace t;
    struct run r = open(backend, o);
    train(&r, &t);
    close_run(&r);
    return t;
}

static void test_variants_agree(void **state)
{
    (void)state;
    struct trace judge = trace_of("judge", &(struct backend_options){.threads = 1});
    assert_true(judge.loss[0] > judge.loss[STEPS - 1]); /* it learns */
    for (int i = 0; cpu_variant_at(i); i++) {
        const struct kernel_table *t = cpu_variant_at(i);
        if (!cpu_variant_runs(t)) {
            print_message("           this machine has no %s\n", t->variant);
            continue;
        }
        struct backend_options o = {.threads = 1, .variant = t->variant, .precision = t->precision};
        double most = t->precision == PRECISION_BF16 ? 2e-2 : 1e-5;
        struct trace cpu = trace_of("cpu", &o);
        for (int k = 0; k < STEPS; k++)
            assert_true(fabs(cpu.loss[k] - judge.loss[k]) < most);
    }
}

static void test_threads_same_bits(void **state)
{
    (void)state;
    static const char *const names[] = {"cpu", "judge"};
    for (int b = 0; b < 2; b++) {
        struct trace one = trace_of(names[b], &(struct backend_options){.threads = 1});
        for (int n = 2; n <= 3; n++) {
            struct trace t = trace_of(names[b], &(struct backend_options){.threads = n});
            assert_memory_equal(&one, &t, sizeof t);
        }
    }
}

static int has_bf16(void)
{
    struct backend_options o = {.threads = 1, .precision = PRECISION_BF16};
    struct error err = {0};
    char text[300];
    return backend_find("cpu")->probe(&o, text, sizeof text, &err) == 0;
}

/* Operands are rounded: not the bits of fp32; the same whatever the number of threads. */
static void test_bf16(void **state)
{
    (void)state;
    if (!has_bf16())
        skip();
    struct backend_options o = {.threads = 1, .precision = PRECISION_BF16};
    struct trace exact = trace_of("cpu", &(struct backend_options){.threads = 1});
    struct trace one = trace_of("cpu", &o);
    assert_true(fabs(one.loss[0] - exact.loss[0]) > 1e-6);
    for (o.threads = 2; o.threads <= 3; o.threads++) {
        struct trace t = trace_of("cpu", &o);
        assert_memory_equal(&one, &t, sizeof t);
    }
}

static void refused(const char *backend, const struct backend_options *o, const char *why)
{
    char text[300];
    struct error err = {0};
    assert_int_equal(backend_find(backend)->probe(o, text, sizeof text, &err), -1);
    if (!strstr(err.msg, why))
        fail_msg("%s", err.msg);
}

static void test_precision_refused(void **state)
{
    (void)state;
    struct backend_options tf32 = {.threads = 1, .precision = PRECISION_TF32};
    struct backend_options bf16 = {.threads = 1, .precision = PRECISION_BF16};
    refused("cpu", &tf32, "tf32 is a format of GPUs");
    refused("judge", &bf16, "judge computes in double precision: it has no bf16");
    if (!has_bf16())
        refused("cpu", &bf16, "bf16 needs a processor with AVX512-BF16");
    bf16.variant = "portable";
    refused("cpu", &bf16, has_bf16() ? "portable multiplies in fp32" : "AVX512-BF16");
}

/* The same program started again gives the same bits; another seed does not. */
static void test_init(void **state)
{
    (void)state;
    struct run r = open("cpu", &(struct backend_options){.threads = 1});
    struct trace first, again;
    train(&r, &first);
    program_init(r.backend, r.program, r.plan, 12);
    r.backend->read_double(r.program, find(&r, "fc.weight"), again.weight);
    assert_memory_not_equal(first.weight, again.weight, sizeof first.weight);
    train(&r, &again);
    assert_memory_equal(&first, &again, sizeof first);
    float gamma[DIM], bias[CLASSES];
    program_init(r.backend, r.program, r.plan, 11);
    r.backend->read(r.program, find(&r, "gamma"), gamma);
    r.backend->read(r.program, find(&r, "head.bias"), bias);
    for (int i = 0; i < DIM; i++)
        assert_true(gamma[i] == 1);
    for (int i = 0; i < CLASSES; i++)
        assert_true(bias[i] >= -0.1f && bias[i] < 0.1f && bias[i] != 0);
    close_run(&r);
}

static void test_conversions(void **state)
{
    (void)state;
    static const char *const names[] = {"cpu", "judge"};
    for (int b = 0; b < 2; b++) {
        struct run r = open(names[b], &(struct backend_options){.threads = 1});
        double x[DIM], back[DIM], labels[BATCH];
        float narrow[DIM];
        for (int i = 0; i < DIM; i++)
            x[i] = 1.0 / 3 + i;
        r.backend->write_double(r.program, find(&r, "gamma"), x);
        r.backend->read_double(r.program, find(&r, "gamma"), back);
        r.backend->read(r.program, find(&r, "gamma"), narrow);
        for (int i = 0; i < DIM; i++) {
            assert_true(narrow[i] == (float)x[i]);
            assert_true(back[i] == (b ? x[i] : (double)(float)x[i]));
        }
        feed(&r);
        r.backend->read_double(r.program, find(&r, "label"), labels);
        for (int i = 0; i < BATCH; i++)
            assert_true(labels[i] == i % CLASSES);
        close_run(&r);
    }
}

static double profiled(const struct run *r)
{
    double all = 0;
    for (int i = 0; i < r->plan->n_steps; i++)
        all += r->backend->profile_step(r->program, i);
    return all;
}

static void test_profile(void **state)
{
    (void)state;
    struct run r = open("cpu", &(struct backend_options){.threads = 1});
    program_init(r.backend, r.program, r.plan, 1);
    feed(&r);
    r.backend->run(r.program, 1, 0);
    assert_true(profiled(&r) == 0);
    r.backend->profile(r.program, 1);
    r.backend->run(r.program, 1, 1);
    r.backend->profile(r.program, 0);
    double spent = profiled(&r);
    assert_true(spent > 0);
    r.backend->run(r.program, 1, 2);
    assert_true(profiled(&r) == spent);
    r.backend->profile(r.program, 1);
    assert_true(profiled(&r) == 0);
    close_run(&r);
}

static void test_null(void **state)
{
    (void)state;
    struct trace t = trace_of("null", NULL);
    assert_true(t.loss[0] == 0 && t.weight[0] == 0);
}

static void test_registry(void **state)
{
    (void)state;
    char text[300];
    struct error err = {0};
    for (int i = 0; backend_at(i); i++) {
        const struct backend *b = backend_at(i);
        assert_ptr_equal(backend_find(b->choice.name), b);
        assert_ptr_equal(backend_choice(i), &b->choice);
        if (b->plugin)
            continue; /* tests/backend/test_plugin.sh */
        assert_ptr_equal(backend_open(b, NULL, text, sizeof text, &err), b);
        for (int k = 0; k < op_count(); k++)
            assert_int_equal(b->has(b, op_at(k)), !(op_at(k)->flags & OP_OPTIONAL));
    }
    assert_null(backend_find("abacus"));
    struct backend_options o = {.threads = 1, .variant = "abacus"};
    assert_int_equal(backend_find("cpu")->probe(&o, text, sizeof text, &err), -1);
    assert_non_null(strstr(err.msg, "there is no cpu variant abacus"));
    assert_int_equal(err.code, EXIT_USAGE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_registry),
        cmocka_unit_test(test_variants_agree),
        cmocka_unit_test(test_threads_same_bits),
        cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_precision_refused),
        cmocka_unit_test(test_init),
        cmocka_unit_test(test_conversions),
        cmocka_unit_test(test_profile),
        cmocka_unit_test(test_null),
    };
    return cmocka_run_group_tests_name("program", tests, NULL, NULL);
}
