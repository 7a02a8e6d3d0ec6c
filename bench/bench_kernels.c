/* The cpu backend's kernels inside real models: fraction of the machine's own matrix-product peak
 * that a training step or an inference reaches, then time, GMAC/s and GB/s of every op. The peak
 * (2048^3, same threads) is measured before and after each model. A training step counts three
 * times the forward's exact MACs. Usage: bench_kernels [--threads N] [--only TEXT] */
#include <cblas.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "backend/backend.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/model.h"
#include "tensor/ops/ops.h"

/* One line of the table: a model, its batch, and the goal. */
struct subject {
    const char *name;
    int training;
    int batch;
    double goal;      /* fraction of peak */
    const char *keys; /* key=value, separated by blanks */
};

#define CIFAR                                                                                      \
    "model.image_size=32 model.channels=3 model.classes=10 model.memory_patch=4 "                  \
    "model.process_init=patch model.process_patch=8 model.upstream_patch_size=8 "                  \
    "model.fusion=add model.memory_block=none model.mlp_ratio=4 "
#define IMAGENET                                                                                   \
    "model.image_size=224 model.channels=3 model.classes=1000 model.memory_patch=28 "              \
    "model.process_init=patch model.process_patch=28 model.upstream_patch_size=16 "                \
    "model.fusion=add model.memory_block=none model.mlp_ratio=4 "

static const struct subject subjects[] = {
    {"vittm 64x4, 32 px", 1, 128, 0.75,
     "model.family=vittm " CIFAR "model.dim=64 model.depth=4 model.heads=2 model.rw_head=linear "
     "model.latent_dim=16"},
    {"vittm 96x6, 32 px", 1, 128, 0.80,
     "model.family=vittm " CIFAR "model.dim=96 model.depth=6 model.heads=3 model.rw_head=linear "
     "model.latent_dim=24"},
    {"vittm 192x6, 32 px", 1, 64, 0.88,
     "model.family=vittm " CIFAR "model.dim=192 model.depth=6 model.heads=3 model.rw_head=linear "
     "model.latent_dim=48"},
    {"vit 192x6, 32 px", 1, 64, 0.85,
     "model.family=vit model.image_size=32 model.channels=3 model.classes=10 model.patch=4 "
     "model.dim=192 model.depth=6 model.heads=3 model.mlp_ratio=4"},
    {"vit-s/16, 224 px", 1, 4, 0.94,
     "model.family=vit model.image_size=224 model.channels=3 model.classes=1000 model.patch=16 "
     "model.dim=384 model.depth=12 model.heads=6 model.mlp_ratio=4"},
    {"vit-b/16, 224 px", 0, 8, 0.93,
     "model.family=vit model.image_size=224 model.channels=3 model.classes=1000 model.patch=16 "
     "model.dim=768 model.depth=12 model.heads=12 model.mlp_ratio=4"},
    {"vittm-b(64,64)", 0, 8, 0.92,
     "model.family=vittm " IMAGENET "model.dim=768 model.depth=12 model.heads=12 "
     "model.rw_head=linear model.latent_dim=192"},
    {"vittm-s(64,64)", 0, 8, 0.88,
     "model.family=vittm " IMAGENET "model.dim=384 model.depth=12 model.heads=6 "
     "model.rw_head=linear model.latent_dim=96"},
};

enum { N_SUBJECTS = sizeof subjects / sizeof *subjects };

static void check(int rc, const struct error *err)
{
    if (rc) {
        fprintf(stderr, "%s\n", err->msg);
        exit(EXIT_ENVIRONMENT);
    }
}

/* ---- the peak -------------------------------------------------------------------------------- */

enum { PEAK_SIZE = 2048, PEAK_RUNS = 3 };

