/* Budget matching: doubling to bracket the target, then bisection over integers. */
#include "runner/match.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/config_file.h"
#include "base/error.h"
#include "base/number.h"
#include "base/yaml.h"
#include "runner/experiment_internal.h"

enum { MAX_STEP_OVER = 64, MAX_VALUE = 1000000000 };

struct match {
    const char *name; /* "cost.macs" */
    int cost;
    double target, within; /* within: a fraction */
    const struct config_key *key;
    struct config_origin origin;
    struct match *next;
};

/* ---- reading ---- */

static int find_cost(const char *name)
{
    for (int i = 0; cell_cost_name(i); i++)
        if (!strncmp(name, "cost.", 5) && !strcmp(name + 5, cell_cost_name(i)))
            return i;
    return -1;
}

static int read_within(const struct yaml_node *n, struct match *m, struct error *err)
{
    size_t length = n->kind == YAML_SCALAR ? strlen(n->text) : 0;
    char number[32];
    if (length > 1 && length < sizeof number && n->text[length - 1] == '%') {
        memcpy(number, n->text, length - 1);
        number[length - 1] = 0;
        if (!number_float(number, &m->within) && m->within >= 0) {
            m->within /= 100;
            return 0;
        }
    }
    return experiment_fail(experiment_origin(n), err, "match.within",
                           "expected a percentage such as 2%%");
}

static int read_solve(struct experiment *e, const struct yaml_node *n, struct match *m,
                      struct error *err)
{
    m->key = n->kind == YAML_SCALAR ? config_find(e->spec->base, n->text) : NULL;
    if (!m->key)
        return experiment_fail(experiment_origin(n), err, "match.solve", "unknown key %s",
                               n->kind == YAML_SCALAR ? n->text : "");
    if (m->key->type != CONFIG_INT)
        return experiment_fail(experiment_origin(n), err, "match.solve", "%s is no integer key",
                               n->text);
    return 0;
}

static int reference_key(void *ctx, const char *key, const char *text, struct config_origin origin,
                         struct error *err)
{
    return config_set(ctx, key, text, origin, err);
}

static int reference_other(void *ctx, const struct yaml_node *n, struct error *err)
{
    (void)ctx;
    (void)err;
    return !strcmp(n->key, "model") && n->kind == YAML_SCALAR; /* applied before the walk */
}

static int reference_cost(struct experiment *e, const struct yaml_node *like,
                          const struct cost_model *cost, struct match *m, struct error *err)
{
    struct config *config = config_copy(e->spec->base);
    const struct config_visitor visitor = {reference_key, reference_other, config};
    const struct yaml_node *model = yaml_get(like, "model");
    const struct preset *p = NULL;
    struct cell_cost out;
    int rc = -1;
    cell_cost_clear(&out);
    if (model && model->kind == YAML_SCALAR) {
        p = experiment_preset(e, model->text, experiment_origin(model), err);
        if (!p)
            goto done;
        experiment_apply_preset(config, p);
    }
    if (config_walk(config, &e->arena, like, &visitor, err) || config_resolve(config, err))
        goto done;
    if (cost->cost(cost->ctx, config, &out, err)) {
        experiment_fail(experiment_origin(like), err, "match.like", "%s", err ? err->msg : "");
        goto done;
    }
    m->target = (double)cell_cost_get(&out, m->cost);
    rc = 0;
done:
    config_free(config);
    return rc;
}

static int read_match(struct experiment *e, const struct yaml_node *n,
                      const struct cost_model *cost, struct match *m, struct error *err)
{
    const struct yaml_node *like = yaml_get(n, "like"), *within = yaml_get(n, "within"),
                           *solve = yaml_get(n, "solve");
    m->name = n->key;
    m->cost = find_cost(n->key);
    m->origin = (struct config_origin){n->file, n->key_line, n->key_column};
    if (m->cost < 0)
        return experiment_fail(m->origin, err, "match", "%s is no cost (cost.macs, cost.params, …)",
                               n->key);
    if (n->n_children != 3 || !like || !within || !solve)
        return experiment_fail(m->origin, err, "match", "%s needs like, within and solve", n->key);
    if (!cost)
        return experiment_fail(m->origin, err, "match", "costs are not computed here");
    if (read_within(within, m, err) || read_solve(e, solve, m, err))
        return -1;
    if (like->kind == YAML_MAP)
        return reference_cost(e, like, cost, m, err);
    if (like->kind != YAML_SCALAR || number_float(like->text, &m->target))
        return experiment_fail(
            experiment_origin(like), err, "match.like",
            "expected a number or the values of a cell ({model.rw_head: linear})");
    return 0;
}

