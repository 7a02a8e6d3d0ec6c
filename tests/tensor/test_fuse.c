/* Fusion: which additions become part of a product or a norm, what is done to images of the patches
 * cut from them, and that values, gradients and
 * multiply-adds stay what they were. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <math.h>

#include "backend/backend.h"
#include "base/memory.h"
#include "tensor/ops/ops.h"

enum { BATCH = 2, TOKENS = 3, DIM = 6 };

static const struct init spread = {INIT_NORMAL, 0.5};

static struct tensor *param(struct graph *g, const char *name, struct shape s)
{
    return graph_param(g, name, s, spread);
}

static struct tensor *tokens(struct graph *g, const char *name)
{
    return param(g, name, SHAPE(BATCH, TOKENS, DIM));
}

static struct tensor *linear(struct graph *g, const char *name, struct tensor *x)
{
    return op_linear(g, x, param(g, name, SHAPE(DIM, DIM)), NULL);
}

static struct tensor *norm(struct graph *g, struct tensor *x)
{
    return op_layer_norm(g, x, param(g, "gamma", SHAPE(DIM)), param(g, "beta", SHAPE(DIM)), 1e-6);
}

static struct graph *finished(struct graph *g, struct tensor *y)
{
    graph_output(g, "loss", op_norm_square(g, op_reshape(g, y, SHAPE(BATCH * TOKENS * DIM))));
    return g;
}

/* ---- graphs ---------------------------------------------------------------------------------- */

/* x + f(norm(x)), twice, as in every block. */
static struct graph *residuals(void)
{
    struct graph *g = graph_new();
    struct tensor *x = tokens(g, "x");
    for (int i = 0; i < 2; i++) {
        struct tensor *f = linear(g, i ? "w1" : "w0", norm(g, x));
        x = op_add(g, x, f);
    }
    return finished(g, norm(g, x));
}

/* The branch ends in something else than a product: the norm takes the sum. */
static struct graph *dropped(void)
{
    struct graph *g = graph_new();
    struct tensor *x = tokens(g, "x");
    struct tensor *y = op_add(g, x, op_drop_path(g, linear(g, "w", x), 0.5, "drop"));
    return finished(g, op_mul(g, y, norm(g, y)));
}

/* x reads its own product: the sum must not be written over x before the product has read it. */
static struct graph *itself(void)
{
    struct graph *g = graph_new();
    struct tensor *x = op_affine(g, tokens(g, "x"), 0.5, 0.1);
    return finished(g, op_add(g, linear(g, "w", x), x));
}

/* Both operands are read elsewhere as well, and one norm alone reads their sum: its gradient is
 * that of both, to which different things are added. */
static struct graph *shared(void)
{
    struct graph *g = graph_new();
    struct tensor *a = op_affine(g, tokens(g, "a"), 2, 0), *b = op_affine(g, tokens(g, "b"), 3, 0);
    struct tensor *n = norm(g, op_add(g, a, b));
    return finished(g, op_mul(g, op_mul(g, n, op_sigmoid(g, a)), op_exp(g, b)));
}

/* Two products read x: the second's gradient begins with the first's. */
static struct graph *branches(void)
{
    struct graph *g = graph_new();
    struct tensor *x = op_affine(g, tokens(g, "x"), 2, 0);
    return finished(g, op_mul(g, linear(g, "k", x), linear(g, "v", x)));
}

/* Two MLPs as in a block; the second's GELU is read by two products, whose gradients are added up
 * before they go through it. */
static struct graph *perceptrons(void)
{
    struct graph *g = graph_new();
    struct tensor *x = tokens(g, "x");
    struct tensor *h = op_gelu(g, linear(g, "w1", x));
    x = op_add(g, x, linear(g, "w2", h));
    h = op_gelu(g, linear(g, "w3", x));
    return finished(g, op_mul(g, linear(g, "w4", h), linear(g, "w5", h)));
}

