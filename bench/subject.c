/* Models by their keys, compiled and filled with noise. */
#include "bench/subject.h"

#include <cblas.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/rng.h"
#include "model/model.h"
#include "tensor/ops/ops.h"

#define CIFAR                                                                                      \
    "model.image_size=32 model.channels=3 model.classes=10 model.memory_patch=4 "                  \
    "model.process_init=patch model.process_patch=8 model.upstream_patch_size=8 "                  \
    "model.fusion=add model.memory_block=none model.mlp_ratio=4 "
static const struct subject subjects[] = {
    {"vittm 64x4, 32 px", 1, 128, 1, 0.75,
     "model.family=vittm " CIFAR "model.dim=64 model.depth=4 model.heads=2 model.rw_head=linear "
     "model.latent_dim=16"},
    {"vittm 96x6, 32 px", 1, 128, 1, 0.80,
     "model.family=vittm " CIFAR "model.dim=96 model.depth=6 model.heads=3 model.rw_head=linear "
     "model.latent_dim=24"},
    {"vittm 192x6, 32 px", 1, 64, 1, 0.88,
     "model.family=vittm " CIFAR "model.dim=192 model.depth=6 model.heads=3 model.rw_head=linear "
     "model.latent_dim=48"},
    {"vit 192x6, 32 px", 1, 64, 1, 0.85,
     "model.family=vit model.image_size=32 model.channels=3 model.classes=10 model.patch=4 "
     "model.dim=192 model.depth=6 model.heads=3 model.mlp_ratio=4"},
    {"vit-s/16, 224 px", 1, 4, 1, 0.94,
     "model.family=vit model.image_size=224 model.channels=3 model.classes=1000 model.patch=16 "
     "model.dim=384 model.depth=12 model.heads=6 model.mlp_ratio=4"},
    {"vit-b/16, 224 px", 0, 8, 2, 0.93,
     "model.family=vit model.image_size=224 model.channels=3 model.classes=1000 model.patch=16 "
     "model.dim=768 model.depth=12 model.heads=12 model.mlp_ratio=4"},
    {"vittm-b(64,64)", 0, 8, 2, 0.92,
     VITTM_B_KEYS "model.depth=12 model.rw_head=linear model.latent_dim=192"},
    {"vittm-s(64,64)", 0, 8, 2, 0.88,
     "model.family=vittm " IMAGENET "model.dim=384 model.depth=12 model.heads=6 "
     "model.rw_head=linear model.latent_dim=96"},
};

enum { N_SUBJECTS = sizeof subjects / sizeof *subjects };

const struct subject *subject_at(int i)
{
    return i >= 0 && i < N_SUBJECTS ? &subjects[i] : NULL;
}

void bench_check(int rc, const struct error *err)
{
    if (rc) {
        fprintf(stderr, "%s\n", err->msg);
        exit(EXIT_ENVIRONMENT);
    }
}

/* ---- the peak -------------------------------------------------------------------------------- */

enum { PEAK_SIZE = 2048, STEP_RUNS = 9 };

static float *peak_operands(void)
{
    int64_t n = PEAK_SIZE;
    float *x = mem_zalloc((size_t)(3 * n * n), sizeof *x);
    for (int64_t i = 0; i < 2 * n * n; i++)
        x[i] = (float)(i % 17) * 0.1f;
    return x;
}

double peak_seconds(int threads)
{
    int64_t n = PEAK_SIZE;
    float *x = peak_operands();
    openblas_set_num_threads(threads);
    double start = clock_now();
    cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasNoTrans, PEAK_SIZE, PEAK_SIZE, PEAK_SIZE, 1, x,
                PEAK_SIZE, x + n * n, PEAK_SIZE, 0, x + 2 * n * n, PEAK_SIZE);
    double seconds = clock_now() - start;
    openblas_set_num_threads(1);
    free(x);
    return seconds;
}

/* ---- a model on the device ------------------------------------------------------------------- */

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
        bench_check(config_set(c, word, value, (struct config_origin){"bench", 0, 0}, &err), &err);
    }
    free(text);
    bench_check(config_resolve(c, &err), &err);
    return c;
}

static int used(const struct plan *p, const struct tensor *t)
{
    return p->places[t->id].block != PLAN_NONE && !t->unused;
}

static void fill_inputs(const struct loaded *l, const struct backend *b, int classes)
{
    const struct graph *g = l->plan->graph;
    struct rng r;
    rng_init(&r, 1, "bench", 0, 0);
    for (int i = 0; i < g->n_tensors; i++) {
        const struct tensor *t = g->tensors[i];
        int64_t n = shape_count(t->shape);
        if (t->kind != TENSOR_INPUT || !used(l->plan, t))
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

static int64_t params_of(const struct plan *p)
{
    int64_t n = 0;
    for (int i = 0; i < p->graph->n_tensors; i++)
        if (p->graph->tensors[i]->kind == TENSOR_PARAM && used(p, p->graph->tensors[i]))
            n += shape_count(p->graph->tensors[i]->shape);
    return n;
}

static const struct backend *cpu(void)
{
    return backend_find("cpu");
}

void loaded_open(struct loaded *l, const struct subject *s, enum precision p)
{
    struct error err = {0};
    struct config *c = config_of(s);
    struct model_options o = {.batch = s->batch, .with_loss = s->training, .training = s->training};
    struct plan_options po = {.loss = s->training ? "loss" : NULL,
                              .optimizer = s->training ? &op_adamw_row : NULL};
    struct backend_options bo = {.threads = s->threads, .precision = p};
    struct capability cap = backend_capability(cpu(), p);
    struct model_io io;
    struct op_cost cost;
    struct graph *g = model_build(c, &o, &io, &err);
    bench_check(g ? 0 : -1, &err);
    *l = (struct loaded){0};
    graph_cost(g, &cost);
    l->macs = (double)cost.macs * (s->training ? 3 : 1);
    l->plan = plan_compile(g, &po, &cap, &err);
    bench_check(l->plan ? 0 : -1, &err);
    l->params = params_of(l->plan);
    l->program = cpu()->load(l->plan, &bo, &err);
    bench_check(l->program ? 0 : -1, &err);
    program_init(cpu(), l->program, l->plan, 1);
    fill_inputs(l, cpu(), (int)config_int(c, "model.classes"));
    config_free(c);
}

void loaded_close(struct loaded *l)
{
    cpu()->unload(l->program);
    plan_free(l->plan);
}

void loaded_run(void *ctx)
{
    struct loaded *l = ctx;
    cpu()->run(l->program, 1, l->step++);
}

int loaded_has(enum precision p)
{
    struct backend_options o = {.threads = 1, .precision = p};
    struct error err = {0};
    char text[300];
    return !cpu()->probe(&o, text, sizeof text, &err);
}

double *loaded_step_times(struct loaded *l)
{
    double *best = mem_zalloc((size_t)l->plan->n_steps + 1, sizeof *best);
    for (int r = 0; r < STEP_RUNS; r++) {
        cpu()->profile(l->program, 1);
        loaded_run(l);
        cpu()->profile(l->program, 0);
        for (int i = 0; i < l->plan->n_steps; i++) {
            double s = cpu()->profile_step(l->program, i);
            best[i] = r == 0 || s < best[i] ? s : best[i];
        }
    }
    return best;
}
