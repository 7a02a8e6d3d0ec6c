/* Kernels of every variant at the ends of their ranges: accuracy of the elementary functions over
 * all exponents, huge and equal inputs, one key, not-a-number. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "backend/cpu/cpu.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"

/* The float variants that run here; NULL past the last. */
static const struct kernel_table *table_at(int i)
{
    int seen = 0;
    for (int k = 0; cpu_variant_at(k); k++)
        if (cpu_variant_runs(cpu_variant_at(k)) && seen++ == i)
            return cpu_variant_at(k);
    return NULL;
}

static struct tensor *leaf(struct graph *g, const char *name, struct shape s)
{
    return graph_input(g, name, s, TENSOR_VALUE);
}

static void run(const struct kernel_table *t, const struct node *n, void *const *in,
                void *const *out)
{
    const struct kernel *k = kernel_find(t, n->op);
    struct kernel_memory m = k->memory(n);
    struct kernel_call c = {.node = n,
                            .in = in,
                            .out = out,
                            .scratch = mem_alloc(m.shared + 1),
                            .work = mem_alloc(m.thread + 1),
                            .work_stride = m.thread,
                            .threads = 1};
    k->run(&c);
    free(c.scratch);
    free(c.work);
}

/* y = op(x) over n values. */
static void apply(const struct kernel_table *t, const struct op *op, float *y, float *x, int64_t n)
{
    struct graph *g = graph_new();
    struct tensor *in[] = {leaf(g, "x", SHAPE(n))};
    struct node *node = graph_apply(g, op, 1, in, NULL);
    run(t, node, (void *[]){x}, (void *[]){y});
    graph_free(g);
}

/* ---- elementary functions: a float in 4099, all exponents and both signs --------------------- */

enum { STEP = 4099 };

static int64_t every_float(float *x, double limit)
{
    int64_t n = 0;
    for (uint64_t bits = 0; bits < UINT64_C(1) << 32; bits += STEP) {
        uint32_t word = (uint32_t)bits;
        float f;
        memcpy(&f, &word, sizeof f);
        if (fabs((double)f) < limit)
            x[n++] = f;
    }
    return n;
}

struct function {
    const struct op *op;
    double (*truth)(double x);
    double (*scale)(double x, double y); /* what an error is measured in */
    double from, to, bound;
};

static double true_gelu(double x)
{
    return 0.5 * x * erfc(-x * M_SQRT1_2);
}

static double true_sigmoid(double x)
{
    return 1 / (1 + exp(-x));
}

static double absolute(double x, double y)
{
    (void)x;
    (void)y;
    return 1;
}

static double relative(double x, double y)
{
    (void)x;
    return fabs(y) + 1e-37;
}

static double by_argument(double x, double y)
{
    (void)y;
    return fabs(x) > 1 ? fabs(x) : 1;
}

static const struct function functions[] = {
    {&op_exp_row, exp, relative, -86.9, 88.7, 1.3e-7},
    {&op_exp_row, exp, absolute, -1e30, -86.9, 2e-38},
    {&op_log_row, log, relative, 1.2e-38, 3e38, 1.2e-7},
    {&op_erf_row, erf, absolute, -1e30, 1e30, 1.2e-7},
    {&op_erf_row, erf, relative, -1e30, 1e30, 2.2e-7},
    {&op_gelu_row, true_gelu, by_argument, -1e30, 1e30, 1e-7},
    {&op_sigmoid_row, true_sigmoid, absolute, -1e30, 1e30, 1.3e-7},
};

static void check_function(const struct kernel_table *t, const struct function *f, float *x,
                           float *y, int64_t n)
{
    double worst = 0, where = 0;
    apply(t, f->op, y, x, n);
    for (int64_t i = 0; i < n; i++) {
        double at = (double)x[i], truth = f->truth(at);
        if (at < f->from || at > f->to || fabs(truth) > 3.4e38)
            continue;
        double e = fabs((double)y[i] - truth) / f->scale(at, truth);
        if (!(e <= worst)) {
            worst = e;
            where = at;
        }
    }
    if (!(worst <= f->bound))
        fail_msg("%s, %s: error %.3g at %g, at most %.3g expected", t->variant, f->op->name, worst,
                 where, f->bound);
}

static void test_functions(void **state)
{
    (void)state;
    size_t room = (size_t)((UINT64_C(1) << 32) / STEP + 1);
    float *x = mem_alloc(sizeof *x * room), *y = mem_alloc(sizeof *y * room);
    int64_t n = every_float(x, 1e30);
    for (int i = 0; table_at(i); i++)
        for (size_t k = 0; k < sizeof functions / sizeof *functions; k++)
            check_function(table_at(i), &functions[k], x, y, n);
    free(x);
    free(y);
}

static void test_special_values(void **state)
{
    (void)state;
    float x[4] = {NAN, INFINITY, -INFINITY, 0}, y[4];
    for (int i = 0; table_at(i); i++) {
        apply(table_at(i), &op_exp_row, y, x, 4);
        assert_true(isnan(y[0]) && isinf(y[1]) && y[2] == 0 && y[3] == 1);
        apply(table_at(i), &op_erf_row, y, x, 4);
        assert_true(isnan(y[0]) && y[1] == 1 && y[2] == -1 && y[3] == 0);
        apply(table_at(i), &op_log_row, y, x, 4);
        assert_true(isnan(y[0]) && isinf(y[1]) && isnan(y[2]) && isinf(y[3]) && y[3] < 0);
        apply(table_at(i), &op_gelu_row, y, x, 1);
        assert_true(isnan(y[0]));
        apply(table_at(i), &op_sigmoid_row, y, x, 4);
        assert_true(isnan(y[0]) && y[1] == 1 && y[2] == 0);
    }
}

