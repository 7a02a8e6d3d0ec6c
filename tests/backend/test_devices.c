/* Every kernel behind a plugin, a node at a time, against plain loops: test_kernels.c for devices
 * whose memory is not ours. Numbers of tokens are those where tiles have their edges. The second
 * of two runs is a captured one where the device captures. What a kernel reads and writes in bf16
 * must be what it would have read and written in full, rounded. */
#include "tests/backend/cases.h"

#include <string.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/file.h"
#include "tensor/compile/plan.h"

/* A device to be tested: VITTM_TEST_DEVICE, or the emulated one. */
static const char *device_name(void)
{
    const char *set = getenv("VITTM_TEST_DEVICE");
    return set && *set ? set : "sim";
}

/* A graph of this node alone, on leaves like its inputs; its outputs are results. */
static struct graph *alone(const struct node *n, struct tensor *in[16])
{
    struct graph *g = graph_new();
    char name[32];
    for (int i = 0; i < n->n_in; i++) {
        snprintf(name, sizeof name, "in%d", i);
        in[i] = graph_input(g, name, n->in[i]->shape, n->in[i]->type);
    }
    graph_apply(g, n->op, n->n_in, in, n->attr);
    for (int i = 0; i < n->n_out; i++) {
        snprintf(name, sizeof name, "out%d", i);
        graph_output(g, name, last_node(g)->out[i]);
    }
    return g;
}

