/* Contracts of everything that plugs into a model. Every combination of read-write head, fusion,
 * memory block and process initialisation, and every other family, is built small from the
 * registries and differentiated  in double against differences along a random direction lowered
 * without any fused op: same loss on every tested backend: results within 1e-4 of judge's (of each
 * tensor's norm), same bits for 1 and 2 threads and for three runs, of which a device may capture
 * the later ones; or refused with a reason that names a key. A new member is covered
 * without a change here. */
#include "base/memory.h"
#include "base/rng.h"
#include "cli/schema.h"
#include "cli/selftest/contract.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"
#include "fusion/fusion.h"
#include "heads/head.h"
#include "model/decoder.h"
#include "model/mae.h"
#include "model/memory_block.h"
#include "model/model.h"
#include "model/objective.h"
#include "model/process_init.h"
#include "model/reducer.h"
#include "model/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const small[][2] = {
    {"model.image_size", "12"},
    {"model.classes", "5"},
    {"model.dim", "12"},
    {"model.depth", "2"},
    {"model.heads", "2"},
    {"model.mlp_ratio", "2"},
    {"model.patch", "4"},
    {"model.memory_patch", "3"},
    {"model.process_patch", "6"},
    {"model.process_tokens", "5"},
    {"model.process_grid", "2"},
    {"model.latent_dim", "6"},
    {"model.dyna_heads", "4"},
    {"model.compressed_tokens", "2"},
    {"model.upstream_patch_size", "4"},
    {"model.drop_path", "0.3"},
    {"model.reduce.r", "2"},
    {"model.reduce.min_tokens", "2"},
    {"model.branch_image_size", "[12, 8]"},
    {"model.branch_patch", "[4, 4]"},
    {"model.branch_dim", "[8, 12]"},
    {"model.branch_heads", "[2, 3]"},
    {"model.branch_mlp_ratio", "[2, 2]"},
    {"model.branch_depth", "[1, 2, 0, 1, 1, 0]"},
    {"train.mae.hidden", "0.5"},
    {"train.mae.dim", "6"},
    {"train.mae.depth", "1"},
    {"train.mae.heads", "2"},
    {"train.mae.mlp_ratio", "2"},
};

/* Sets a key where it is declared at all. */
static void set(struct config *c, const char *key, const char *value)
{
    struct error err = {0};
    if (config_find(c, key) &&
        config_set(c, key, value, (struct config_origin){"selftest", 0, 0}, &err))
        BUG("%s", err.msg);
}

static struct config *small_config(const char *family)
{
    struct config *c = config_new(cli_schema());
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        set(c, small[i][0], small[i][1]);
    set(c, "model.family", family);
    return c;
}

static struct graph *build(const struct config *c, struct model_io *io, struct error *err)
{
    struct model_options o = {.batch = 2, .with_loss = 1, .training = 1, .soft_targets = 1};
    return model_build(c, &o, io, err);
}

/* A deterministic image and soft targets; parameters larger than their initial values, so that
 * zero-initialised classifiers do not hide what is behind them. */
static void fill(const struct probe *p, const struct tensor *t, const char *purpose, double scale)
{
    int64_t n = shape_count(t->shape);
    double *x = mem_alloc(sizeof *x * (size_t)n);
    struct rng r;
    rng_init(&r, 11, purpose, 0, 0);
    for (int64_t i = 0; i < n; i++)
        x[i] = scale * rng_normal(&r);
    p->backend->write_double(p->program, t, x);
    free(x);
}

/* Classes of pixels, every fourth of which is ignored. */
static void fill_labels(const struct probe *p, const struct tensor *t, int64_t classes)
{
    int64_t n = shape_count(t->shape);
    int32_t *labels = mem_alloc(sizeof *labels * (size_t)n);
    struct rng r;
    rng_init(&r, 11, "labels", 0, 0);
    for (int64_t i = 0; i < n; i++)
        labels[i] = i % 4 ? (int32_t)rng_below(&r, classes) : SEGMENT_IGNORE;
    p->backend->write(p->program, t, labels);
    free(labels);
}

