/* Memory of a training step: activations lie where later gradients will be, GELU behind wide layers
 * is computed again instead of being kept, and neither changes a bit. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"

enum { BATCH = 3, TOKENS = 40, DEPTH = 5, CLASSES = 10, STEPS = 3 };

/* Residual MLPs of one width. The classifier's bias has padding behind it in the flat row. */
static struct graph *network(int64_t dim)
{
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 0.05}, zero = {INIT_ZERO, 0};
    struct tensor *x = graph_input(g, "x", SHAPE(BATCH, TOKENS, dim), TENSOR_VALUE);
    struct tensor *label = graph_input(g, "label", SHAPE(BATCH), TENSOR_INT);
    for (int i = 0; i < DEPTH; i++) {
        const char *old = graph_scope_push(g, arena_printf(&g->arena, "blocks.%d", i));
        struct tensor *h = op_linear(
            g, x, graph_param(g, arena_printf(&g->arena, "%d.fc1", i), SHAPE(4 * dim, dim), spread),
            graph_param(g, arena_printf(&g->arena, "%d.bias", i), SHAPE(4 * dim), zero));
        h = op_linear(
            g, op_gelu(g, h),
            graph_param(g, arena_printf(&g->arena, "%d.fc2", i), SHAPE(dim, 4 * dim), spread),
            NULL);
        x = op_add(g, x, h);
        graph_scope_pop(g, old);
    }
    x = op_linear(g, op_mean_tokens(g, x), graph_param(g, "head", SHAPE(CLASSES, dim), spread),
                  graph_param(g, "head.bias", SHAPE(CLASSES), zero));
    graph_output(g, "loss", op_cross_entropy(g, x, label, 0));
    return g;
}