/* Patches of images that are mixed, which something else reads as they are. */
static struct graph *mixed(void)
{
    static const double plan[BATCH * MIXED_FIELDS] = {1, 1, 0.25, 0.75, 0, 0, 0, 0, 0, 0, 1, 2,
                                                      0, 0, 1,    0,    0, 1, 1, 1, 0, 0, 1, 1};
    double values[BATCH * DIM * TOKENS];
    struct graph *g = graph_new();
    for (int i = 0; i < BATCH * DIM * TOKENS; i++)
        values[i] = (i * 37 % 101 - 50) / 25.0;
    struct tensor *image = graph_constant(g, "image", SHAPE(BATCH, DIM, 1, TOKENS), values);
    image = op_mix(g, image, graph_constant(g, "plan", SHAPE(BATCH, MIXED_FIELDS), plan));
    struct tensor *y = linear(g, "w", op_patchify(g, image, 1));
    struct tensor *sum = op_sum(g, image, 1, 3, 0, 0.1);
    return finished(g, op_add(g, y, op_reshape(g, sum, SHAPE(BATCH, 1, 1))));
}

/* Nothing to join: a product that is read twice, a broadcast, a norm whose gain comes later, a
 * border between regions. */
static struct graph *separate(void)
{
    struct graph *g = graph_new();
    struct tensor *x = tokens(g, "x"), *w = linear(g, "w", x);
    struct tensor *y = op_add(g, op_add(g, x, w), op_mul(g, w, w));
    struct tensor *gain = op_affine(g, param(g, "gain", SHAPE(DIM)), 2, 0);
    y = op_layer_norm(g, y, gain, param(g, "beta", SHAPE(DIM)), 1e-6);
    y = op_add(g, y, param(g, "position", SHAPE(1, TOKENS, DIM)));
    graph_region_begin(g, REGION_RECOMPUTE);
    y = op_add(g, y, op_sigmoid(g, y));
    graph_region_end(g);
    return finished(g, norm(g, y));
}

/* ---- compiling ------------------------------------------------------------------------------- */

static int has_unjoined(const void *ctx, const struct op *op)
{
    const struct backend *b = ctx;
    return op != &op_linear_add_row && op != &op_add_layer_norm_row && op != &op_linear_gelu_row &&
           op != &op_matmul_gelu_grad_row && op != &op_patch_mix_row && b->has(b, op);
}

static int has_everything(const void *ctx, const struct op *op)
{
    (void)ctx;
    (void)op;
    return 1;
}

/* Of null: a device that lacks nothing. */
static struct capability capability_of(const char *backend)
{
    struct capability c = backend_capability(backend_find(backend), PRECISION_FP32);
    if (!strcmp(backend, "null"))
        c.has = has_everything;
    return c;
}

static struct plan *compiled(struct graph *g, const char *backend, int joined)
{
    struct error err = {0};
    struct capability c = capability_of(backend);
    struct plan_options o = {.loss = "loss", .keep_gradients = 1};
    if (!joined)
        c.has = has_unjoined;
    struct plan *p = plan_compile(g, &o, &c, &err);
    if (!p || plan_verify(p, &err))
        fail_msg("%s", err.msg);
    return p;
}

static int count(const struct plan *p, const struct op *op, int backward)
{
    int n = 0;
    for (int i = 0; i < p->n_steps; i++)
        n += p->steps[i].node->op == op && p->steps[i].node->backward == backward;
    return n;
}

static void test_residuals(void **state)
{
    (void)state;
    struct plan *p = compiled(residuals(), "null", 1);
    assert_int_equal(count(p, &op_linear_add_row, 0), 2);
    assert_int_equal(count(p, &op_linear_row, 0), 0);
    assert_int_equal(count(p, &op_layer_norm_row, 0), 3);
    assert_int_equal(count(p, &op_add_row, 0), 0);
    /* what comes past a norm is added where the norm's gradient is made; gamma's and beta's three
     * gradients each are all that is left to add up */
    assert_int_equal(count(p, &op_add_row, 1), 4);
    plan_free(p);
}

