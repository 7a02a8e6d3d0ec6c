/* Contracts of the op table, on small random instances (ops_instances.c, ops_refused.c). In double:
 *
 *   gradient    of <cotangent, op(x)> along a random direction = central difference, relative 1e-6
 *   expansion   of a fused op: same value and gradients, same multiply-adds
 *   refusal     of operands that do not fit, naming them
 *
 * and in float on every device under test: within rounding of double, the same bits each run. */
#include "base/memory.h"
#include "base/rng.h"
#include "cli/selftest/op_instance.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"
#include "tensor/ops/ops.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static struct graph *with_loss(const struct op_instance *in)
{
    struct graph *g = graph_new();
    probe_loss(g, in->build(g));
    return g;
}

struct direction {
    double **at;    /* parameter values */
    double **along; /* direction */
};

static void move(const struct probe *p, const struct direction *d, double step)
{
    for (int i = 0; i < p->plan->n_params; i++) {
        const struct tensor *t = p->plan->params[i];
        int64_t n = shape_count(t->shape);
        double *x = mem_alloc(sizeof *x * (size_t)n);
        for (int64_t k = 0; k < n; k++)
            x[k] = d->at[i][k] + step * d->along[i][k];
        p->backend->write_double(p->program, t, x);
        free(x);
    }
}

static void draw_direction(const struct probe *p, struct direction *d)
{
    size_t n_params = (size_t)p->plan->n_params;
    d->at = mem_zalloc(n_params, sizeof *d->at);
    d->along = mem_zalloc(n_params, sizeof *d->along);
    for (int i = 0; i < p->plan->n_params; i++) {
        const struct tensor *t = p->plan->params[i];
        int64_t n = shape_count(t->shape);
        struct rng r;
        rng_init(&r, 2, t->name, 0, 0);
        d->at[i] = mem_alloc(sizeof **d->at * (size_t)n);
        d->along[i] = mem_alloc(sizeof **d->along * (size_t)n);
        p->backend->read_double(p->program, t, d->at[i]);
        for (int64_t k = 0; k < n; k++)
            d->along[i][k] = rng_normal(&r);
    }
}

static void free_direction(const struct probe *p, struct direction *d)
{
    for (int i = 0; i < p->plan->n_params; i++) {
        free(d->at[i]);
        free(d->along[i]);
    }
    free(d->at);
    free(d->along);
}

/* <gradient, direction> as autograd has it. */
static double slope(const struct probe *p, const struct direction *d)
{
    double s = 0;
    for (int i = 0; i < p->plan->n_trained; i++) {
        const struct tensor *t = p->plan->params[i];
        char name[128];
        snprintf(name, sizeof name, "grad/%s", t->name);
        int64_t n;
        double *x = probe_read(p, name, &n);
        for (int64_t k = 0; k < n; k++)
            s += x[k] * d->along[i][k];
        free(x);
    }
    return s;
}

static double loss_at(struct probe *p, const struct direction *d, double step)
{
    move(p, d, step);
    probe_run(p, 5, 3);
    return probe_scalar(p, "loss");
}

/* By autograd and by differences; part names what of the op is meant. */
static void check_gradient(struct selftest *t, const struct backend *judge,
                           const struct op_instance *in, const struct probe_options *o,
                           const char *part)
{
    struct probe p;
    struct error err = {0};
    if (probe_open(&p, judge, with_loss(in), "loss", o, 7, &err)) {
        selftest_fail(t, in->op, "%s: %s", part, err.msg);
        return;
    }
    struct direction d;
    draw_direction(&p, &d);
    loss_at(&p, &d, 0);
    double exact = slope(&p, &d), h = 1e-4;
    /* fourth-order central difference */
    double difference = (8 * (loss_at(&p, &d, h) - loss_at(&p, &d, -h)) -
                         (loss_at(&p, &d, 2 * h) - loss_at(&p, &d, -2 * h))) /
                        (12 * h);
    double error = fabs(exact - difference) / fmax(fabs(difference), 1e-3);
    if (!(error < 1e-6) || p.plan->n_trained != p.plan->n_params)
        selftest_fail(t, in->op, "%s: slope %.12g, differences give %.12g", part, exact,
                      difference);
    else
        selftest_pass(t, in->op, "%s: relative error %.1e", part, error);
    free_direction(&p, &d);
    probe_close(&p);
}

static double largest_difference(const struct probe *a, const struct probe *b, const char *name)
{
    int64_t n;
    double *x = probe_read(a, name, &n), *y = probe_read(b, name, NULL), worst = 0;
    for (int64_t i = 0; i < n; i++)
        worst = fmax(worst, fabs(x[i] - y[i]) / (1 + fabs(x[i])));
    free(x);
    free(y);
    return worst;
}

/* Every result but the loss, whose terms may cancel: the largest difference, of the largest value
 * or of floor. */
static double largest_error(const struct probe *p, const struct probe *judge)
{
    const double floor = 1e-2;
    const struct graph *g = judge->plan->graph;
    double worst = 0;
    for (int i = 0; i < g->n_outputs; i++) {
        int64_t n;
        if (!strcmp(g->output_names[i], "loss"))
            continue;
        double *truth = probe_read(judge, g->output_names[i], &n);
        double *x = probe_read(p, g->output_names[i], NULL), top = floor, error = 0;
        for (int64_t k = 0; k < n; k++) {
            double d = fabs(x[k] - truth[k]);
            error = d <= error ? error : d; /* not a number is the worst */
            top = fmax(top, fabs(truth[k]));
        }
        worst = error / top <= worst ? worst : error / top;
        free(truth);
        free(x);
    }
    return worst;
}

