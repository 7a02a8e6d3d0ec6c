/* The kernels of a device against the processor's, on shapes that models have and shapes that fit
 * no tile (1, 17, 49, 64, 65, 197 tokens):
 *
 *   error      of every result and gradient at most twice that of the backend cpu, both against
 *              judge (flash attention's rule), over all sizes of a case: one alone may be exact by
 *              luck
 *   bits       the first run, the captured one and its replay give the same
 *
 * and every device's products in lower precision, the processor's too:
 *
 *   rounding   the error against judge is that of rounded operands, a few steps of the format
 *   bits       as above, and the same with two threads */
#include "base/memory.h"
#include "cli/selftest/kernel_case.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { RESULTS = 8 };

static const int64_t token_counts[] = {1, 17, 49, 64, 65, 197};

/* The largest relative error of each result over the sizes so far. */
struct record {
    double cpu[RESULTS], device[RESULTS];
};

static int open_threads(struct probe *p, const struct backend *b, const struct size_case *c,
                        int64_t tokens, enum precision precision, int threads, struct error *err)
{
    struct graph *g = graph_new();
    struct probe_options o = {.precision = precision, .threads = threads};
    probe_loss(g, c->build(g, tokens));
    return probe_open(p, b, g, "loss", &o, 7, err);
}

static int open_case(struct probe *p, const struct backend *b, const struct size_case *c,
                     int64_t tokens, enum precision precision, struct error *err)
{
    return open_threads(p, b, c, tokens, precision, 1, err);
}

/* The largest difference, relative to the largest value of the truth. A result that is zero but for
 * rounding, as the gradient of a query that meets one key, must be small. */
static double relative_error(const double *x, const double *truth, int64_t n)
{
    const double nothing = 1e-12, of_rounding = 1e-5;
    double worst = 0, top = 0;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(x[i] - truth[i]);
        worst = error <= worst ? worst : error; /* not a number is the worst */
        top = fmax(top, fabs(truth[i]));
    }
    if (top < nothing)
        return worst < of_rounding ? 0 : worst / of_rounding;
    return worst / top;
}

static void note_errors(double *errors, const struct probe *p, const struct probe *judge)
{
    const struct graph *g = judge->plan->graph;
    for (int i = 0; i < g->n_outputs && i < RESULTS; i++) {
        int64_t n;
        if (!strcmp(g->output_names[i], "loss"))
            continue; /* a sum that may nearly vanish; y is what it sums */
        double *truth = probe_read(judge, g->output_names[i], &n);
        double *x = probe_read(p, g->output_names[i], NULL);
        double error = relative_error(x, truth, n);
        errors[i] = error <= errors[i] ? errors[i] : error;
        free(truth);
        free(x);
    }
}

/* Whether a program with two threads gives the bits of the one that has run. */
static int threads_give_bits(const struct probe *p, const struct size_case *c, int64_t tokens,
                             enum precision precision)
{
    char one[65], two[65];
    struct error err = {0};
    struct probe pair;
    if (open_threads(&pair, p->backend, c, tokens, precision, 2, &err))
        BUG("%s", err.msg);
    probe_run(&pair, 5, 3);
    probe_digest(p, one);
    probe_digest(&pair, two);
    probe_close(&pair);
    return !strcmp(one, two);
}

/* 0, or -1 where the case failed already. */
static int check_size(struct selftest *t, const struct backend *device, const struct size_case *c,
                      int64_t tokens, struct record *r)
{
    struct error err = {0};
    struct probe judge, cpu, tested;
    if (open_case(&tested, device, c, tokens, PRECISION_FP32, &err)) {
        selftest_fail(t, device->choice.name, "%s, %lld tokens: %s", c->name, (long long)tokens,
                      err.msg);
        return -1;
    }
    int same = probe_repeats(&tested, 5, 3);
    if (open_case(&judge, backend_find("judge"), c, tokens, PRECISION_FP32, &err) ||
        open_case(&cpu, backend_find("cpu"), c, tokens, PRECISION_FP32, &err))
        BUG("%s", err.msg);
    probe_run(&judge, 5, 3);
    probe_run(&cpu, 5, 3);
    note_errors(r->cpu, &cpu, &judge);
    note_errors(r->device, &tested, &judge);
    probe_close(&judge);
    probe_close(&cpu);
    probe_close(&tested);
    if (!same)
        selftest_fail(t, device->choice.name, "%s, %lld tokens: a second run has other bits",
                      c->name, (long long)tokens);
    return same ? 0 : -1;
}