/* MACs a second of the best of a few large products. */
static double peak(int threads)
{
    int64_t n = PEAK_SIZE;
    float *x = mem_zalloc((size_t)(3 * n * n), sizeof *x);
    double best = 0;
    openblas_set_num_threads(threads);
    for (int64_t i = 0; i < 2 * n * n; i++)
        x[i] = (float)(i % 17) * 0.1f;
    for (int r = 0; r < PEAK_RUNS; r++) {
        double start = clock_now();
        cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, PEAK_SIZE, PEAK_SIZE, PEAK_SIZE, 1,
                    x, PEAK_SIZE, x + n * n, PEAK_SIZE, 0, x + 2 * n * n, PEAK_SIZE);
        double rate = (double)(n * n * n) / (clock_now() - start);
        best = rate > best ? rate : best;
    }
    openblas_set_num_threads(1);
    free(x);
    return best;
}

/* ---- a model on the device ------------------------------------------------------------------- */

struct loaded {
    struct plan *plan;
    struct program *program;
    struct model_io io;
    double macs; /* the whole batch's, three times the forward's with training */
};

static struct config *config_of(const struct subject *s)
{
    static const struct config_key *const tables[] = {model_keys, NULL};
    struct error err = {0};
    struct config *c = config_new(tables);
    char *text = mem_strdup(s->keys), *rest = text;
    for (char *word; (word = strsep(&rest, " "));) {
        char *value = strchr(word, '=');
        if (!value)
            continue;
        *value++ = 0;
        check(config_set(c, word, value, (struct config_origin){"bench", 0, 0}, &err), &err);
    }
    free(text);
    check(config_resolve(c, &err), &err);
    return c;
}

static void fill_inputs(const struct loaded *l, const struct backend *b, int classes)
{
    const struct graph *g = l->plan->graph;
    struct rng r;
    rng_init(&r, 1, "bench", 0, 0);
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        int64_t n = shape_count(t->shape);
        if (t->kind != TENSOR_INPUT || l->plan->places[i].block == PLAN_NONE)
            continue;
        double *x = mem_alloc(sizeof(double) * (size_t)n);
        for (int64_t k = 0; k < n; k++)
            x[k] = t->type == TENSOR_INT ? (double)rng_below(&r, classes) : rng_normal(&r);
        static const double hyper[HYPER_COUNT] = {1e-4, 0.05, 0.1, 0.001, 1e-8, 1, 3, 0};
        if (!strcmp(t->name, "train/hyper"))
            memcpy(x, hyper, sizeof hyper);
        b->write_double(l->program, t, x);
        free(x);
    }
}

static struct loaded load(const struct subject *s, const struct backend *b, int threads)
{
    struct error err = {0};
    struct loaded l = {0};
    struct config *c = config_of(s);
    struct model_options o = {.batch = s->batch, .with_loss = s->training, .training = s->training};
    struct plan_options po = {.loss = s->training ? "loss" : NULL,
                              .optimizer = s->training ? &op_adamw_row : NULL};
    struct capability cap = backend_capability(b);
    struct op_cost cost;
    struct graph *g = model_build(c, &o, &l.io, &err);
    check(g ? 0 : -1, &err);
    graph_cost(g, &cost);
    l.macs = (double)cost.macs * (s->training ? 3 : 1);
    l.plan = plan_compile(g, &po, &cap, &err);
    check(l.plan ? 0 : -1, &err);
    l.program = b->load(l.plan, &(struct backend_options){.threads = threads}, &err);
    check(l.program ? 0 : -1, &err);
    program_init(b, l.program, l.plan, 1);
    fill_inputs(&l, b, (int)config_int(c, "model.classes"));
    config_free(c);
    return l;
}

/* ---- measurement ----------------------------------------------------------------------------- */

enum { WARM_UP = 2, RUNS = 15 };

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* Seconds of a run, sorted. */
static void run_times(const struct loaded *l, const struct backend *b, double seconds[RUNS])
{
    for (int i = -WARM_UP; i < RUNS; i++) {
        double start = clock_now();
        b->run(l->program, 1, (uint64_t)(i + WARM_UP));
        if (i >= 0)
            seconds[i] = clock_now() - start;
    }
    qsort(seconds, RUNS, sizeof *seconds, by_value);
}

