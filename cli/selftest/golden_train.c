/* Golden files about training: losses, AdamW with what surrounds it, schedules, accuracy; each
 * through the code that a run uses, on every backend under test. */
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/golden_kind.h"
#include "cli/selftest/selftest.h"
#include "tensor/compile/plan.h"
#include "tensor/ops/ops.h"
#include "train/evaluate.h"
#include "train/schedule.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- shared ---------------------------------------------------------------------------------- */

/* Elementwise: |got - want| <= absolute + relative * |want|. */
static void compare_values(struct comparison *c, const char *name, const double *got,
                           const double *want, int64_t n, double absolute, double relative)
{
    c->compared++;
    for (int64_t i = 0; i < n; i++) {
        double error = fabs(got[i] - want[i]) / (absolute + relative * fabs(want[i]));
        if (!(error <= c->worst)) {
            c->worst = isnan(error) ? INFINITY : error;
            snprintf(c->what, sizeof c->what, "%s: value %lld is %.9g, stored %.9g", name,
                     (long long)i, got[i], want[i]);
        }
    }
}

static double number(const json_t *o, const char *key)
{
    const json_t *v = json_object_get(o, key);
    return json_is_number(v) ? json_number_value(v) : 0;
}

struct loaded {
    const struct backend *backend;
    struct plan *plan;
    struct program *program;
};

static int load(struct loaded *l, const struct backend *b, int threads, struct graph *g,
                const char *loss, struct error *err)
{
    struct plan_options po = {.loss = loss, .keep_gradients = loss != NULL};
    struct capability can = backend_capability(b, PRECISION_FP32);
    struct backend_options bo = {.threads = threads};
    *l = (struct loaded){.backend = b, .plan = plan_compile(g, &po, &can, err)};
    l->program = l->plan ? b->load(l->plan, &bo, err) : NULL;
    if (l->program)
        program_init(b, l->program, l->plan, 0);
    return l->program ? 0 : -1;
}

static void unload(struct loaded *l)
{
    if (l->program)
        l->backend->unload(l->program);
    plan_free(l->plan);
    *l = (struct loaded){0};
}

static void write_named(const struct loaded *l, const char *name, const double *x)
{
    l->backend->write_double(l->program, graph_find(l->plan->graph, name), x);
}

static void compare_output(const struct loaded *l, struct comparison *c, const char *output,
                           const char *name, const double *want, double absolute, double relative)
{
    const struct tensor *t = graph_output_find(l->plan->graph, output);
    int64_t n = shape_count(t->shape);
    double *got = mem_alloc(sizeof *got * (size_t)n);
    l->backend->read_double(l->program, t, got);
    compare_values(c, name, got, want, n, absolute, relative);
    free(got);
}

/* Runs one case on each backend. */
struct train_case {
    const struct backend *backend;
    const struct safetensors *file;
    json_t *json;
    int threads;
    struct comparison result;
};

static void on_backends(struct selftest *t, const char *name, const struct safetensors *file,
                        json_t *json, int (*run)(struct train_case *s, struct error *err))
{
    for (int i = 0; t->backends[i]; i++) {
        struct train_case s = {
            .backend = t->backends[i], .file = file, .json = json, .threads = t->threads};
        struct error err = {0};
        int rc = run(&s, &err);
        if (!rc && !s.result.compared)
            rc = error_set(&err, "nothing to compare");
        golden_verdict(t, name, t->backends[i]->choice.name, rc, &s.result, &err);
    }
}

/* ---- losses ---------------------------------------------------------------------------------- */

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

static int write_labels(const struct loaded *l, const struct safetensors *f, struct error *err)
{
    const struct safetensors_tensor *t = safetensors_find(f, "labels");
    if (!t)
        return error_set(err, "has no labels");
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)t->count);
    int rc = safetensors_read_int32(t, labels, err);
    if (!rc)
        l->backend->write(l->program, graph_find(l->plan->graph, "target"), labels);
    free(labels);
    return rc;
}

