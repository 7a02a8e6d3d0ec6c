/* Weights that a plan only reads lie in the order of the variant's products: results have the bits
 * of those of weights that lie as they are, and the host sees no difference. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"

struct size {
    int64_t rows, in, out;
    int residual;
};

static const struct size sizes[] = {
    {1, 1, 1, 0},     {3, 5, 31, 1},      {9, 16, 32, 0},    {64, 48, 33, 1},
    {130, 70, 96, 0}, {200, 1030, 77, 1}, {40, 2100, 64, 0}, {1100, 36, 129, 1},
};

/* y = x w^T + b, or that plus r. With also_read another op reads w, so that it stays as it is. */
static struct graph *layer(const struct size *s, int also_read)
{
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 1};
    struct tensor *x = graph_input(g, "x", SHAPE(s->rows, s->in), TENSOR_VALUE);
    struct shape shape = s->in % 3 ? SHAPE(s->out, s->in) : SHAPE(s->out, 3, s->in / 3);
    struct tensor *w = graph_param(g, "w", shape, spread);
    struct tensor *b = graph_param(g, "b", SHAPE(s->out), spread);
    struct tensor *y = op_linear(g, x, w, b);
    if (s->residual)
        y = op_add(g, y, graph_input(g, "r", SHAPE(s->rows, s->out), TENSOR_VALUE));
    graph_output(g, "y", y);
    if (also_read)
        graph_output(g, "w2", op_affine(g, w, 2, 0));
    return g;
}

struct run {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static struct run open(const struct kernel_table *t, const struct size *s, int also_read,
                       int threads)
{
    struct error err = {0};
    struct run r = {.backend = backend_find(t == judge_variant() ? "judge" : "cpu")};
    struct capability cap = backend_capability(r.backend, t->precision);
    struct backend_options o = {.threads = threads, .precision = t->precision};
    if (t != judge_variant())
        o.variant = t->variant;
    r.plan = plan_compile(layer(s, also_read), &(struct plan_options){0}, &cap, &err);
    r.program = r.plan ? r.backend->load(r.plan, &o, &err) : NULL;
    if (!r.program)
        fail_msg("%s", err.msg);
    return r;
}

static void close_run(struct run *r)
{
    r->backend->unload(r->program);
    plan_free(r->plan);
}

static const struct tensor *find(const struct run *r, const char *name)
{
    const struct tensor *t = graph_find(r->plan->graph, name);
    return t ? t : graph_output_find(r->plan->graph, name);
}

static float *noise(int64_t n, int64_t seed)
{
    float *x = mem_alloc(sizeof *x * (size_t)n);
    for (int64_t i = 0; i < n; i++)
        x[i] = (float)((i * 37 + seed) % 101 - 50) / 25.0f;
    return x;
}

static void write_noise(struct run *r, const char *name, int64_t seed)
{
    const struct tensor *t = find(r, name);
    if (!t)
        return;
    float *x = noise(shape_count(t->shape), seed);
    r->backend->write(r->program, t, x);
    free(x);
}

/* The result, with w as seed says. */
static float *result(struct run *r, int64_t seed)
{
    const struct tensor *y = find(r, "y");
    float *values = mem_alloc(sizeof *values * (size_t)shape_count(y->shape));
    write_noise(r, "x", 1);
    write_noise(r, "r", 2);
    write_noise(r, "b", 3);
    write_noise(r, "w", seed);
    r->backend->run(r->program, 0, 0);
    r->backend->read(r->program, y, values);
    return values;
}

/* What the host reads of w is what it wrote, in both types. */
static void check_host(struct run *r)
{
    const struct tensor *w = find(r, "w");
    int64_t n = shape_count(w->shape);
    float *x = noise(n, 7), *narrow = mem_alloc(sizeof *narrow * (size_t)n);
    double *wide = mem_alloc(sizeof *wide * (size_t)n);
    write_noise(r, "w", 7);
    r->backend->read(r->program, w, narrow);
    assert_memory_equal(narrow, x, sizeof *x * (size_t)n);
    r->backend->read_double(r->program, w, wide);
    for (int64_t i = 0; i < n; i++)
        assert_true(wide[i] == (double)x[i]);
    for (int64_t i = 0; i < n; i++)
        wide[i] = -wide[i];
    r->backend->write_double(r->program, w, wide);
    r->backend->read(r->program, w, narrow);
    for (int64_t i = 0; i < n; i++)
        assert_true(narrow[i] == -x[i]);
    free(x);
    free(narrow);
    free(wide);
}

static void check(const struct kernel_table *t, const struct size *s)
{
    size_t bytes = sizeof(float) * (size_t)(s->rows * s->out);
    struct run plain = open(t, s, 1, 1);
    for (int threads = 1; threads <= 3; threads++) {
        struct run ordered = open(t, s, 0, threads);
        for (int64_t seed = 4; seed <= 5; seed++) {
            float *a = result(&plain, seed), *b = result(&ordered, seed);
            if (memcmp(a, b, bytes))
                fail_msg("%s, %d threads: x (%d,%d) w (%d,%d): other bits", t->variant, threads,
                         (int)s->rows, (int)s->in, (int)s->out, (int)s->in);
            free(a);
            free(b);
        }
        check_host(&ordered);
        close_run(&ordered);
    }
    check_host(&plain);
    close_run(&plain);
}

static void test_weight_order(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        for (int k = 0; cpu_variant_at(k); k++)
            if (cpu_variant_runs(cpu_variant_at(k)))
                check(cpu_variant_at(k), &sizes[i]);
        check(judge_variant(), &sizes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_weight_order)};
    return cmocka_run_group_tests_name("weight_order", tests, NULL, NULL);
}