/* ---- rows ------------------------------------------------------------------------------------ */

static void test_softmax_huge(void **state)
{
    (void)state;
    float x[20], y[20];
    for (int i = 0; i < 20; i++)
        x[i] = i == 7 ? 1e4f : -1e4f;
    for (int i = 0; table_at(i); i++) {
        for (int axis = 0; axis < 2; axis++) { /* (20) as (1,20) and as (20,1) */
            struct graph *g = graph_new();
            op_softmax(g, leaf(g, "x", axis ? SHAPE(1, 20) : SHAPE(20, 1)), axis);
            run(table_at(i), g->nodes[0], (void *[]){x}, (void *[]){y});
            for (int k = 0; k < 20; k++)
                assert_true(y[k] == (k == 7));
            graph_free(g);
        }
    }
}

static void test_softmax_nan(void **state)
{
    (void)state;
    float x[40] = {0}, y[40];
    x[33] = NAN;
    for (int i = 0; table_at(i); i++) {
        struct graph *g = graph_new();
        op_softmax(g, leaf(g, "x", SHAPE(40)), 0);
        run(table_at(i), g->nodes[0], (void *[]){x}, (void *[]){y});
        for (int k = 0; k < 40; k++)
            assert_true(isnan(y[k]));
        graph_free(g);
    }
}

/* A constant row has no variance: y is beta, and nothing is divided by zero. */
static void test_layer_norm_constant(void **state)
{
    (void)state;
    enum { WIDTH = 37, ROWS = 9 };
    float x[ROWS * WIDTH], y[ROWS * WIDTH], gamma[WIDTH], beta[WIDTH], mean[ROWS], rstd[ROWS];
    for (int i = 0; i < ROWS * WIDTH; i++)
        x[i] = 4;
    for (int i = 0; i < WIDTH; i++) {
        gamma[i] = 2;
        beta[i] = (float)i;
    }
    for (int i = 0; table_at(i); i++) {
        struct graph *g = graph_new();
        op_layer_norm(g, leaf(g, "x", SHAPE(ROWS, WIDTH)), leaf(g, "g", SHAPE(WIDTH)),
                      leaf(g, "b", SHAPE(WIDTH)), 1e-6);
        run(table_at(i), g->nodes[0], (void *[]){x, gamma, beta}, (void *[]){y, mean, rstd});
        for (int k = 0; k < ROWS * WIDTH; k++)
            assert_true(fabs((double)y[k] - k % WIDTH) <
                        2e-3); /* a rounded mean times 1/sqrt(eps) */
        for (int k = 0; k < ROWS; k++)
            assert_true(fabs((double)mean[k] - 4) < 1e-6 && rstd[k] > 990 && rstd[k] < 1010);
        graph_free(g);
    }
}

/* One key: its value is the result, whatever the scores, and its score is lse. */
static void test_attention_one_key(void **state)
{
    (void)state;
    enum { QUERIES = 35, DIM = 8 };
    float q[QUERIES * DIM], k[DIM], v[DIM], out[QUERIES * DIM], lse[QUERIES];
    for (int i = 0; i < QUERIES * DIM; i++)
        q[i] = 1000.0f * (float)(i % 5 - 2);
    for (int i = 0; i < DIM; i++) {
        k[i] = i == 0 ? 3 : 0;
        v[i] = (float)i + 0.25f;
    }
    for (int i = 0; table_at(i); i++) {
        struct graph *g = graph_new();
        op_attention(g, leaf(g, "q", SHAPE(1, QUERIES, DIM)), leaf(g, "k", SHAPE(1, 1, DIM)),
                     leaf(g, "v", SHAPE(1, 1, DIM)), NULL, 1, 0.5);
        run(table_at(i), g->nodes[0], (void *[]){q, k, v}, (void *[]){out, lse});
        for (int m = 0; m < QUERIES; m++) {
            assert_true(lse[m] == 1.5f * q[m * DIM]);
            assert_memory_equal(out + m * DIM, v, sizeof v);
        }
        graph_free(g);
    }
}

/* Scores of thousands overflow no exponential. */
static void test_attention_huge(void **state)
{
    (void)state;
    enum { TOKENS = 17, DIM = 4 };
    float qkv[TOKENS * 3 * DIM], out[TOKENS * DIM], lse[TOKENS];
    for (int i = 0; i < TOKENS * 3 * DIM; i++)
        qkv[i] = 100.0f * (float)(i * 7 % 11 - 5);
    for (int i = 0; table_at(i); i++) {
        struct graph *g = graph_new();
        op_attention_packed(g, leaf(g, "qkv", SHAPE(1, TOKENS, 3 * DIM)), NULL, 1, 1);
        run(table_at(i), g->nodes[0], (void *[]){qkv}, (void *[]){out, lse});
        for (int k = 0; k < TOKENS * DIM; k++)
            assert_true(fabs((double)out[k]) <= 500.001);
        for (int k = 0; k < TOKENS; k++)
            assert_true(isfinite(lse[k]));
        graph_free(g);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_functions),           cmocka_unit_test(test_special_values),
        cmocka_unit_test(test_softmax_huge),        cmocka_unit_test(test_softmax_nan),
        cmocka_unit_test(test_layer_norm_constant), cmocka_unit_test(test_attention_one_key),
        cmocka_unit_test(test_attention_huge),
    };
    return cmocka_run_group_tests_name("extremes", tests, NULL, NULL);
}
