/* Golden files about the losses of classifiers: values, gradients, and in double every digit. */
#include "base/error.h"
#include "base/memory.h"
#include "cli/selftest/golden_train.h"
#include "tensor/ops/ops.h"

#include <stdio.h>
#include <stdlib.h>

#define LOSS_RELATIVE 2e-5
#define GRAD_ABSOLUTE 2e-6
#define EXACT         1e-14 /* of sums in double, in another order */
/* Smoothed targets of the binary loss are single-precision numbers in the reference, so its loss in
 * double is that of targets off by half a unit in their last place. */
#define ROUNDED 0x1p-24

/* What a variant's name stands for. threshold: soft targets above it become 1, others 0. */
static const struct variant {
    const char *name;
    int bce, soft, mean;
    double smoothing, threshold;
} variants[] = {
    {"ce", 0, 0, 0, 0, 0},
    {"ce_smooth01", 0, 0, 0, 0.1, 0},
    {"ce_soft", 0, 1, 0, 0, 0},
    {"bce_sum_hard_smooth01", 1, 0, 0, 0.1, 0},
    {"bce_sum_soft", 1, 1, 0, 0, 0},
    {"bce_mean_soft", 1, 1, 1, 0, 0},
    {"bce_sum_thresh02", 1, 1, 0, 0, 0.2},
};

static struct graph *loss_graph(const struct variant *v, int64_t batch, int64_t classes)
{
    struct graph *g = graph_new();
    struct shape shape = SHAPE(batch, classes);
    struct tensor *x = graph_param(g, "logits", shape, (struct init){INIT_ZERO, 0});
    struct tensor *target = v->soft ? graph_input(g, "target", shape, TENSOR_VALUE)
                                    : graph_input(g, "target", SHAPE(batch), TENSOR_INT);
    if (v->threshold > 0)
        target = op_above(g, target, v->threshold);
    graph_output(g, "loss",
                 v->bce ? op_bce(g, x, target, v->smoothing, v->mean ? 1 / (double)classes : 1)
                        : op_cross_entropy(g, x, target, v->smoothing));
    return g;
}

static int write_labels(const struct probe *p, const struct safetensors *f, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(f, "labels");
    if (!t)
        return error_set(err, "has no labels");
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)t->count);
    int rc = safetensors_read_int32(t, labels, err);
    if (!rc)
        p->backend->write(p->program, graph_find(p->plan->graph, "target"), labels);
    free(labels);
    return rc;
}

static void compare_stored(struct train_case *s, const struct probe *p, const struct variant *v,
                           const char *output, const char *what, double absolute, double relative)
{
    char name[80];
    int64_t n;
    snprintf(name, sizeof name, "%s.%s", v->name, what);
    double *want = golden_values(s->file, name, &n, NULL);
    if (want)
        train_compare_result(&s->result, p, output, name, want, absolute, relative);
    free(want);
}

static int has_rounded_targets(const struct variant *v)
{
    return v->bce && !v->soft && v->smoothing > 0;
}

/* The same loss in double of the reference's own targets, given as soft ones: exact. */
static int run_rounded(struct train_case *s, const struct variant *v, const double *logits,
                       int64_t batch, int64_t classes, struct error *err)
{
    struct probe p;
    int64_t n;
    struct variant soft = {.name = v->name, .bce = 1, .soft = 1};
    double *labels = golden_values(s->file, "labels", &n, err);
    if (!labels || n != batch)
        return error_set(err, "has no labels");
    double *target = mem_alloc(sizeof *target * (size_t)(batch * classes));
    float off = (float)(v->smoothing / (double)classes);
    float on = (float)(1 - v->smoothing + v->smoothing / (double)classes);
    for (int64_t i = 0; i < batch * classes; i++)
        target[i] = (double)(i % classes == (int64_t)labels[i / classes] ? on : off);
    int rc = train_open(s, &p, loss_graph(&soft, batch, classes), "loss", err);
    if (!rc) {
        train_write(&p, "logits", logits);
        train_write(&p, "target", target);
        probe_run(&p, 0, 0);
        compare_stored(s, &p, &soft, "loss", "loss_f64", 0, EXACT);
        probe_close(&p);
    }
    free(target);
    free(labels);
    return rc;
}

