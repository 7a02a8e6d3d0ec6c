/* What a device does at most, measured with our own kernels: copying (bytes read and written) and
 * square products by precision. Figures of models are fractions of these. Usage: bench_ceilings
 * [DEVICE [COPY_MB [N]]]; a line each: name, figure, unit, with tabs. */
#include <stdio.h>
#include <stdlib.h>

#include "backend/backend.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "tensor/ops/ops.h"

enum { RUNS = 12 };

struct subject {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static int open_subject(struct subject *s, struct graph *g, const struct backend *b,
                        enum precision precision, struct error *err)
{
    struct plan_options po = {0};
    struct backend_options o = {.threads = 1, .precision = precision};
    struct capability c = backend_capability(b, precision);
    *s = (struct subject){.backend = b, .plan = plan_compile(g, &po, &c, err)};
    s->program = s->plan ? b->load(s->plan, &o, err) : NULL;
    return s->program ? 0 : -1;
}

static void close_subject(struct subject *s)
{
    if (s->program)
        s->backend->unload(s->program);
    if (s->plan)
        plan_free(s->plan);
}

/* Random values: products of zeros draw less power, and are faster for it. */
static void fill(struct subject *s, const struct tensor *t)
{
    enum { DRAWN = 1 << 16 };
    int64_t n = shape_count(t->shape);
    float *x = mem_alloc(sizeof *x * (size_t)n);
    struct rng r;
    rng_init(&r, 1, t->name, 0, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = i < DRAWN ? (float)rng_normal(&r) : x[i - DRAWN];
    s->backend->write(s->program, t, x);
    free(x);
}

/* The shortest of several runs of the one step. */
static double seconds(struct subject *s)
{
    double best = 0;
    for (int i = 0; i < RUNS; i++) {
        s->backend->profile(s->program, 1);
        s->backend->run(s->program, 1, (uint64_t)i);
        double t = s->backend->profile_step(s->program, 0);
        best = i == 0 || t < best ? t : best;
    }
    s->backend->profile(s->program, 0);
    return best;
}

static int copy(const struct backend *b, int64_t megabytes, struct error *err)
{
    struct graph *g = graph_new();
    int64_t rows = megabytes * (1 << 20) / (int64_t)sizeof(float) / 1024;
    struct tensor *x = graph_input(g, "x", SHAPE(rows, 1024), TENSOR_VALUE);
    struct subject s;
    graph_output(g, "y", op_affine(g, x, 1.5, 0));
    int rc = open_subject(&s, g, b, PRECISION_FP32, err);
    if (!rc) {
        fill(&s, x);
        printf("copy\t%.4g\tGB/s\n", 2e-9 * (double)(rows * 1024) * sizeof(float) / seconds(&s));
    }
    close_subject(&s);
    return rc;
}

static int product(const struct backend *b, int64_t n, enum precision precision, struct error *err)
{
    struct graph *g = graph_new();
    struct tensor *x = graph_input(g, "x", SHAPE(n, n), TENSOR_VALUE);
    struct tensor *w = graph_input(g, "w", SHAPE(n, n), TENSOR_VALUE);
    struct subject s;
    graph_output(g, "y", op_linear(g, x, w, NULL));
    int rc = open_subject(&s, g, b, precision, err);
    if (!rc) {
        fill(&s, x);
        fill(&s, w);
        printf("product %s\t%.4g\tTFLOP/s\n", precision_name(precision),
               2e-12 * (double)n * (double)n * (double)n / seconds(&s));
    }
    close_subject(&s);
    return rc;
}

int main(int argc, char **argv)
{
    const char *name = argc > 1 ? argv[1] : "cpu";
    int64_t megabytes = argc > 2 ? strtoll(argv[2], NULL, 10) : 64;
    int64_t n = argc > 3 ? strtoll(argv[3], NULL, 10) : 1024;
    struct error err = {0};
    char text[200];
    const struct backend_options o = {.threads = 1};
    const struct backend *row = backend_find(name);
    const struct backend *b = row ? backend_open(row, &o, text, sizeof text, &err) : NULL;
    if (!b || copy(b, megabytes, &err)) {
        fprintf(stderr, "bench_ceilings: %s: %s\n", name, row ? err.msg : "no such device");
        return EXIT_ENVIRONMENT;
    }
    for (int p = 0; precision_choice(p); p++)
        if (product(b, n, (enum precision)p, &err))
            fprintf(stderr, "bench_ceilings: %s\n", err.msg); /* a precision it does not have */
    return 0;
}