static void check_case(struct selftest *t, const struct backend *device, const struct size_case *c)
{
    const double step = 1.2e-7; /* of a float at 1 */
    struct record r = {0};
    for (size_t i = 0; i < sizeof token_counts / sizeof *token_counts; i++)
        if (check_size(t, device, c, token_counts[i], &r))
            return;
    double worst = 0;
    for (int i = 0; i < RESULTS; i++) {
        worst = fmax(worst, r.device[i]);
        if (!(r.device[i] <= 2 * r.cpu[i] + step)) {
            selftest_fail(t, device->choice.name, "%s, result %d: error %.2g, of cpu %.2g", c->name,
                          i, r.device[i], r.cpu[i]);
            return;
        }
    }
    selftest_pass(t, device->choice.name, "%s: relative error %.1e", c->name, worst);
}

/* ---- precision ------------------------------------------------------------------------------- */

/* Of the largest value: several times the step of a rounded operand. */
static const struct {
    enum precision precision;
    double allowed;
} roundings[] = {{PRECISION_TF32, 3e-3}, {PRECISION_BF16, 2.5e-2}};

static void check_precision(struct selftest *t, const struct backend *device,
                            const struct size_case *c, enum precision precision, double allowed)
{
    enum { TOKENS = 65 };
    const char *name = precision_name(precision);
    double errors[RESULTS] = {0}, worst = 0;
    struct error err = {0};
    struct probe judge, tested;
    if (open_case(&tested, device, c, TOKENS, precision, &err)) {
        selftest_fail(t, device->choice.name, "%s in %s: %s", c->name, name, err.msg);
        return;
    }
    int same = probe_repeats(&tested, 5, 3) && threads_give_bits(&tested, c, TOKENS, precision);
    if (open_case(&judge, backend_find("judge"), c, TOKENS, PRECISION_FP32, &err))
        BUG("%s", err.msg);
    probe_run(&judge, 5, 3);
    note_errors(errors, &tested, &judge);
    for (int i = 0; i < RESULTS; i++)
        worst = errors[i] <= worst ? worst : errors[i];
    if (!same || !(worst <= allowed))
        selftest_fail(t, device->choice.name, "%s in %s: error %.2g, allowed %.2g%s", c->name, name,
                      worst, allowed, same ? "" : "; other bits");
    else
        selftest_pass(t, device->choice.name, "%s in %s: relative error %.1e", c->name, name,
                      worst);
    probe_close(&judge);
    probe_close(&tested);
}

static void check_rounding(struct selftest *t, const struct backend *device, size_t p)
{
    for (int i = 0; kernel_rounded_cases[i].c.name; i++)
        check_precision(t, device, &kernel_rounded_cases[i].c, roundings[p].precision,
                        roundings[p].allowed * kernel_rounded_cases[i].products);
}

static void check_device(struct selftest *t, const struct backend *device)
{
    for (int i = 0; kernel_cases[i].name; i++)
        check_case(t, device, &kernel_cases[i]);
    for (size_t p = 0; p < sizeof roundings / sizeof *roundings; p++)
        check_rounding(t, device, p);
}

/* The processor in single precision is the measure. tf32 is a format of GPUs. */
static void check_processor(struct selftest *t, const struct backend *cpu)
{
    for (size_t p = 0; p < sizeof roundings / sizeof *roundings; p++) {
        struct backend_options o = {.threads = 1, .precision = roundings[p].precision};
        char device[128];
        struct error why = {0};
        if (o.precision == PRECISION_TF32)
            continue;
        if (cpu->probe(&o, device, sizeof device, &why))
            selftest_skip(t, precision_name(o.precision), "%s", why.msg);
        else
            check_rounding(t, cpu, p);
    }
}

void selftest_kernels(struct selftest *t)
{
    for (int b = 0; t->backends[b]; b++) {
        const char *name = t->backends[b]->choice.name;
        selftest_on(t, name);
        if (!strcmp(name, "cpu"))
            check_processor(t, t->backends[b]);
        else if (strcmp(name, "judge"))
            check_device(t, t->backends[b]);
        selftest_on(t, NULL);
    }
}