static void compare_stored(struct train_case *s, const struct loaded *l, const struct variant *v,
                           const char *output, const char *what, double absolute, double relative)
{
    char name[80];
    int64_t n;
    snprintf(name, sizeof name, "%s.%s", v->name, what);
    double *want = golden_values(s->file, name, &n, NULL);
    if (want)
        compare_output(l, &s->result, output, name, want, absolute, relative);
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
    struct loaded l;
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
    int rc = load(&l, s->backend, s->threads, loss_graph(&soft, batch, classes), "loss", err);
    if (!rc) {
        write_named(&l, "logits", logits);
        write_named(&l, "target", target);
        l.backend->run(l.program, 0, 0);
        compare_stored(s, &l, &soft, "loss", "loss_f64", 0, EXACT);
    }
    unload(&l);
    free(target);
    free(labels);
    return rc;
}

static int run_variant(struct train_case *s, const struct variant *v, const double *logits,
                       int64_t batch, int64_t classes, struct error *err)
{
    struct loaded l;
    int64_t n;
    double *soft = golden_values(s->file, "targets_soft", &n, err);
    int rc =
        soft ? load(&l, s->backend, s->threads, loss_graph(v, batch, classes), "loss", err) : -1;
    if (soft && !rc) {
        write_named(&l, "logits", logits);
        if (v->soft)
            write_named(&l, "target", soft);
        else
            rc = write_labels(&l, s->file, err);
    }
    if (!rc) {
        l.backend->run(l.program, 0, 0);
        compare_stored(s, &l, v, "loss", "loss", 1e-12, LOSS_RELATIVE);
        compare_stored(s, &l, v, "grad/logits", "grad", GRAD_ABSOLUTE, 0);
        if (l.backend->value_size == sizeof(double))
            compare_stored(s, &l, v, "loss", "loss_f64", 0,
                           has_rounded_targets(v) ? ROUNDED : EXACT);
    }
    if (soft)
        unload(&l);
    free(soft);
    return rc;
}

static int loss_case(struct train_case *s, struct error *err)
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

static void run_loss(struct selftest *t, const char *name, const struct safetensors *file,
                     json_t *json)
{
    on_backends(t, name, file, json, loss_case);
}

/* The recipe's binary loss. */
static int two_heads_case(struct train_case *s, struct error *err)
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
        struct loaded l;
        struct graph *g = graph_new();
        struct shape shape = SHAPE(t->dim[0], t->dim[1]);
        struct init zero = {INIT_ZERO, 0};
        struct tensor *target = graph_input(g, "target", shape, TENSOR_VALUE);
        struct tensor *memory = op_bce(g, graph_param(g, "memory", shape, zero), target, 0, 1);
        struct tensor *process = op_bce(g, graph_param(g, "process", shape, zero), target, 0, 1);
        graph_output(g, "loss", op_add(g, memory, process));
        rc = load(&l, s->backend, s->threads, g, "loss", err);
        if (!rc) {
            write_named(&l, "memory", x[0]);
            write_named(&l, "process", x[1]);
            write_named(&l, "target", x[2]);
            l.backend->run(l.program, 0, 0);
            compare_output(&l, &s->result, "loss", "loss", x[3], 0, LOSS_RELATIVE);
            compare_output(&l, &s->result, "grad/memory", "memory_grad", x[4], GRAD_ABSOLUTE, 0);
            compare_output(&l, &s->result, "grad/process", "process_grad", x[5], GRAD_ABSOLUTE, 0);
        }
        unload(&l);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}

static void run_two_heads(struct selftest *t, const char *name, const struct safetensors *file,
                          json_t *json)
{
    on_backends(t, name, file, json, two_heads_case);
}

/* ---- AdamW ----------------------------------------------------------------------------------- */

enum { PARTS_MAX = 16 };

struct parts {
    const struct safetensors *file;
    int n;
    int64_t offset[PARTS_MAX + 1];
};