static void fill_all(const struct probe *p, const struct segment *segment)
{
    const struct tensor *target = graph_find(p->plan->graph, "target");
    fill(p, graph_find(p->plan->graph, "input"), "image", 1);
    const struct tensor *second = graph_find(p->plan->graph, "second");
    if (second)
        fill(p, second, "second image", 1);
    if (segment)
        fill_labels(p, target, segment->classes);
    else if (target)
        fill(p, target, "target", 1);
    for (int i = 0; i < p->plan->n_params; i++)
        fill(p, p->plan->params[i], p->plan->params[i]->name, 0.3);
}

/* The masks of images 0, 1, … */
static void fill_masks(const struct probe *p, const struct mae *mae, int64_t batch)
{
    const struct graph *g = p->plan->graph;
    int32_t *kept[MAE_STREAMS], *hidden[MAE_STREAMS], *k[MAE_STREAMS], *h[MAE_STREAMS];
    for (int s = 0; s < MAE_STREAMS; s++) {
        kept[s] = mem_alloc(sizeof(int32_t) * (size_t)(batch * mae->streams[s].n_kept));
        hidden[s] = mem_alloc(sizeof(int32_t) * (size_t)(batch * mae->streams[s].n_hidden));
    }
    for (int64_t i = 0; i < batch; i++) {
        for (int s = 0; s < MAE_STREAMS; s++) {
            k[s] = kept[s] + i * mae->streams[s].n_kept;
            h[s] = hidden[s] + i * mae->streams[s].n_hidden;
        }
        mae_draw(mae, 1, 0, (uint64_t)i, k, h);
    }
    for (int s = 0; s < MAE_STREAMS; s++) {
        p->backend->write(p->program, graph_find(g, mae->streams[s].kept), kept[s]);
        p->backend->write(p->program, graph_find(g, mae->streams[s].hidden), hidden[s]);
        free(kept[s]);
        free(hidden[s]);
    }
}

static int open_model(struct probe *p, const struct backend *b, const struct config *c,
                      const struct probe_options *o, struct error *err)
{
    struct model_io io;
    struct graph *g = build(c, &io, err);
    if (!g || probe_open(p, b, g, "loss", o, 3, err))
        return -1;
    fill_all(p, io.segment);
    if (io.mae)
        fill_masks(p, io.mae, io.image->shape.dim[0]);
    probe_run(p, 3, 1);
    return 0;
}

static double shifted_loss(struct probe *p, double step)
{
    for (int i = 0; i < p->plan->n_trained; i++) {
        const struct tensor *t = p->plan->params[i];
        int64_t n = shape_count(t->shape);
        double *x = mem_alloc(sizeof *x * (size_t)n);
        struct rng r, direction;
        rng_init(&r, 11, t->name, 0, 0);
        rng_init(&direction, 12, t->name, 0, 0);
        for (int64_t k = 0; k < n; k++)
            x[k] = 0.3 * rng_normal(&r) + step * rng_normal(&direction);
        p->backend->write_double(p->program, t, x);
        free(x);
    }
    probe_run(p, 3, 1);
    return probe_scalar(p, "loss");
}

static double slope(const struct probe *p)
{
    double s = 0;
    for (int i = 0; i < p->plan->n_trained; i++) {
        char name[200];
        snprintf(name, sizeof name, "grad/%s", p->plan->params[i]->name);
        int64_t n;
        double *x = probe_read(p, name, &n);
        struct rng direction;
        rng_init(&direction, 12, p->plan->params[i]->name, 0, 0);
        for (int64_t k = 0; k < n; k++)
            s += x[k] * rng_normal(&direction);
        free(x);
    }
    return s;
}

static void check_gradient(struct selftest *t, const char *name, const struct config *c)
{
    struct probe p;
    struct error err = {0};
    if (open_model(&p, backend_find("judge"), c, &(struct probe_options){0}, &err)) {
        if (strstr(err.msg, "model."))
            selftest_pass(t, name, "refused: %s", err.msg);
        else
            selftest_fail(t, name, "refused without naming a key: %s", err.msg);
        return;
    }
    double exact = slope(&p), h = 1e-5;
    double difference = (8 * (shifted_loss(&p, h) - shifted_loss(&p, -h)) -
                         (shifted_loss(&p, 2 * h) - shifted_loss(&p, -2 * h))) /
                        (12 * h);
    double error = fabs(exact - difference) / fmax(fabs(difference), 1e-3);
    if (error < 1e-6)
        selftest_pass(t, name, "gradient: relative error %.1e", error);
    else
        selftest_fail(t, name, "gradient: slope %.12g, differences give %.12g", exact, difference);
    probe_close(&p);
}