struct device_run {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static struct device_run open_run(const struct subject *s, struct graph *g, int half_ends)
{
    struct device_run r = {.backend = s->ctx};
    struct plan_options po = {.half_ends = half_ends};
    struct backend_options o = {.threads = 1, .precision = s->precision};
    struct capability c = backend_capability(r.backend, s->precision);
    struct error err = {0};
    r.plan = plan_compile(g, &po, &c, &err);
    r.program = r.plan ? r.backend->load(r.plan, &o, &err) : NULL;
    if (!r.program || plan_verify(r.plan, &err))
        fail_msg("%s: %s", s->variant, err.msg);
    return r;
}

static void close_run(struct device_run *r)
{
    r->backend->unload(r->program);
    plan_free(r->plan);
}

/* VITTM_TEST_BITS: a file that gets a line a result, so that two whole runs can be compared. Of the
 * first run of a case: the second one must have its bits. */
static void tell_bits(const struct subject *s, const struct run *u)
{
    const char *path = getenv("VITTM_TEST_BITS");
    FILE *f = path ? fopen(path, "a") : NULL;
    char text[1000], hex[65];
    if (path && !f)
        fail_msg("cannot write %s", path);
    describe(u->node, text, sizeof text);
    for (int i = 0; f && i < n_results(u->node); i++) {
        const struct tensor *t = result_tensor(u->node, i);
        file_sha256_bytes(result(u, i), value_bytes(t, u->size) * (size_t)shape_count(t->shape),
                          hex);
        if (!is_packed_filler(u->node, i))
            fprintf(f, "%s, %s, result %d: %s\n", s->variant, text, i, hex);
    }
    if (f)
        fclose(f);
}

/* Returns the plan's step, of which a copy is made. */
static struct step run_device(const struct subject *s, struct run *u, int runs, int half_ends)
{
    struct tensor *in[16];
    struct graph *g = alone(u->node, in);
    struct device_run r = open_run(s, g, half_ends);
    struct step step = r.plan->steps[0];
    for (int k = 0; k < runs; k++) {
        for (int i = 0; i < u->node->n_in; i++)
            r.backend->write(r.program, in[i], u->in[i]);
        r.backend->run(r.program, TEST_SEED, TEST_STEP);
    }
    for (int i = 0; i < n_results(u->node); i++)
        if (u->node->n_out)
            r.backend->read(r.program, last_node(g)->out[i], u->out[i]);
        else
            r.backend->read(r.program, in[i], u->in[i]);
    check_guards(u);
    if (runs == 1 || half_ends)
        tell_bits(s, u);
    close_run(&r);
    return step;
}

static void call_device(const struct subject *s, struct run *u, int runs)
{
    run_device(s, u, runs, 0);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const int64_t token_counts[] = {49, 64, 65, 196, 197};

enum { COUNTS = sizeof token_counts / sizeof *token_counts };

/* The device, or the test is skipped: nothing can be emulated here, or the device lacks the
 * precision. One that was asked for by name must be there. */
static const struct backend *need_device(enum precision precision)
{
    static char text[200];
    struct error err = {0};
    struct backend_options o = {.threads = 1, .precision = precision};
    const struct backend *b =
        backend_open(backend_find(device_name()), &o, text, sizeof text, &err);
    if (!b && precision == PRECISION_FP32 && getenv("VITTM_TEST_DEVICE"))
        fail_msg("VITTM_TEST_DEVICE %s: %s", device_name(), err.msg);
    if (!b) {
        print_message("%s\n", err.msg);
        skip();
    }
    return b;
}

/* Whether the number is one of the words of list; NULL: every number is. */
static int listed(const char *list, int64_t number)
{
    char *end;
    for (; list && *list; list = end) {
        if (strtoll(list, &end, 10) == number && end != list)
            return 1;
        if (end == list)
            fail_msg("VITTM_TEST_TOKENS: numbers with spaces between them, not \"%s\"", list);
    }
    return !list;
}

/* VITTM_TEST_TOKENS: these of the numbers of tokens, as "49 197". */
static int chosen_counts(int64_t counts[COUNTS])
{
    int n = 0;
    for (int i = 0; i < COUNTS; i++)
        if (listed(getenv("VITTM_TEST_TOKENS"), token_counts[i]))
            counts[n++] = token_counts[i];
    if (!n)
        fail_msg("VITTM_TEST_TOKENS: none of 49, 64, 65, 196 and 197");
    return n;
}

static int begins(const char *text, const char *with)
{
    return !strncmp(text, with, strlen(with));
}

static int variable_is(const char *name, const char *value)
{
    const char *set = getenv(name);
    return set && !strcmp(set, value);
}

/* All where it was decided so, and of the emulated device without algorithms of the library. */
static int has_own_products(const char *op)
{
    if (variable_is("VITTM_CUDA_PRODUCTS", "own") ||
        (variable_is("VT_SIM_ALGORITHMS", "0") && !strcmp(device_name(), "sim")))
        return begins(op, "attention") || begins(op, "linear") || begins(op, "matmul");
    return begins(op, "attention") || begins(op, "linear_attention");
}

/* VITTM_TEST_OP: one op alone. VITTM_TEST_ONCE: one run a case, for sanitizers to which the second
 * and the captured one show nothing new. tf32: those whose own kernels round; how a library does is
 * its own affair. */
static void check_all(enum precision precision)
{
    const struct backend *b = need_device(precision);
    const char *only = getenv("VITTM_TEST_OP");
    int64_t counts[COUNTS];
    int n = chosen_counts(counts);
    char name[64];
    snprintf(name, sizeof name, "%s in %s", device_name(), precision_name(precision));
    const struct subject subjects[] = {{.variant = name,
                                        .value_size = sizeof(float),
                                        .precision = precision,
                                        .call = call_device,
                                        .threads = getenv("VITTM_TEST_ONCE") ? 1 : 2,
                                        .ctx = b},
                                       {0}};
    for (const struct recipe *r = recipes; r < recipes + N_RECIPES; r++)
        if ((!only || !strcmp(only, r->op)) &&
            (precision != PRECISION_TF32 || has_own_products(r->op)))
            check_recipe(r, subjects, n, counts);
}

static void test_fp32(void **state)
{
    (void)state;
    check_all(PRECISION_FP32);
}

static void test_tf32(void **state)
{
    (void)state;
    check_all(PRECISION_TF32);
}

static void test_bf16(void **state)
{
    (void)state;
    check_all(PRECISION_BF16);
}

/* ---- storage --------------------------------------------------------------------------------- */

/* Values whose last bits count: the result's, and that of a product which is rounded before GELU is
 * taken, whose slope is at most 1.13, or before it is multiplied by the slope. */
static double rounded_value(const struct run *full, int i, int64_t k)
{
    double x = fabs(value_at(result(full, i), k, full->size));
    if (full->node->op == &op_matmul_gelu_grad_row)
        return 2 * x;
    if (full->node->op == &op_linear_gelu_row && i == 0)
        return x + 1.13 * fabs(value_at(result(full, 1), k, full->size));
    return x;
}

/* A result stored in bf16 is at most half a step of its last bit away, but for another order of
 * sums; one stored in full is the same. */
static void check_stored(const struct run *full, const struct run *half, const struct step *step)
{
    for (int i = 0; i < n_results(full->node); i++) {
        const struct tensor *t = result_tensor(full->node, i);
        int64_t n = shape_count(t->shape);
        double top = 0, step_size = step->half_out >> i & 1 ? 1.0 / 256 : 0;
        if (t->type == TENSOR_INT || is_packed_filler(full->node, i))
            continue;
        for (int64_t k = 0; k < n; k++)
            top = fmax(top, fabs(value_at(result(full, i), k, full->size)));
        for (int64_t k = 0; k < n; k++) {
            double a = value_at(result(full, i), k, full->size);
            double b = value_at(result(half, i), k, half->size);
            if (!(fabs(a - b) <= step_size * rounded_value(full, i, k) + 1e-6 * top))
                fail_msg("%s, result %d, value %lld: %.9g, stored in bf16 %.9g",
                         full->node->op->name, i, (long long)k, a, b);
        }
    }
}

static void round_values(struct values *v, const struct graph *g)
{
    for (int i = 0; i < g->n_tensors; i++)
        for (int64_t k = 0; v->of[i] && g->tensors[i]->type == TENSOR_VALUE &&
                            k < shape_count(g->tensors[i]->shape);
             k++)
            v->of[i][k] = (double)bf16_of((float)v->of[i][k]);
}

/* Whether the case had anything to store. */
static int check_storage(const struct subject *s, const struct recipe *recipe)
{
    struct graph *g = graph_new();
    struct values v;
    struct rng r;
    rng_init(&r, (uint64_t)fixed_tokens, recipe->op, recipe_stream(recipe), 0);
    recipe->build(g, &r);
    fill(&v, g, recipe, &r);
    round_values(&v, g);
    struct run full = run_new(last_node(g), &v, sizeof(float));
    struct run half = run_new(last_node(g), &v, sizeof(float));
    run_device(s, &full, 1, 0);
    struct step step = run_device(s, &half, 2, 1);
    check_stored(&full, &half, &step);
    run_free(&full);
    run_free(&half);
    release(&v);
    graph_free(g);
    return step.half_in || step.half_out;
}

static void test_storage(void **state)
{
    (void)state;
    const struct backend *b = need_device(PRECISION_BF16);
    const char *only = getenv("VITTM_TEST_OP");
    int64_t counts[COUNTS];
    int stored = 0, n = chosen_counts(counts);
    const struct subject s = {
        .variant = device_name(), .precision = PRECISION_BF16, .threads = 1, .ctx = b};
    fixed_tokens = counts[(n - 1) / 2];
    for (const struct recipe *r = recipes; r < recipes + N_RECIPES; r++)
        if (!only || !strcmp(only, r->op))
            stored += check_storage(&s, r);
    assert_true(only || stored > 20);
}

/* Patches of an image are stored in bf16 at once where a product alone reads them: a copy beside
 * them would be the largest thing in memory of small models. */
static void test_embedding(void **state)
{
    (void)state;
    struct error err = {0};
    const struct backend *b = need_device(PRECISION_BF16);
    struct graph *g = graph_new();
    struct tensor *image = leaf(g, "image", SHAPE(2, 3, 16, 16));
    struct tensor *patches = op_patchify(g, image, 8);
    graph_output(g, "y", op_linear(g, patches, leaf(g, "w", SHAPE(8, 192)), NULL));
    struct plan_options po = {0};
    struct capability can = backend_capability(b, PRECISION_BF16);
    struct plan *p = plan_compile(g, &po, &can, &err);
    if (!p)
        fail_msg("%s", err.msg);
    assert_int_equal(p->steps[0].half_out, 1);
    assert_int_equal(p->steps[1].rounds & 1, 0);
    plan_free(p);
}

/* ---- results that nobody reads --------------------------------------------------------------- */

enum { NARROW_ROWS = 30, NARROW_IN = 9, NARROW_OUT = 21 };

/* GELU of a layer; with keeps what it is taken of is a result too. */
static void gelu_of_layer(const struct backend *b, enum precision precision, int keeps,
                          float y[NARROW_ROWS * NARROW_OUT])
{
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 1};
    struct tensor *x = graph_param(g, "x", SHAPE(NARROW_ROWS, NARROW_IN), spread);
    struct tensor *w = graph_param(g, "w", SHAPE(NARROW_OUT, NARROW_IN), spread);
    struct node *n = op_linear_gelu(g, x, w, graph_param(g, "b", SHAPE(NARROW_OUT), spread));
    graph_output(g, "y", n->out[0]);
    if (keeps)
        graph_output(g, "pre", n->out[1]);
    struct plan_options po = {.half_ends = 1};
    struct backend_options o = {.threads = 1, .precision = precision};
    struct capability can = backend_capability(b, precision);
    struct error err = {0};
    struct plan *p = plan_compile(g, &po, &can, &err);
    struct program *program = p ? b->load(p, &o, &err) : NULL;
    if (!program)
        fail_msg("%s", err.msg);
    assert_int_equal(p->steps[0].node->n_out, keeps ? 2 : 1);
    program_init(b, program, p, 3);
    b->run(program, 3, 0);
    b->read(program, n->out[0], y);
    b->unload(program);
    plan_free(p);
}

/* What GELU is taken of is not made where nobody reads it; training and inference have the same
 * bits. */
static void test_narrow(void **state)
{
    (void)state;
    static const enum precision precisions[] = {PRECISION_FP32, PRECISION_BF16};
    for (int i = 0; i < 2; i++) {
        float y[NARROW_ROWS * NARROW_OUT], alone[NARROW_ROWS * NARROW_OUT];
        gelu_of_layer(need_device(precisions[i]), precisions[i], 1, y);
        gelu_of_layer(need_device(precisions[i]), precisions[i], 0, alone);
        assert_memory_equal(y, alone, sizeof y);
    }
}

/* ---- measured choices ------------------------------------------------------------------------ */

/* dy is 563 KB. */
static void build_long_sums(struct graph *g, struct rng *r)
{
    enum { MANY = 2200 };
    (void)r;
    op_linear_weight_grad(g, leaf(g, "dy", SHAPE(MANY, 64)), leaf(g, "x", SHAPE(MANY, 3)));
}

/* Weight gradients of many rows: both ways are timed, one is kept, and every program takes it. */
static void test_measured(void **state)
{
    (void)state;
    static const struct recipe recipe = {"linear_weight_grad", build_long_sums, NULL};
    const struct backend *b = need_device(PRECISION_FP32);
    if (!getenv("XDG_CACHE_HOME")) {
        print_message("no XDG_CACHE_HOME: no place of the test's own to keep a choice\n");
        skip();
    }
    const struct subject s = {.variant = device_name(), .value_size = sizeof(float), .ctx = b};
    double errors[RESULTS] = {0}, plain[RESULTS] = {0};
    struct graph *g = graph_new();
    struct values v;
    struct rng r;
    rng_init(&r, 1, recipe.op, 0, 0);
    recipe.build(g, &r);
    fill(&v, g, &recipe, &r);
    struct run first = run_new(last_node(g), &v, sizeof(float));
    struct run second = run_new(last_node(g), &v, sizeof(float));
    struct expected e = expect(last_node(g), &v, 1u << PRECISION_FP32);
    run_device(&s, &first, 2, 0);
    run_device(&s, &second, 1, 0);
    check_values(&s, &first, &e, errors, plain);
    check_same(&s, &first, &second, "in another program");
    release_expected(&e, 1u << PRECISION_FP32);
    run_free(&first);
    run_free(&second);
    release(&v);
    graph_free(g);
}

/* ---- updates --------------------------------------------------------------------------------- */

enum { UPDATES = 4, ROWS = 9, WIDTH = 20 };

/* The weights after some updates of two layers. rewrites: before each one the host writes what it
 * has read. */
static void updated(const struct backend *b, const struct op *optimizer, int rewrites,
                    float weights[2 * WIDTH * WIDTH])
{
    struct graph *g = graph_new();
    struct init spread = {INIT_NORMAL, 0.3};
    struct tensor *x = leaf(g, "x", SHAPE(ROWS, WIDTH));
    struct tensor *w = graph_param(g, "w", SHAPE(2 * WIDTH, WIDTH), spread);
    struct tensor *v = graph_param(g, "v", SHAPE(1, 2 * WIDTH), spread);
    struct tensor *y = op_linear(g, op_gelu(g, op_linear(g, x, w, NULL)), v, NULL);
    graph_output(g, "loss", op_norm_square(g, y));
    struct plan_options po = {.loss = "loss", .optimizer = optimizer};
    struct backend_options o = {.threads = 1, .precision = PRECISION_BF16};
    struct capability can = backend_capability(b, o.precision);
    struct error err = {0};
    struct plan *p = plan_compile(g, &po, &can, &err);
    struct program *program = p ? b->load(p, &o, &err) : NULL;
    if (!program)
        fail_msg("%s", err.msg);
    double hyper[HYPER_COUNT] = {1e-2, 0.05, 0.1, 0.01, 1e-8, 1, 1, 0};
    hyper[HYPER_MOMENTUM] = 0.9;
    float values[ROWS * WIDTH];
    for (int i = 0; i < ROWS * WIDTH; i++)
        values[i] = (float)(i * 37 % 101 - 50) / 25.0f;
    program_init(b, program, p, 11);
    b->write(program, x, values);
    for (int i = 0; i < UPDATES; i++) {
        hyper[HYPER_T] = i + 1;
        b->write_double(program, graph_find(g, "train/hyper"), hyper);
        b->run(program, 11, (uint64_t)i);
        b->read(program, w, weights);
        if (rewrites)
            b->write(program, w, weights);
    }
    b->unload(program);
    plan_free(p);
}

/* The copy in bf16 that products read follows an update as it follows the host. */
static void test_copies(void **state)
{
    (void)state;
    static const struct op *const optimizers[] = {&op_adamw_row, &op_sgd_row};
    const struct backend *b = need_device(PRECISION_BF16);
    for (int i = 0; i < 2; i++) {
        float once[2 * WIDTH * WIDTH], again[2 * WIDTH * WIDTH];
        updated(b, optimizers[i], 0, once);
        updated(b, optimizers[i], 1, again);
        assert_memory_equal(once, again, sizeof once);
    }
}

/* Nothing on a plugin's device is expanded for want of a kernel. */
static void test_complete(void **state)
{
    (void)state;
    const struct backend *b = need_device(PRECISION_FP32);
    for (int i = 0; i < op_count(); i++)
        if (!b->has(b, op_at(i)))
            fail_msg("op %s has no %s kernel", op_at(i)->name, device_name());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete), cmocka_unit_test(test_fp32),
        cmocka_unit_test(test_tf32),     cmocka_unit_test(test_bf16),
        cmocka_unit_test(test_storage),  cmocka_unit_test(test_embedding),
        cmocka_unit_test(test_copies),   cmocka_unit_test(test_measured),
        cmocka_unit_test(test_narrow),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