/* Tensors KIND0.SUFFIX, KIND1.SUFFIX, … one after the other. */
static int gather(const struct parts *p, const char *kind, const char *suffix, double *out,
                  struct error *err)
{
    for (int i = 0; i < p->n; i++) {
        char name[64];
        snprintf(name, sizeof name, "%s%d.%s", kind, i, suffix);
        const struct safetensors_tensor *t = safetensors_find(p->file, name);
        if (!t || t->count != p->offset[i + 1] - p->offset[i])
            return error_set(err, "has no %s of its parameter's size", name);
        safetensors_read_double(t, out + p->offset[i]);
    }
    return 0;
}

static void find_parts(struct parts *p, const struct safetensors *f)
{
    *p = (struct parts){.file = f};
    for (; p->n < PARTS_MAX; p->n++) {
        char name[64];
        snprintf(name, sizeof name, "p%d.init", p->n);
        const struct safetensors_tensor *t = safetensors_find(f, name);
        if (!t)
            return;
        p->offset[p->n + 1] = p->offset[p->n] + t->count;
    }
}

/* The update of a training step over n values: each micro-batch's share of the gradient is summed,
 * the running mean follows. */
static struct graph *adamw_graph(int64_t n, int micro)
{
    struct graph *g = graph_new();
    struct init zero = {INIT_ZERO, 0};
    struct tensor *p = graph_state(g, "p", SHAPE(n), zero),
                  *m = graph_state(g, "m", SHAPE(n), zero),
                  *v = graph_state(g, "v", SHAPE(n), zero),
                  *sum = graph_state(g, "sum", SHAPE(n), zero),
                  *mean = graph_state(g, "ema", SHAPE(n), zero),
                  *hyper = graph_input(g, "hyper", SHAPE(HYPER_COUNT), TENSOR_VALUE);
    struct tensor *part = graph_input(g, "g", SHAPE(n), TENSOR_VALUE);
    op_apply_accumulate(g, sum, op_affine(g, part, 1 / (double)micro, 0), hyper);
    struct tensor *norm = op_norm_square(g, sum);
    graph_output(g, "norm_square", norm);
    op_apply_adamw(g, p, m, v, sum, norm, hyper);
    op_apply_running_mean(g, mean, p, hyper);
    return g;
}

static int read_gradient(const struct parts *p, int step, int part, int micro, double *out,
                         struct error *err)
{
    char suffix[40];
    if (micro == 1)
        snprintf(suffix, sizeof suffix, "step%d", step);
    else
        snprintf(suffix, sizeof suffix, "step%d.micro%d", step, part);
    return gather(p, "g", suffix, out, err);
}

static int compare_state(struct train_case *s, const struct loaded *l, const struct parts *p,
                         const char *state, const char *suffix, struct error *err)
{
    int64_t n = p->offset[p->n];
    double *got = mem_alloc(sizeof *got * (size_t)n), *want = mem_alloc(sizeof *want * (size_t)n);
    char name[64];
    int rc = gather(p, state, suffix, want, err);
    l->backend->read_double(l->program, graph_find(l->plan->graph, state), got);
    snprintf(name, sizeof name, "%s.%s", state, suffix);
    if (!rc)
        compare_values(&s->result, name, got, want, n, 2e-6, 2e-6);
    free(got);
    free(want);
    return rc;
}

static void adamw_hyper(const json_t *o, float hyper[HYPER_COUNT])
{
    const json_t *betas = json_object_get(o, "betas");
    memset(hyper, 0, sizeof *hyper * HYPER_COUNT);
    hyper[HYPER_DECAY] = (float)number(o, "weight_decay");
    hyper[HYPER_NEW1] = (float)(1 - json_number_value(json_array_get(betas, 0)));
    hyper[HYPER_NEW2] = (float)(1 - json_number_value(json_array_get(betas, 1)));
    hyper[HYPER_EPS] = (float)number(o, "eps");
    hyper[HYPER_CLIP] = (float)number(o, "clip_norm");
}