static void check_lowering(struct selftest *t, const char *name, const struct config *c)
{
    struct probe fused, plain;
    struct error err = {0};
    const struct backend *judge = backend_find("judge");
    if (open_model(&fused, judge, c, &(struct probe_options){0}, &err))
        return; /* refused: counted by check_gradient */
    if (open_model(&plain, judge, c, &(struct probe_options){.expand = 1}, &err)) {
        selftest_fail(t, name, "without fused ops: %s", err.msg);
    } else {
        double a = probe_scalar(&fused, "loss"), b = probe_scalar(&plain, "loss");
        if (fabs(a - b) < 1e-9 * (1 + fabs(a)))
            selftest_pass(t, name, "without fused ops: same loss");
        else
            selftest_fail(t, name, "without fused ops: loss %.12g instead of %.12g", b, a);
        probe_close(&plain);
    }
    probe_close(&fused);
}

/* 1 if three runs have the bits of first, which the first of all sets. */
static int repeats_bits(struct probe *p, char first[65])
{
    char hex[65];
    for (int run = 0; run < 3; run++) {
        if (run)
            probe_run(p, 3, 1); /* one has run */
        probe_digest(p, hex);
        if (!first[0])
            memcpy(first, hex, sizeof hex);
        if (strcmp(first, hex))
            return 0;
    }
    return 1;
}

static void check_bits(struct selftest *t, const char *name, const struct config *c,
                       const struct backend *b)
{
    char first[65] = "";
    int most = backend_find(b->choice.name)->plugin ? 1 : 2; /* elsewhere threads mean nothing */
    for (int threads = 1; threads <= most; threads++) {
        struct probe p;
        struct error err = {0};
        if (open_model(&p, b, c, &(struct probe_options){.threads = threads}, &err))
            return;
        int same = repeats_bits(&p, first);
        probe_close(&p);
        if (!same) {
            selftest_fail(t, name, "%s: a run with %d threads gives other bits", b->choice.name,
                          threads);
            return;
        }
    }
    selftest_pass(t, name, "%s: same bits in three runs%s", b->choice.name,
                  most > 1 ? ", with 1 and 2 threads" : "");
}

/* Every result of a model by its norm; gradients that are small because their terms cancel by a
 * part of the largest, as golden files are (golden_model.c). */
static void compare_results(struct comparison *c, const struct probe *p, const struct probe *judge)
{
    const double floor = 1e-3;
    const struct graph *g = judge->plan->graph;
    double largest = 0;
    for (int i = 0; i < judge->plan->n_trained; i++) {
        int64_t n;
        char grad[200];
        snprintf(grad, sizeof grad, "grad/%s", judge->plan->params[i]->name);
        double *x = probe_read(judge, grad, &n);
        largest = fmax(largest, golden_norm(x, n));
        free(x);
    }
    for (int i = 0; i < g->n_outputs; i++) {
        int64_t n;
        double *want = probe_read(judge, g->output_names[i], &n);
        double *got = probe_read(p, g->output_names[i], NULL);
        int is_grad = !strncmp(g->output_names[i], "grad/", 5);
        golden_compare(c, g->output_names[i], got, want, n, GOLDEN_TOLERANCE_FLOAT,
                       is_grad ? floor * largest : 1e-12);
        free(want);
        free(got);
    }
}

static void check_values(struct selftest *t, const char *name, const struct config *c,
                         const struct backend *b)
{
    struct probe p, judge;
    struct error err = {0};
    struct comparison result = {0};
    const struct probe_options o = {0};
    if (b->value_size == sizeof(double) || open_model(&judge, backend_find("judge"), c, &o, &err))
        return; /* itself; or refused, counted by check_gradient */
    int rc = open_model(&p, b, c, &o, &err);
    if (!rc) {
        compare_results(&result, &p, &judge);
        probe_close(&p);
    }
    probe_close(&judge);
    golden_verdict(t, name, b->choice.name, rc, &result, &err);
}

