/* The memory planner on random graphs: plan_verify replays every plan symbolically, and a part of
 * the graphs is run with and without reuse of memory on judge and on every device under test, which
 * must not change a bit. */
#include "base/error.h"
#include "base/rng.h"
#include "cli/selftest/probe.h"
#include "cli/selftest/selftest.h"
#include "tensor/ops/ops.h"

#include <stdio.h>
#include <string.h>

enum { TOKENS = 4, WIDTH = 6, LIVE = 12, RUN_EVERY = 20, SLOW_EVERY = 100 };

struct draw {
    struct graph *g;
    struct rng r;
    struct tensor *live[LIVE]; /* candidates for inputs, all (2, TOKENS, WIDTH) */
    int n_params;
};

static struct tensor *pick(struct draw *d)
{
    return d->live[rng_below(&d->r, LIVE)];
}

static struct tensor *param(struct draw *d, struct shape s)
{
    char name[32];
    snprintf(name, sizeof name, "p%d", d->n_params++);
    return graph_param(d->g, name, s, (struct init){INIT_NORMAL, 0.3});
}

static struct tensor *grow_add(struct draw *d)
{
    return op_add(d->g, pick(d), pick(d));
}
static struct tensor *grow_mul(struct draw *d)
{
    return op_mul(d->g, pick(d), op_sigmoid(d->g, pick(d)));
}
static struct tensor *grow_gate(struct draw *d)
{
    return op_mul(d->g, pick(d), op_sum(d->g, pick(d), 2, 1, 1, 0.2));
}
static struct tensor *grow_gelu(struct draw *d)
{
    return op_gelu(d->g, pick(d));
}
static struct tensor *grow_norm(struct draw *d)
{
    return op_layer_norm(d->g, pick(d), param(d, SHAPE(WIDTH)), param(d, SHAPE(WIDTH)), 1e-5);
}
static struct tensor *grow_linear(struct draw *d)
{
    return op_linear(d->g, pick(d), param(d, SHAPE(WIDTH, WIDTH)), param(d, SHAPE(WIDTH)));
}
static struct tensor *grow_attention(struct draw *d)
{
    return op_attention(d->g, pick(d), pick(d), pick(d), NULL, 2, 0.5);
}
static struct tensor *grow_linear_attention(struct draw *d)
{
    return op_linear_attention(d->g, pick(d), pick(d), pick(d), 2, 1e-6);
}
static struct tensor *grow_softmax(struct draw *d)
{
    return op_softmax(d->g, pick(d), (int)rng_below(&d->r, 2) + 1);
}
static struct tensor *grow_concat(struct draw *d)
{
    struct tensor *z = op_concat(d->g, (struct tensor *[]){pick(d), pick(d), pick(d)}, 3, 1);
    return op_slice(d->g, z, 1, rng_below(&d->r, 2 * TOKENS), TOKENS);
}
static struct tensor *grow_reshape(struct draw *d)
{
    struct tensor *x = op_reshape(d->g, pick(d), SHAPE(2, TOKENS / 2, 2, WIDTH));
    return op_reshape(d->g, op_affine(d->g, x, 0.5, 0.1), SHAPE(2, TOKENS, WIDTH));
}
static struct tensor *grow_position(struct draw *d)
{
    return op_add(d->g, pick(d), param(d, SHAPE(1, TOKENS, WIDTH)));
}
static struct tensor *grow_drop(struct draw *d)
{
    return op_drop_path(d->g, pick(d), 0.3, "drop");
}

static struct tensor *(*const growths[])(struct draw *d) = {
    grow_add,     grow_mul,    grow_gate,      grow_gelu,
    grow_norm,    grow_linear, grow_attention, grow_linear_attention,
    grow_softmax, grow_concat, grow_reshape,   grow_position,
    grow_drop,
};

static struct graph *random_graph(uint64_t seed)
{
    struct draw d = {.g = graph_new()};
    rng_init(&d.r, seed, "planner", 0, 0);
    for (int i = 0; i < LIVE; i++)
        d.live[i] = i < 2 ? param(&d, SHAPE(2, TOKENS, WIDTH)) : d.live[i % 2];
    int n = (int)rng_below(&d.r, 30) + 3, region = 0;
    for (int i = 0; i < n; i++) {
        if (!region && rng_below(&d.r, 6) == 0) {
            graph_region_begin(d.g, REGION_RECOMPUTE);
            region = 1;
        } else if (region && rng_below(&d.r, 4) == 0) {
            graph_region_end(d.g);
            region = 0;
        }
        size_t kind = (size_t)rng_below(&d.r, sizeof growths / sizeof *growths);
        struct tensor *t = growths[kind](&d);
        d.live[rng_below(&d.r, LIVE)] = t;
        if (rng_below(&d.r, 10) == 0) {
            char name[32];
            snprintf(name, sizeof name, "kept%d", i);
            graph_output(d.g, name, t);
        }
    }
    if (region)
        graph_region_end(d.g);
    struct tensor *sum = d.live[0];
    for (int i = 1; i < LIVE; i++)
        sum = op_add(d.g, sum, d.live[i]);
    struct tensor *flat = op_reshape(d.g, sum, SHAPE(2 * TOKENS * WIDTH));
    graph_output(d.g, "loss", op_norm_square(d.g, flat));
    return d.g;
}