/* The best of several runs for each step: other work on the machine drops out. */
static double *step_times(const struct loaded *l, const struct backend *b)
{
    double *best = mem_zalloc((size_t)l->plan->n_steps + 1, sizeof *best);
    for (int r = 0; r < RUNS; r++) {
        b->profile(l->program, 1);
        b->run(l->program, 1, (uint64_t)r);
        b->profile(l->program, 0);
        for (int i = 0; i < l->plan->n_steps; i++) {
            double s = b->profile_step(l->program, i);
            best[i] = r == 0 || s < best[i] ? s : best[i];
        }
    }
    return best;
}

struct op_total {
    const struct op *op;
    double seconds, macs, bytes;
    int calls;
};

static int by_seconds(const void *a, const void *b)
{
    double x = ((const struct op_total *)a)->seconds, y = ((const struct op_total *)b)->seconds;
    return (x < y) - (x > y);
}

static void print_ops(const struct loaded *l, const struct backend *b, double rate)
{
    struct op_total *t = mem_zalloc((size_t)op_count(), sizeof *t);
    double all = 0, *best = step_times(l, b);
    for (int i = 0; i < l->plan->n_steps; i++) {
        const struct node *n = l->plan->steps[i].node;
        struct op_total *row = &t[op_index(n->op)];
        struct op_cost cost;
        op_cost(n, &cost);
        row->op = n->op;
        row->seconds += best[i];
        row->macs += (double)cost.macs;
        row->bytes += (double)(cost.bytes_read + cost.bytes_written);
        row->calls++;
        all += best[i];
    }
    qsort(t, (size_t)op_count(), sizeof *t, by_seconds);
    printf("    %-22s %6s %9s %6s %9s %7s %7s\n", "op", "calls", "ms", "%", "GMAC/s", "/peak",
           "GB/s");
    for (int i = 0; i < op_count() && t[i].seconds > 0.002 * all; i++)
        printf("    %-22s %6d %9.3f %5.1f%% %9.1f %7.2f %7.1f\n", t[i].op->name, t[i].calls,
               1e3 * t[i].seconds, 100 * t[i].seconds / all, t[i].macs / t[i].seconds * 1e-9,
               t[i].macs / t[i].seconds / rate, t[i].bytes / t[i].seconds * 1e-9);
    printf("    %-22s %6d %9.3f\n", "sum of the best", l->plan->n_steps, 1e3 * all);
    free(best);
    free(t);
}

static void measure(const struct subject *s, int threads)
{
    const struct backend *b = backend_find("cpu");
    struct loaded l = load(s, b, threads);
    double seconds[RUNS], before = peak(threads);
    run_times(&l, b, seconds);
    double after = peak(threads), rate = before > after ? before : after;
    printf("%-20s %-9s batch %3d: median %.2f ms, best %.2f ms, %.1f MB; of %.1f GMAC/s: median "
           "%.3f, best %.3f (goal %.2f)\n",
           s->name, s->training ? "training" : "inference", s->batch, 1e3 * seconds[RUNS / 2],
           1e3 * seconds[0], (double)(l.plan->static_bytes + l.plan->arena_bytes) / 1e6,
           rate * 1e-9, l.macs / seconds[RUNS / 2] / rate, l.macs / seconds[0] / rate, s->goal);
    print_ops(&l, b, rate);
    fflush(stdout);
    b->unload(l.program);
    plan_free(l.plan);
}

/* Threads that wait for work sleep, as in the program itself. OpenMP reads this before main. */
static void wait_asleep(char **argv)
{
    if (!getenv("OMP_WAIT_POLICY") && !setenv("OMP_WAIT_POLICY", "passive", 1))
        execv("/proc/self/exe", argv);
}

int main(int argc, char **argv)
{
    wait_asleep(argv);
    int threads = 1;
    const char *only = "";
    for (int i = 1; i + 1 < argc; i += 2)
        if (!strcmp(argv[i], "--threads"))
            threads = (int)strtol(argv[i + 1], NULL, 10);
        else if (!strcmp(argv[i], "--only"))
            only = argv[i + 1];
    for (int i = 0; i < N_SUBJECTS; i++)
        if (strstr(subjects[i].name, only))
            measure(&subjects[i], threads > 0 ? threads : 1);
    return 0;
}