static void test_sum_and_norm(void **state)
{
    (void)state;
    struct plan *p = compiled(dropped(), "null", 1);
    assert_int_equal(count(p, &op_add_layer_norm_row, 0), 1);
    assert_int_equal(count(p, &op_linear_row, 0), 1);
    assert_int_equal(count(p, &op_layer_norm_row, 0), 0);
    assert_int_equal(count(p, &op_add_row, 0), 0);
    plan_free(p);
}

static void test_gradient_sums(void **state)
{
    (void)state;
    struct plan *p = compiled(branches(), "null", 1);
    int with_sum = 0;
    for (int i = 0; i < p->n_steps; i++)
        with_sum += p->steps[i].node->op == &op_matmul_row && p->steps[i].node->n_in == 3;
    assert_int_equal(with_sum, 1);
    assert_int_equal(count(p, &op_add_row, 1), 0);
    plan_free(p);
}

static void test_gelu(void **state)
{
    (void)state;
    struct plan *p = compiled(perceptrons(), "null", 1);
    assert_int_equal(count(p, &op_linear_gelu_row, 0), 2);
    assert_int_equal(count(p, &op_gelu_row, 0), 0);
    /* of one product, and of the sum of two */
    assert_int_equal(count(p, &op_matmul_gelu_grad_row, 1), 1);
    assert_int_equal(count(p, &op_gelu_grad_row, 1), 1);
    plan_free(p);
}

/* What GELU is taken of is made for gradients alone. */
static void test_narrow(void **state)
{
    (void)state;
    struct error err = {0};
    struct capability c = capability_of("null");
    struct plan *p = plan_compile(perceptrons(), &(struct plan_options){0}, &c, &err);
    if (!p || plan_verify(p, &err))
        fail_msg("%s", err.msg);
    for (int i = 0; i < p->n_steps; i++)
        if (p->steps[i].node->op == &op_linear_gelu_row) {
            assert_int_equal(p->steps[i].node->n_out, 1);
            assert_int_equal(p->places[p->steps[i].node->out[1]->id].block, PLAN_NONE);
        }
    plan_free(p);
}

static void test_mixed(void **state)
{
    (void)state;
    struct plan *p = compiled(mixed(), "null", 1);
    assert_int_equal(count(p, &op_patch_mix_row, 0), 1);
    assert_int_equal(count(p, &op_mix_row, 0), 1);
    assert_int_equal(count(p, &op_patchify_row, 0), 0);
    plan_free(p);
}

static void test_separate(void **state)
{
    (void)state;
    struct plan *p = compiled(separate(), "null", 1);
    assert_int_equal(count(p, &op_linear_add_row, 0), 0);
    assert_int_equal(count(p, &op_add_layer_norm_row, 0), 0);
    assert_int_equal(count(p, &op_add_row, 0), 4);
    plan_free(p);
}

/* ---- gradients of a layer -------------------------------------------------------------------- */

static int is_weight(const struct tensor *param)
{
    return !strcmp(param->name, "w");
}

static int is_bias(const struct tensor *param)
{
    return !strcmp(param->name, "b");
}

/* The plan of a layer, twice, of which nothing or one parameter is frozen. */
static struct plan *layers(int (*frozen)(const struct tensor *param), const char *backend)
{
    struct error err = {0};
    struct graph *g = graph_new();
    struct capability c = capability_of(backend);
    struct plan_options o = {.loss = "loss", .optimizer = &op_sgd_row, .frozen = frozen};
    struct tensor *w = param(g, "w", SHAPE(DIM, DIM)), *b = param(g, "b", SHAPE(DIM));
    struct tensor *y = op_linear(g, tokens(g, "x"), w, b);
    struct plan *p = plan_compile(finished(g, op_linear(g, y, w, b)), &o, &c, &err);
    if (!p || plan_verify(p, &err))
        fail_msg("%s", err.msg);
    return p;
}