static int run_variant(struct train_case *s, const struct variant *v, const double *logits,
                       int64_t batch, int64_t classes, struct error *err)
{
    struct probe p;
    int64_t n;
    double *soft = golden_values(s->file, "targets_soft", &n, err);
    if (!soft || train_open(s, &p, loss_graph(v, batch, classes), "loss", err)) {
        free(soft);
        return -1;
    }
    int rc = v->soft ? 0 : write_labels(&p, s->file, err);
    if (v->soft)
        train_write(&p, "target", soft);
    train_write(&p, "logits", logits);
    if (!rc) {
        probe_run(&p, 0, 0);
        compare_stored(s, &p, v, "loss", "loss", 1e-12, LOSS_RELATIVE);
        compare_stored(s, &p, v, "grad/logits", "grad", GRAD_ABSOLUTE, 0);
        if (p.backend->value_size == sizeof(double))
            compare_stored(s, &p, v, "loss", "loss_f64", 0,
                           has_rounded_targets(v) ? ROUNDED : EXACT);
    }
    probe_close(&p);
    free(soft);
    return rc;
}

int train_check_loss(struct train_case *s, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(s->file, "logits");
    int64_t n;
    int rc = 0;
    if (!t || t->rank != 2)
        return error_set(err, "has no logits (B,K)");
    double *logits = golden_values(s->file, "logits", &n, err);
    for (size_t i = 0; !rc && i < sizeof variants / sizeof *variants; i++)
        if (!(rc = run_variant(s, &variants[i], logits, t->dim[0], t->dim[1], err)) &&
            has_rounded_targets(&variants[i]) && s->backend->value_size == sizeof(double))
            rc = run_rounded(s, &variants[i], logits, t->dim[0], t->dim[1], err);
    free(logits);
    return rc;
}

/* The recipe's binary loss. */
int train_check_two_heads(struct train_case *s, struct error *err)
{
    static const char *const names[] = {"memory_logits", "process_logits", "targets_soft",
                                        "loss",          "memory_grad",    "process_grad"};
    double *x[6] = {NULL};
    int64_t n;
    int rc = 0;
    for (int i = 0; i < 6; i++)
        if (!(x[i] = golden_values(s->file, names[i], &n, err)))
            rc = -1;
    const struct safetensors_tensor *t = safetensors_find(s->file, "memory_logits");
    if (!rc) {
        struct probe p;
        struct graph *g = graph_new();
        struct shape shape = SHAPE(t->dim[0], t->dim[1]);
        struct init zero = {INIT_ZERO, 0};
        struct tensor *target = graph_input(g, "target", shape, TENSOR_VALUE);
        struct tensor *memory = op_bce(g, graph_param(g, "memory", shape, zero), target, 0, 1);
        struct tensor *process = op_bce(g, graph_param(g, "process", shape, zero), target, 0, 1);
        graph_output(g, "loss", op_add(g, memory, process));
        rc = train_open(s, &p, g, "loss", err);
        if (!rc) {
            train_write(&p, "memory", x[0]);
            train_write(&p, "process", x[1]);
            train_write(&p, "target", x[2]);
            probe_run(&p, 0, 0);
            train_compare_result(&s->result, &p, "loss", "loss", x[3], 0, LOSS_RELATIVE);
            train_compare_result(&s->result, &p, "grad/memory", "memory_grad", x[4], GRAD_ABSOLUTE,
                                 0);
            train_compare_result(&s->result, &p, "grad/process", "process_grad", x[5],
                                 GRAD_ABSOLUTE, 0);
            probe_close(&p);
        }
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}