/* One update: as many runs as there are micro-batches. x has room for a gradient. */
static int adamw_update(const struct train_case *s, const struct loaded *l, const struct parts *p,
                        int step, float hyper[HYPER_COUNT], double *x, struct error *err)
{
    const json_t *decay = json_object_get(s->json, "ema_decay");
    int micro = (int)number(s->json, "accum");
    hyper[HYPER_SHARE] = step ? (float)(1 - json_number_value(decay)) : 1;
    for (int a = 0; a < micro; a++) {
        hyper[HYPER_ADD] = a > 0;
        hyper[HYPER_T] = a + 1 == micro ? (float)(step + 1) : 0;
        if (read_gradient(p, step, a, micro, x, err))
            return -1;
        write_named(l, "g", x);
        l->backend->write(l->program, graph_find(l->plan->graph, "hyper"), hyper);
        l->backend->run(l->program, 0, 0);
    }
    return 0;
}

/* What the gradient was multiplied by, from our norm; the product shows in the parameters. */
static void compare_clip(struct train_case *s, const struct loaded *l, double clip, double want)
{
    double square, got = 1;
    l->backend->read_double(l->program, graph_output_find(l->plan->graph, "norm_square"), &square);
    if (clip > 0 && clip < sqrt(square) + 1e-6)
        got = clip / (sqrt(square) + 1e-6);
    compare_values(&s->result, "clip_coef", &got, &want, 1, 0, 1e-5);
}

static int adamw_steps(struct train_case *s, const struct loaded *l, const struct parts *p,
                       struct error *err)
{
    int steps = (int)number(s->json, "steps");
    int64_t n_lr, n_norm, n_clip;
    double *x = mem_alloc(sizeof *x * (size_t)p->offset[p->n]);
    double *lr = golden_values(s->file, "lr", &n_lr, err),
           *norm = golden_values(s->file, "grad_norm", &n_norm, err),
           *clip = golden_values(s->file, "clip_coef", &n_clip, err);
    float hyper[HYPER_COUNT];
    int rc = lr && norm && clip && n_lr >= steps && n_norm >= steps && n_clip >= steps
                 ? 0
                 : error_set(err, "has no rates, norms or clip_coef");
    adamw_hyper(s->json, hyper);
    if (!rc)
        rc = gather(p, "p", "init", x, err);
    if (!rc)
        write_named(l, "p", x);
    for (int i = 0; !rc && i < steps; i++) {
        char suffix[40];
        hyper[HYPER_LR] = (float)lr[i];
        rc = adamw_update(s, l, p, i, hyper, x, err);
        if (rc)
            break;
        compare_clip(s, l, number(s->json, "clip_norm"), clip[i]);
        double square = norm[i] * norm[i];
        compare_output(l, &s->result, "norm_square", "grad_norm squared", &square, 1e-12, 2e-5);
        snprintf(suffix, sizeof suffix, "after%d", i);
        rc = compare_state(s, l, p, "p", suffix, err);
        if (!rc && json_is_number(json_object_get(s->json, "ema_decay")))
            rc = compare_state(s, l, p, "ema", suffix, err);
    }
    if (!rc && !compare_state(s, l, p, "m", "final", err))
        rc = compare_state(s, l, p, "v", "final", err);
    free(x);
    free(lr);
    free(norm);
    free(clip);
    return rc;
}

static int adamw_case(struct train_case *s, struct error *err)
{
    struct parts p;
    struct loaded l;
    find_parts(&p, s->file);
    if (!p.n || number(s->json, "accum") < 1)
        return error_set(err, "has no parameters or no number of micro-batches");
    int rc = load(&l, s->backend, s->threads,
                  adamw_graph(p.offset[p.n], (int)number(s->json, "accum")), NULL, err);
    if (!rc)
        rc = adamw_steps(s, &l, &p, err);
    unload(&l);
    return rc;
}

static void run_adamw(struct selftest *t, const char *name, const struct safetensors *file,
                      json_t *json)
{
    on_backends(t, name, file, json, adamw_case);
}

/* ---- schedules, metrics ---------------------------------------------------------------------- */

/* Their schedule names and ours. */
static const char *const schedule_names[][2] = {
    {"cosine", "cosine"}, {"poly", "poly"}, {"mmseg_poly", "poly_min"}};

