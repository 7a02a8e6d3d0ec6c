/* What every configuration of a model must satisfy: its gradient in double against differences
 * along a random direction, the same loss lowered without any fused op; on every tested backend
 * results within 1e-4 of judge's (of each tensor's norm), same bits for 1 and 2 threads and for
 * three runs, of which a device may capture the later ones. Or it is refused with a reason that
 * names a key. */
#include "cli/selftest/contract.h"

#include "base/memory.h"
#include "base/rng.h"
#include "cli/schema.h"
#include "cli/selftest/golden.h"
#include "cli/selftest/probe.h"
#include "model/mae.h"
#include "model/model.h"
#include "model/segment.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- configurations -------------------------------------------------------------------------- */

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

void contract_set(struct config *c, const char *key, const char *value)
{
    struct error err = {0};
    if (config_find(c, key) &&
        config_set(c, key, value, (struct config_origin){"selftest", 0, 0}, &err))
        BUG("%s", err.msg);
}

struct config *contract_config(const char *family)
{
    struct config *c = config_new(cli_schema());
    for (size_t i = 0; i < sizeof small / sizeof *small; i++)
        contract_set(c, small[i][0], small[i][1]);
    contract_set(c, "model.family", family);
    return c;
}

static struct graph *build(const struct config *c, struct model_io *io, struct error *err)
{
    struct model_options o = {.batch = 2, .with_loss = 1, .training = 1, .soft_targets = 1};
    return model_build(c, &o, io, err);
}

struct graph *contract_build(const struct config *c, struct error *err)
{
    struct model_io io;
    return build(c, &io, err);
}

/* ---- inputs and parameters ------------------------------------------------------------------- */

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

/* ---- checks ---------------------------------------------------------------------------------- */

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