int match_prepare(struct experiment *e, const struct cost_model *cost, struct error *err)
{
    struct match **link = &e->spec->matches;
    for (const struct yaml_node *n = e->spec->match->child; n; n = n->next) {
        struct match *m = ARENA_NEW(&e->arena, struct match);
        if (read_match(e, n, cost, m, err))
            return -1;
        *link = m;
        link = &m->next;
        int known = 0;
        for (int i = 0; i < e->n_axes; i++)
            known |= !strcmp(e->axes[i], m->key->name);
        if (!known) {
            e->axes[e->n_axes++] = m->key->name;
            e->n_solved++;
        }
    }
    return 0;
}

/* ---- solving ---- */

struct point {
    int64_t n;
    double cost;
};

struct search {
    const struct match *match;
    const struct cost_model *cost;
    struct config *config;
    int64_t lo, hi;
    struct error why; /* of the last value that could not be built */
};

static int set_value(struct search *s, int64_t n)
{
    char text[32];
    snprintf(text, sizeof text, "%lld", (long long)n);
    return config_set(s->config, s->match->key->name, text, s->match->origin, &s->why) ||
           config_resolve(s->config, &s->why);
}

/* The first value that can be built from n on towards end (included). */
static int probe(struct search *s, int64_t n, int64_t end, struct point *p)
{
    int64_t step = n <= end ? 1 : -1;
    for (int tries = 0; tries < MAX_STEP_OVER; tries++, n += step) {
        struct cell_cost out;
        cell_cost_clear(&out);
        if (!set_value(s, n) && !s->cost->cost(s->cost->ctx, s->config, &out, &s->why)) {
            *p = (struct point){n, (double)cell_cost_get(&out, s->match->cost)};
            return 1;
        }
        if (n == end)
            break;
    }
    return 0;
}

/* From a to beyond the target, doubling; b stays at a where nothing lies further. */
static void bracket(struct search *s, struct point *a, struct point *b)
{
    double target = s->match->target;
    int up = a->cost < target;
    *b = *a;
    for (int64_t step = 1; up ? b->cost < target : b->cost > target; step *= 2) {
        int64_t next = up ? b->n + step : b->n - step;
        struct point p;
        next = next > s->hi ? s->hi : next < s->lo ? s->lo : next;
        if (next == b->n || !probe(s, next, up ? s->hi : s->lo, &p))
            return;
        *a = *b;
        *b = p;
    }
}

static struct point bisect(struct search *s, struct point a, struct point b)
{
    double target = s->match->target;
    if (a.n > b.n) {
        struct point swap = a;
        a = b;
        b = swap;
    }
    while (b.n - a.n > 1) {
        int64_t middle = a.n + (b.n - a.n) / 2;
        struct point p;
        if (!probe(s, middle, b.n - 1, &p) && !probe(s, middle, a.n + 1, &p))
            break;
        if (p.cost < target)
            a = p;
        else
            b = p;
    }
    return fabs(a.cost - target) <= fabs(b.cost - target) ? a : b;
}

static void refuse(struct cell *c, const char *reason)
{
    c->state = CELL_REFUSED;
    c->reason = reason;
    c->reason_code = EXIT_USAGE;
}

static int solve(struct experiment *e, struct cell *c, const struct match *m,
                 const struct cost_model *cost, struct error *err)
{
    const struct config_key *key = config_find(c->config, m->key->name);
    struct search s = {.match = m, .cost = cost, .config = c->config, .lo = 1, .hi = MAX_VALUE};
    struct point a, b;
    char target[32], near[32];
    int64_t start = config_int(c->config, m->key->name);
    if (key->min != 0 || key->max != 0) {
        s.lo = (int64_t)key->min;
        s.hi = key->max < MAX_VALUE ? (int64_t)key->max : MAX_VALUE;
    }
    if (!probe(&s, start, s.hi, &a) && !probe(&s, start, s.lo, &a)) {
        refuse(c, arena_printf(&e->arena, "match: no value of %s can be built: %s", m->key->name,
                               s.why.msg));
        return set_value(&s, start) ? error_set(err, "%s", s.why.msg) : 0;
    }
    bracket(&s, &a, &b);
    a = bisect(&s, a, b);
    if (set_value(&s, a.n))
        return error_set(err, "%s", s.why.msg);
    if (fabs(a.cost - m->target) > m->within * m->target)
        refuse(c, arena_printf(
                      &e->arena, "match: no %s gives %s within %g%% of %s (nearest: %lld gives %s)",
                      m->key->name, m->name, 100 * m->within, number_format(m->target, target),
                      (long long)a.n, number_format(a.cost, near)));
    return 0;
}

int match_solve(struct experiment *e, struct cell *c, const struct cost_model *cost,
                struct error *err)
{
    for (const struct match *m = e->spec->matches; m && c->state == CELL_PLANNED; m = m->next)
        if (config_is_active(c->config, m->key->name) && solve(e, c, m, cost, err))
            return -1;
    return 0;
}