static void check(struct selftest *t, const char *name, struct config *c)
{
    contract_check(t, name, c, 1);
}

static void check_vittm(struct selftest *t, const struct head *h, const struct fusion *f,
                        const struct memory_block *m, const struct process_init *p)
{
    char name[200];
    snprintf(name, sizeof name, "vittm %s %s memory %s init %s", h->choice.name, f->choice.name,
             m->choice.name, p->choice.name);
    struct config *c = small_config("vittm");
    set(c, "model.rw_head", h->choice.name);
    set(c, "model.fusion", f->choice.name);
    set(c, "model.memory_block", m->choice.name);
    set(c, "model.process_init", p->choice.name);
    check(t, name, c);
    config_free(c);
}

/* Options that change how a family is put together, one at a time over the small model. */
static const struct variation {
    const char *family, *key, *value;
} variations[] = {
    {"vit", "model.class_token", "false"},      {"vit", "model.pool", "avg"},
    {"vit", "model.layer_scale", "true"},       {"vit", "model.no_embed_class", "true"},
    {"vit", "model.table_image_size", "20"},    {"vittm", "model.table_image_size", "18"},
    {"vittm", "model.layer_scale", "true"},     {"vittm", "model.rw_every", "2"},
    {"vittm", "model.memory_dim", "8"},         {"revvit", "model.variant", "minrev"},
    {"revvit", "model.reversible", "false"},    {"vittm", "train.mae.masks", "matched"},
    {"vittm", "train.mae.normalize", "true"},   {"vittm", "model.memory_input", "second"},
    {"vittm", "model.second.image_size", "24"},
};

static void check_variation(struct selftest *t, const struct variation *v)
{
    char name[128];
    snprintf(name, sizeof name, "%s %s %s", v->family, v->key, v->value);
    struct config *c = small_config(v->family);
    if (!strncmp(v->key, "train.mae.", strlen("train.mae.")))
        set(c, "train.objective", "mae");
    if (!strncmp(v->key, "model.second.", strlen("model.second.")))
        set(c, "model.memory_input", "second");
    set(c, v->key, v->value);
    if (!strcmp(v->key, "model.class_token")) /* nothing to take as the token */
        set(c, "model.pool", "avg");
    check(t, name, c);
    config_free(c);
}

/* What a model may be trained for besides classes: with every family, and with every head and
 * fusion of a ViTTM. */
static void check_objective(struct selftest *t, const struct objective *o, const char *family,
                            const char *head, const char *fusion)
{
    char name[128];
    snprintf(name, sizeof name, "%s %s %s %s", o->choice.name, family, head, fusion);
    struct config *c = small_config(family);
    set(c, "train.objective", o->choice.name);
    if (*head) {
        set(c, "model.rw_head", head);
        set(c, "model.fusion", fusion);
    }
    check(t, name, c);
    config_free(c);
}

/* What is varied under every decoder; family NULL: every one that has features. */
static const struct variation dense_variations[] = {
    {NULL, "train.segment.average", "all"},    {NULL, "model.image_size", "11"},
    {NULL, "model.decoder.blocks", "[0, 1]"},  {NULL, "model.table_image_size", "24"},
    {NULL, "model.pos_resize", "bilinear"},    {NULL, "model.reduce.method", "tome"},
    {"vit", "model.reduce.method", "mctf"},    {"vit", "model.class_token", "false"},
    {NULL, "model.decoder.streams", "memory"}, {NULL, "model.decoder.streams", "both"},
    {"vittm", "model.memory_patch", "6"},      {"vittm", "model.process_init", "downsample"},
    {"vittm", "model.process_init", "latent"},
};

static const struct reducer *reducer_named(const char *name)
{
    for (int i = 0; reducer_at(i); i++)
        if (!strcmp(reducer_at(i)->choice.name, name))
            return reducer_at(i);
    BUG("no reducer %s", name);
}

static void check_decoder(struct selftest *t, const struct decoder *decoder, const char *family,
                          const struct variation *v)
{
    char name[128];
    snprintf(name, sizeof name, "segment %s %s %s %s", family, decoder->choice.name, v->key,
             v->value);
    struct config *c = small_config(family);
    set(c, "train.objective", "segment");
    set(c, "model.decoder.type", decoder->choice.name);
    set(c, v->key, v->value);
    int merges = !strcmp(v->key, "model.reduce.method");
    if (merges)
        set(c, "model.reduce.unmerge", "true");
    if (!strcmp(v->key, "model.class_token"))
        set(c, "model.pool", "avg");
    contract_check(t, name, c, !merges || !reducer_named(v->value)->frozen);
    config_free(c);
}