/* What has a trained weight and a trained bias gets both gradients at once, where the device can.
 */
static void test_weight_gradients(void **state)
{
    (void)state;
    static const struct {
        int (*frozen)(const struct tensor *param);
        const char *backend;
        int both, products, sums; /* of the two layers */
    } cases[] = {
        {NULL, "null", 2, 2, 0},
        {is_bias, "null", 0, 4, 0},
        {is_weight, "null", 0, 2, 2},
        {NULL, "cpu", 0, 4, 2},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct plan *p = layers(cases[i].frozen, cases[i].backend);
        assert_int_equal(count(p, &op_linear_weight_grad_row, 1), cases[i].both);
        assert_int_equal(count(p, &op_matmul_row, 1), cases[i].products);
        assert_int_equal(count(p, &op_sum_row, 1), cases[i].sums);
        assert_int_equal(p->n_trained, cases[i].frozen ? 2 : 3);
        for (int k = 0; k < p->n_trained; k++)
            assert_true(shape_equal(p->grads[k]->shape, p->params[k]->shape));
        plan_free(p);
    }
}

/* ---- values ---------------------------------------------------------------------------------- */

static double *run(const struct plan *p, const char *backend, int64_t *n)
{
    struct error err = {0};
    const struct backend *b = backend_find(backend);
    struct program *program = b->load(p, &(struct backend_options){.threads = 1}, &err);
    if (!program)
        fail_msg("%s", err.msg);
    program_init(b, program, p, 3);
    b->run(program, 5, 1);
    *n = 0;
    for (int i = 0; i < p->graph->n_outputs; i++)
        *n += shape_count(p->graph->outputs[i]->shape);
    double *all = mem_alloc(sizeof *all * (size_t)*n), *at = all;
    for (int i = 0; i < p->graph->n_outputs; i++) {
        b->read_double(program, p->graph->outputs[i], at);
        at += shape_count(p->graph->outputs[i]->shape);
    }
    b->unload(program);
    return all;
}

/* Loss and every gradient, with and without fusion. */
static void compare(struct graph *(*build)(void), const char *backend, double tolerance)
{
    int64_t n, m;
    struct plan *joined = compiled(build(), backend, 1), *apart = compiled(build(), backend, 0);
    double *x = run(joined, backend, &n), *y = run(apart, backend, &m);
    assert_int_equal(n, m);
    for (int64_t i = 0; i < n; i++)
        if (!(fabs(x[i] - y[i]) <= tolerance * (1 + fabs(y[i]))))
            fail_msg("%s: value %lld is %.17g instead of %.17g", backend, (long long)i, x[i], y[i]);
    struct op_cost a, b;
    graph_cost(joined->graph, &a);
    graph_cost(apart->graph, &b);
    assert_int_equal(a.macs, b.macs);
    free(x);
    free(y);
    plan_free(joined);
    plan_free(apart);
}

static void test_values(void **state)
{
    (void)state;
    struct graph *(*const graphs[])(void) = {residuals, dropped,  itself,      shared,
                                             separate,  branches, perceptrons, mixed};
    for (size_t i = 0; i < sizeof graphs / sizeof *graphs; i++) {
        compare(graphs[i], "judge", 1e-11);
        compare(graphs[i], "cpu", 1e-4);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_residuals),
        cmocka_unit_test(test_sum_and_norm),
        cmocka_unit_test(test_gradient_sums),
        cmocka_unit_test(test_separate),
        cmocka_unit_test(test_gelu),
        cmocka_unit_test(test_narrow),
        cmocka_unit_test(test_weight_gradients),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_values),
    };
    return cmocka_run_group_tests_name("fuse", tests, NULL, NULL);
}
