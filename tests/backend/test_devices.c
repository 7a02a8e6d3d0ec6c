/* Every kernel behind a plugin, a node at a time, against plain loops: test_kernels.c for devices
 * whose memory is not ours. Numbers of tokens are those where tiles have their edges. The second
 * of two runs is a captured one where the device captures. */
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

static struct device_run open_run(const struct subject *s, struct graph *g)
{
    struct device_run r = {.backend = s->ctx};
    struct plan_options po = {0};
    struct backend_options o = {.threads = 1, .precision = s->precision};
    struct capability c = backend_capability(r.backend);
    struct error err = {0};
    r.plan = plan_compile(g, &po, &c, &err);
    r.program = r.plan ? r.backend->load(r.plan, &o, &err) : NULL;
    if (!r.program)
        fail_msg("%s: %s", s->variant, err.msg);
    return r;
}

static void close_run(struct device_run *r)
{
    r->backend->unload(r->program);
    plan_free(r->plan);
}

/* VITTM_TEST_BITS: a file that gets a line a result, so that two whole runs can be compared. */
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

static void call_device(const struct subject *s, struct run *u, int runs)
{
    struct tensor *in[16];
    struct graph *g = alone(u->node, in);
    struct device_run r = open_run(s, g);
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
    tell_bits(s, u);
    close_run(&r);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const int64_t token_counts[] = {49, 64, 65, 196, 197};

enum { COUNTS = sizeof token_counts / sizeof *token_counts };

static const struct backend *open_device(enum precision precision, struct error *err)
{
    static char text[200];
    struct backend_options o = {.threads = 1, .precision = precision};
    return backend_open(backend_find(device_name()), &o, text, sizeof text, err);
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

/* VITTM_TEST_OP: one op alone. VITTM_TEST_TOKENS: these of the numbers of tokens, as "49 197". */
static void check_all(enum precision precision)
{
    struct error err = {0};
    const struct backend *b = open_device(precision, &err);
    const char *only = getenv("VITTM_TEST_OP");
    int64_t counts[COUNTS];
    int n = 0;
    char name[64];
    if (!b) {
        print_message("%s\n", err.msg);
        skip();
    }
    for (int i = 0; i < COUNTS; i++)
        if (listed(getenv("VITTM_TEST_TOKENS"), token_counts[i]))
            counts[n++] = token_counts[i];
    if (!n)
        fail_msg("VITTM_TEST_TOKENS: none of 49, 64, 65, 196 and 197");
    snprintf(name, sizeof name, "%s in %s", device_name(), precision_name(precision));
    const struct subject subjects[] = {{.variant = name,
                                        .value_size = sizeof(float),
                                        .precision = precision,
                                        .call = call_device,
                                        .threads = 2,
                                        .ctx = b},
                                       {0}};
    for (const struct recipe *r = recipes; r < recipes + N_RECIPES; r++)
        if (!only || !strcmp(only, r->op))
            check_recipe(r, subjects, n, counts);
}

static void test_fp32(void **state)
{
    (void)state;
    check_all(PRECISION_FP32);
}

static void test_bf16(void **state)
{
    (void)state;
    check_all(PRECISION_BF16);
}

/* Nothing on a plugin's device is expanded for want of a kernel. */
static void test_complete(void **state)
{
    (void)state;
    struct error err = {0};
    const struct backend *b = open_device(PRECISION_FP32, &err);
    if (!b) {
        print_message("%s\n", err.msg);
        skip();
    }
    for (int i = 0; i < op_count(); i++)
        if (!b->has(b, op_at(i)))
            fail_msg("op %s has no %s kernel", op_at(i)->name, device_name());
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_complete),
        cmocka_unit_test(test_fp32),
        cmocka_unit_test(test_bf16),
    };
    return cmocka_run_group_tests_name("devices", tests, NULL, NULL);
}