static struct plan *planned(int64_t dim, int no_reuse, const char *backend,
                            int (*has)(const void *ctx, const struct op *op))
{
    struct error err = {0};
    struct capability cap = backend_capability(backend_find(backend), PRECISION_FP32);
    struct plan_options o = {.loss = "loss", .optimizer = &op_adamw_row, .no_reuse = no_reuse};
    if (has)
        cap.has = has;
    struct plan *p = plan_compile(network(dim), &o, &cap, &err);
    if (!p || plan_verify(p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static struct plan *plan_of(int64_t dim, int no_reuse)
{
    return planned(dim, no_reuse, "cpu", NULL);
}

static size_t count(const struct plan *p, const struct op *op)
{
    size_t n = 0;
    for (int i = 0; i < p->n_steps; i++)
        n += p->steps[i].node->op == op;
    return n;
}

/* What the forward pass keeps: the input of each block, and before each GELU. */
static size_t kept(int64_t dim)
{
    return sizeof(float) * (size_t)(DEPTH * BATCH * TOKENS * (dim + 4 * dim));
}

static void test_activations_share(void **state)
{
    (void)state;
    struct plan *p = plan_of(256, 0);
    size_t row = sizeof(float) * (size_t)p->flat_count;
    size_t more = row > kept(256) ? row : kept(256);
    size_t layer = row / DEPTH, live = kept(256) / DEPTH;
    if (p->arena_bytes > more + layer + 3 * live || p->arena_bytes >= row + kept(256))
        fail_msg("%zu bytes for %zu of gradients and %zu kept", p->arena_bytes, row, kept(256));
    plan_free(p);
}

static void test_gelu_again(void **state)
{
    (void)state;
    struct plan *wide = plan_of(256, 0), *narrow = plan_of(32, 0);
    assert_int_equal(count(wide, &op_gelu_row), 2 * DEPTH);
    assert_int_equal(count(wide, &op_gelu_grad_row), DEPTH);
    assert_int_equal(count(narrow, &op_gelu_row), DEPTH);
    plan_free(wide);
    plan_free(narrow);
}

static int has_everything(const void *ctx, const struct op *op)
{
    (void)ctx;
    (void)op;
    return 1;
}

/* A device that computes GELU and its gradient with products keeps no more: what GELU is taken of,
 * from which its result is computed again behind wide layers. */
static void test_joined_gelu(void **state)
{
    (void)state;
    static const int64_t widths[] = {256, 32};
    for (int i = 0; i < 2; i++) {
        struct plan *joined = planned(widths[i], 0, "null", has_everything);
        struct plan *apart = planned(widths[i], 0, "null", NULL);
        assert_int_equal(count(joined, &op_linear_gelu_row), DEPTH);
        assert_int_equal(count(joined, &op_gelu_row), i ? 0 : DEPTH);
        assert_int_equal(count(joined, &op_matmul_gelu_grad_row), DEPTH);
        if (joined->arena_bytes > apart->arena_bytes)
            fail_msg("%zu bytes instead of %zu", joined->arena_bytes, apart->arena_bytes);
        plan_free(joined);
        plan_free(apart);
    }
}

/* Results of linear attention that somebody looks at: its output, and to train the sums over keys.
 */
static unsigned unread(const char *loss)
{
    struct error err = {0};
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 1};
    struct tensor *q = graph_param(g, "q", SHAPE(BATCH, TOKENS, 8), spread);
    struct tensor *y = op_linear_attention(g, q, q, q, 2, 1e-6);
    graph_output(g, "loss", op_norm_square(g, y));
    struct capability cap = backend_capability(backend_find("cpu"), PRECISION_FP32);
    struct plan_options o = {.loss = loss};
    struct plan *p = plan_compile(g, &o, &cap, &err);
    if (!p)
        fail_msg("%s", err.msg);
    unsigned mask = p->steps[0].unread | p->steps[1].unread << 3;
    plan_free(p);
    return mask;
}

static void test_unread(void **state)
{
    (void)state;
    assert_int_equal(unread(NULL), 6);
    assert_int_equal(unread("loss"), 0);
}

/* The parameters after some steps; the caller frees them. */
static float *trained(int64_t dim, int no_reuse, size_t *n)
{
    static const double hyper[HYPER_COUNT] = {1e-2, 0.05, 0.1, 0.01, 1e-8, 1, 1, 0};
    static const int32_t label[BATCH] = {1, 7, 4};
    const struct backend *b = backend_find("cpu");
    const struct backend_options o = {.threads = 1};
    struct error err = {0};
    struct plan *p = plan_of(dim, no_reuse);
    struct program *program = b->load(p, &o, &err);
    float *x = mem_zalloc((size_t)(BATCH * TOKENS * dim), sizeof *x);
    float *all = mem_zalloc((size_t)p->flat_count, sizeof *all), *at = all;
    if (!program)
        fail_msg("%s", err.msg);
    program_init(b, program, p, 3);
    for (int64_t i = 0; i < BATCH * TOKENS * dim; i++)
        x[i] = (float)((i * 37 % 101) - 50) / 25.0f;
    b->write(program, graph_find(p->graph, "x"), x);
    b->write(program, graph_find(p->graph, "label"), label);
    b->write_double(program, graph_find(p->graph, "train/hyper"), hyper);
    for (int i = 0; i < STEPS; i++)
        b->run(program, 3, (uint64_t)i);
    for (int i = 0; i < p->n_params; at += shape_count(p->params[i++]->shape))
        b->read(program, p->params[i], at);
    *n = (size_t)(at - all);
    b->unload(program);
    plan_free(p);
    free(x);
    return all;
}

static void test_same_bits(void **state)
{
    (void)state;
    size_t n, m;
    float *shared = trained(256, 0, &n), *apart = trained(256, 1, &m);
    assert_int_equal(n, m);
    assert_memory_equal(shared, apart, n * sizeof *shared);
    free(shared);
    free(apart);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_activations_share), cmocka_unit_test(test_gelu_again),
        cmocka_unit_test(test_joined_gelu),       cmocka_unit_test(test_unread),
        cmocka_unit_test(test_same_bits),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