static const struct lr_schedule *find_schedule(const char *name)
{
    const struct lr_schedule *k;
    for (size_t i = 0; name && i < sizeof schedule_names / sizeof *schedule_names; i++)
        for (int j = 0; !strcmp(name, schedule_names[i][0]) && (k = lr_schedule_at(j)); j++)
            if (!strcmp(k->choice.name, schedule_names[i][1]))
                return k;
    return NULL;
}

static void run_schedule(struct selftest *t, const char *name, const struct safetensors *file,
                         json_t *json)
{
    struct comparison c = {0};
    struct error err = {0};
    struct lr_plan p = {
        .kind = find_schedule(json_string_value(json_object_get(json, "sched"))),
        .lr = number(json, "lr"),
        .warmup_lr = number(json, "warmup_lr"),
        .min_lr = number(json, json_object_get(json, "eta_min") ? "eta_min" : "min_lr"),
        .power = number(json, "power"),
        .warmup = (int64_t)number(json, "warmup_steps"),
        .total = (int64_t)number(json, json_object_get(json, "end") ? "end" : "total_steps")};
    int64_t n = 0;
    double *want = golden_values(file, "lr", &n, &err);
    const char *said = json_string_value(json_object_get(json_object_get(json, "tol"), "lr"));
    double relative = said && !strncmp(said, "rel ", 4) ? strtod(said + 4, NULL) : 1e-9;
    int rc = want && p.kind ? 0 : error_set(&err, "a schedule that this build does not know");
    for (int64_t i = 0; !rc && i < n; i++) {
        double got = lr_plan_rate(&p, i);
        compare_values(&c, "lr", &got, &want[i], 1, 1e-15, relative);
    }
    free(want);
    golden_verdict(t, name, "host", rc, &c, &err);
}

static int topk_case(const struct safetensors *file, struct comparison *c, struct error *err)
{
    static const char *const names[] = {"logits", "labels", "correct1", "correct5", "top1", "top5"};
    const struct safetensors_tensor *t = safetensors_find(file, "logits");
    double *x[6] = {NULL};
    int64_t n[6];
    int rc = t && t->rank == 2 ? 0 : error_set(err, "has no logits (B,K)");
    for (int i = 0; !rc && i < 6; i++)
        if (!(x[i] = golden_values(file, names[i], &n[i], err)))
            rc = -1;
    if (!rc) {
        int64_t batch = t->dim[0], classes = t->dim[1];
        float *logits = mem_alloc(sizeof *logits * (size_t)n[0]);
        struct score s = {0};
        safetensors_read_float(t, logits);
        for (int64_t i = 0; i < batch; i++) {
            int32_t label = (int32_t)x[1][i];
            double hit[2] = {(double)s.top1, (double)s.top5};
            score_add(&s, logits + i * classes, &label, 1, (int)classes, NULL);
            hit[0] = (double)s.top1 - hit[0];
            hit[1] = (double)s.top5 - hit[1];
            golden_compare_exactly(c, "correct1", &hit[0], &x[2][i], 1);
            golden_compare_exactly(c, "correct5", &hit[1], &x[3][i], 1);
        }
        double top[2] = {(double)s.top1 / (double)batch, (double)s.top5 / (double)batch};
        /* Stored in single precision: half a unit in the last place below 1 is 3e-8. */
        compare_values(c, "top1", &top[0], x[4], 1, 1e-7, 0);
        compare_values(c, "top5", &top[1], x[5], 1, 1e-7, 0);
        free(logits);
    }
    for (int i = 0; i < 6; i++)
        free(x[i]);
    return rc;
}

static void run_topk(struct selftest *t, const char *name, const struct safetensors *file,
                     json_t *json)
{
    struct comparison c = {0};
    struct error err = {0};
    (void)json;
    int rc = topk_case(file, &c, &err);
    golden_verdict(t, name, "host", rc, &c, &err);
}

const struct golden_kind golden_train_kinds[] = {
    {"loss", run_loss},   {"loss_two_heads", run_two_heads},
    {"adamw", run_adamw}, {"lr_schedule", run_schedule},
    {"topk", run_topk},   {NULL, NULL},
};