/* Against judge; with expand, without fused ops. Run three times, of which a device may capture. */
static void check_device(struct selftest *t, const struct backend *device,
                         const struct op_instance *in, int expand)
{
    const double allowed =
        1e-5; /* many roundings of a float; kernels.c and golden files are strict */
    const char *name = device->choice.name, *how = expand ? "expanded" : "as it is";
    struct probe judge, p;
    struct error err = {0};
    struct probe_options o = {.expand = expand};
    if (probe_open(&p, device, with_loss(in), "loss", &o, 7, &err)) {
        selftest_fail(t, in->op, "%s, %s: %s", name, how, err.msg);
        return;
    }
    if (probe_open(&judge, backend_find("judge"), with_loss(in), "loss", &o, 7, &err))
        BUG("%s", err.msg);
    probe_run(&judge, 5, 3);
    int same = probe_repeats(&p, 5, 3);
    double error = largest_error(&p, &judge);
    if (same && error <= allowed)
        selftest_pass(t, in->op, "%s, %s: relative error %.1e", name, how, error);
    else
        selftest_fail(t, in->op, "%s, %s: relative error %.1e%s", name, how, error,
                      same ? "" : "; a second run has other bits");
    probe_close(&judge);
    probe_close(&p);
}

/* Forward multiply-adds of a compiled plan. */
static int64_t forward_macs(const struct plan *p)
{
    int64_t macs = 0;
    for (int i = 0; i < p->n_steps; i++) {
        struct op_cost c;
        op_cost(p->steps[i].node, &c);
        macs += p->steps[i].node->backward ? 0 : c.macs;
    }
    return macs;
}

static void check_expansion(struct selftest *t, const struct backend *judge,
                            const struct op_instance *in)
{
    struct probe fused, expanded;
    struct error err = {0};
    if (probe_open(&fused, judge, with_loss(in), "loss", &(struct probe_options){0}, 7, &err)) {
        selftest_fail(t, in->op, "expansion: %s", err.msg);
        return;
    }
    if (probe_open(&expanded, judge, with_loss(in), "loss", &(struct probe_options){.expand = 1}, 7,
                   &err)) {
        selftest_fail(t, in->op, "expansion: %s", err.msg);
        probe_close(&fused);
        return;
    }
    probe_run(&fused, 5, 3);
    probe_run(&expanded, 5, 3);
    double worst = 0;
    for (int i = 0; i < fused.plan->graph->n_outputs; i++)
        worst =
            fmax(worst, largest_difference(&fused, &expanded, fused.plan->graph->output_names[i]));
    int64_t a = forward_macs(fused.plan), b = forward_macs(expanded.plan);
    if (!(worst < 1e-10) || a != b)
        selftest_fail(t, in->op, "expansion: differs by %.1e, multiply-adds %lld and %lld", worst,
                      (long long)a, (long long)b);
    else
        selftest_pass(t, in->op, "expansion: differs by %.1e, %lld multiply-adds", worst,
                      (long long)a);
    probe_close(&fused);
    probe_close(&expanded);
}

/* ---- all ops --------------------------------------------------------------------------------- */

static int has_instance(const struct op *op)
{
    for (int i = 0; op_instances[i].op; i++)
        if (!strcmp(op_instances[i].op, op->name))
            return 1;
    return 0;
}

static void check_refusals(struct selftest *t)
{
    for (int i = 0; op_refused[i].op; i++) {
        struct graph *g = graph_new();
        struct error err = {0};
        struct tensor *y = op_refused[i].build(g);
        op_affine(g, y, 1, 0); /* building goes on harmlessly */
        if (graph_failed(g, &err))
            selftest_pass(t, op_refused[i].op, "refused: %s", err.msg);
        else
            selftest_fail(t, op_refused[i].op, "operands that do not fit were accepted");
        graph_free(g);
    }
}

/* judge has had its checks. */
static void check_instances_on(struct selftest *t, const struct backend *b)
{
    if (!strcmp(b->choice.name, "judge"))
        return;
    selftest_on(t, b->choice.name);
    for (int i = 0; op_instances[i].op; i++) {
        check_device(t, b, &op_instances[i], 0);
        if (op_find(op_instances[i].op)->flags & OP_FUSED)
            check_device(t, b, &op_instances[i], 1);
    }
    selftest_on(t, NULL);
}

void selftest_ops(struct selftest *t)
{
    const struct backend *judge = backend_find("judge");
    for (int i = 0; op_at(i); i++)
        if (!(op_at(i)->flags & (OP_BACKWARD | OP_EFFECT | OP_CONSTANT_GRAD)) &&
            !has_instance(op_at(i)))
            selftest_fail(t, op_at(i)->name, "has no instance in the contract tests");
    for (int i = 0; op_instances[i].op; i++) {
        const struct op_instance *in = &op_instances[i];
        check_gradient(t, judge, in, &(struct probe_options){0}, "gradient");
        if (op_find(in->op)->flags & OP_FUSED) {
            check_gradient(t, judge, in, &(struct probe_options){.expand = 1}, "expanded gradient");
            check_expansion(t, judge, in);
        }
    }
    check_refusals(t);
    for (int b = 0; t->backends[b]; b++)
        check_instances_on(t, t->backends[b]);
}