/* Parameters that the draw never used are no error here. */
static void forgive_unread(struct graph *g)
{
    for (int i = 0; i < g->n_tensors; i++)
        g->tensors[i]->unused = 1;
}

static int digest_of(const struct backend *b, uint64_t seed, const struct probe_options *o,
                     char hex[65], struct error *err)
{
    struct probe p;
    struct graph *g = random_graph(seed);
    forgive_unread(g);
    if (probe_open(&p, b, g, "loss", o, seed, err))
        return -1;
    int rc = plan_verify(p.plan, err);
    if (!rc && !probe_repeats(&p, seed, 1))
        rc = error_set(err, "a second run has other bits");
    if (!rc)
        probe_digest(&p, hex);
    probe_close(&p);
    return rc;
}

/* Kernels that can keep anything in bf16, at random but the same whenever they are asked. */
static void random_halves(const struct node *n, struct half_rule *r)
{
    struct rng draw;
    rng_init(&draw, (uint64_t)n->id, n->op->name, (uint64_t)n->n_in, 0);
    unsigned bits[7];
    for (int i = 0; i < 7; i++)
        bits[i] = (unsigned)rng_below(&draw, 256);
    if (n->op->flags & OP_EFFECT)
        return;
    *r = (struct half_rule){.writes = bits[0],
                            .quiet = bits[1],
                            .reads = bits[2] | bits[3] | bits[4],
                            .accepts = bits[3] | bits[4],
                            .needs = bits[4] & bits[5],
                            .follows = bits[2] & bits[1],
                            .doubles = bits[6]};
}

static int has_everything(const void *ctx, const struct op *op)
{
    (void)ctx;
    (void)op;
    return 1;
}

static int verify_only(uint64_t seed, int halves, struct error *err)
{
    struct graph *g = random_graph(seed);
    forgive_unread(g);
    struct capability c = backend_capability(backend_find("null"), PRECISION_FP32);
    c.has = has_everything;
    if (halves)
        c.halves = random_halves;
    struct plan_options o = {.loss = "loss", .optimizer = seed % 2 ? &op_adamw_row : NULL};
    struct plan *p = plan_compile(g, &o, &c, err);
    int rc = p ? plan_verify(p, err) : -1;
    plan_free(p);
    return rc;
}

/* Every so many of the graphs, on b: reuse of memory must not change a bit, in no run of three. */
static void check_reuse(struct selftest *t, const struct backend *b, enum precision precision,
                        int graphs, int every)
{
    struct error err = {0};
    const struct probe_options reuse = {.precision = precision};
    const struct probe_options none = {.precision = precision, .no_reuse = 1};
    char name[64];
    snprintf(name, sizeof name, "%s%s", b->choice.name,
             precision == PRECISION_BF16 ? " in bf16" : "");
    int runs = 0;
    for (int i = 0; i < graphs; i += every, runs++) {
        char tight[65], loose[65];
        if (digest_of(b, (uint64_t)i, &reuse, tight, &err) ||
            digest_of(b, (uint64_t)i, &none, loose, &err)) {
            selftest_fail(t, "planner", "%s, graph %d: %s", name, i, err.msg);
            return;
        }
        if (strcmp(tight, loose)) {
            selftest_fail(t, "planner", "%s, graph %d: reuse of memory changes the results", name,
                          i);
            return;
        }
    }
    selftest_pass(t, "planner", "%s: %d random graphs run with and without reuse, same bits", name,
                  runs);
}

static void check_plans(struct selftest *t, int graphs)
{
    struct error err = {0};
    for (int i = 0; i < graphs; i++)
        if (verify_only((uint64_t)i, 0, &err) || verify_only((uint64_t)i, 1, &err)) {
            selftest_fail(t, "planner", "graph %d: %s", i, err.msg);
            return;
        }
    selftest_pass(t, "planner", "%d random graphs verified, stored in full and in bf16", graphs);
}

void selftest_planner(struct selftest *t, int graphs)
{
    check_plans(t, graphs);
    check_reuse(t, backend_find("judge"), PRECISION_FP32, graphs, RUN_EVERY);
    for (int b = 0; t->backends[b]; b++) {
        if (!strcmp(t->backends[b]->choice.name, "judge"))
            continue; /* has run */
        const char *name = t->backends[b]->choice.name;
        int slow = backend_find(name)->plugin != NULL; /* to load, or to emulate */
        selftest_on(t, name);
        check_reuse(t, t->backends[b], PRECISION_FP32, graphs, slow ? SLOW_EVERY : RUN_EVERY);
        if (t->backends[b]->halves) /* stores values in it */
            check_reuse(t, t->backends[b], PRECISION_BF16, graphs, SLOW_EVERY);
        selftest_on(t, NULL);
    }
}