static void check_decoders(struct selftest *t)
{
    for (int d = 0; decoder_at(d); d++)
        for (int m = 0; model_at(m); m++)
            for (size_t i = 0; i < sizeof dense_variations / sizeof *dense_variations; i++) {
                const char *family = model_at(m)->choice.name, *of = dense_variations[i].family;
                if (model_at(m)->features && (!of || !strcmp(of, family)))
                    check_decoder(t, decoder_at(d), family, &dense_variations[i]);
            }
}

static void check_objectives(struct selftest *t)
{
    check_decoders(t);
    for (int i = 1; objective_at(i); i++) { /* the first one is that of all other checks */
        for (int m = 0; model_at(m); m++)
            check_objective(t, objective_at(i), model_at(m)->choice.name, "", "");
        for (int h = 0; head_at(h); h++)
            for (int f = 0; fusion_at(f); f++)
                check_objective(t, objective_at(i), "vittm", head_at(h)->choice.name,
                                fusion_at(f)->choice.name);
    }
}

/* A reversible network needs no more memory when it is deeper, but for parameters' gradients. */
static size_t arena_of_depth(const char *depth)
{
    struct error err = {0};
    struct model_io io;
    struct capability null = backend_capability(backend_find("null"), PRECISION_FP32);
    struct plan_options o = {.loss = "loss", .optimizer = &op_adamw_row};
    struct config *c = small_config("revvit");
    set(c, "model.depth", depth);
    if (config_resolve(c, &err))
        BUG("%s", err.msg);
    struct graph *g = build(c, &io, &err);
    struct plan *p = g ? plan_compile(g, &o, &null, &err) : NULL;
    size_t bytes = p ? p->arena_bytes - (size_t)p->flat_count * p->value_size : 0;
    plan_free(p);
    config_free(c);
    return bytes;
}

static void check_reversible_memory(struct selftest *t)
{
    size_t shallow = arena_of_depth("12"), deep = arena_of_depth("48");
    if (shallow && shallow == deep)
        selftest_pass(t, "revvit memory", "%zu bytes of activations at depth 12 and 48", shallow);
    else
        selftest_fail(t, "revvit memory", "%zu bytes of activations at depth 12, %zu at 48",
                      shallow, deep);
}

struct config *contract_config(const char *family)
{
    return small_config(family);
}

void contract_set(struct config *c, const char *key, const char *value)
{
    set(c, key, value);
}

struct graph *contract_build(const struct config *c, struct error *err)
{
    struct model_io io;
    return build(c, &io, err);
}

void contract_check(struct selftest *t, const char *name, struct config *c, int gradient)
{
    struct error err = {0};
    if (config_resolve(c, &err)) {
        selftest_fail(t, name, "%s", err.msg);
        return;
    }
    if (gradient)
        check_gradient(t, name, c);
    check_lowering(t, name, c);
    for (int i = 0; t->backends[i]; i++) {
        selftest_on(t, t->backends[i]->choice.name);
        check_bits(t, name, c, t->backends[i]);
        check_values(t, name, c, t->backends[i]);
        selftest_on(t, NULL);
    }
}

void selftest_models(struct selftest *t)
{
    for (size_t i = 0; i < sizeof variations / sizeof *variations; i++)
        check_variation(t, &variations[i]);
    check_reversible_memory(t);
    check_objectives(t);
    for (int h = 0; head_at(h); h++)
        for (int f = 0; fusion_at(f); f++)
            for (int m = 0; memory_block_at(m); m++)
                for (int p = 0; process_init_at(p); p++)
                    check_vittm(t, head_at(h), fusion_at(f), memory_block_at(m),
                                process_init_at(p));
    selftest_reducers(t);
    for (int i = 0; model_at(i); i++) {
        struct config *c = small_config(model_at(i)->choice.name);
        check(t, model_at(i)->choice.name, c);
        config_free(c);
    }
}
