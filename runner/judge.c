/* What becomes of each cell: folded, excluded, refused or planned, and why. */
#include "runner/experiment_internal.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/hash.h"
#include "base/strbuf.h"
#include "runner/machine.h"

/* Costs to be computed once, for all cells that agree in the keys that they depend on. */
struct job {
    const struct config *config;
    struct cell_cost cost;
    char *refusal; /* or NULL */
    int refusal_code;
};

/* A row of the hash table that finds the job of a cell. */
struct memo {
    uint64_t hash;
    const struct config *first; /* whose job it is; NULL: empty */
    int job;
};

struct judge {
    struct experiment *e;
    const struct cost_model *cost;
    struct memo *memo; /* hash table, or NULL without cost.matters */
    size_t memo_size;
    int *matters; /* the keys that costs depend on, of those that cells know */
    int n_matters;
    int *job_of; /* by cell; -1: none */
    struct job *jobs;
    int n_jobs;
    atomic_int next; /* job that nobody has begun */
    struct strbuf scratch;
    struct error *err;
};

static size_t table_size(int n)
{
    size_t size = 16;
    while (size < 2 * (size_t)n)
        size *= 2;
    return size;
}

/* A hash table of cells by id finds the first with the same identity. */
static void fold_cells(struct experiment *e)
{
    size_t size = table_size(e->n_cells);
    int *table = mem_alloc(size * sizeof *table);
    for (size_t i = 0; i < size; i++)
        table[i] = -1;
    for (int i = 0; i < e->n_cells; i++) {
        struct cell *c = &e->cells[i];
        if (c->state != CELL_PLANNED)
            continue;
        size_t at = strtoull(c->id, NULL, 16) & (size - 1);
        while (table[at] >= 0 && strcmp(e->cells[table[at]].identity, c->identity))
            at = (at + 1) & (size - 1);
        if (table[at] < 0) {
            table[at] = i;
            continue;
        }
        struct cell *first = &e->cells[table[at]];
        first->folds++;
        c->folded_into = first->index;
        c->state = CELL_FOLDED;
        c->reason = arena_printf(&e->arena, "the same configuration as %s", first->label);
    }
    free(table);
}

/* "where cost.macs <= 40e6 does not hold (cost.macs 52300000)". */
static void exclude(struct judge *x, struct cell *c, const struct rule *r, const char *verdict)
{
    struct strbuf *s = &x->scratch;
    const char *name;
    int open = 0;
    strbuf_clear(s);
    strbuf_addf(s, "%s: %s%s", r->kind, expr_text(r->expr), verdict);
    for (int i = 0; (name = expr_name(r->expr, i)); i++)
        for (int k = 0; cell_cost_name(k); k++) {
            if (strncmp(name, "cost.", 5) || strcmp(name + 5, cell_cost_name(k)))
                continue;
            strbuf_addf(s, "%s%s %lld", open++ ? ", " : " (", name,
                        (long long)cell_cost_get(&c->cost, k));
        }
    strbuf_adds(s, open ? ")" : "");
    c->state = CELL_EXCLUDED;
    c->reason = arena_strdup(&x->e->arena, s->text);
}

static int fail_rule(struct judge *x, const struct rule *r)
{
    char where[500];
    return error_prefix(x->err, "%s: %s", config_origin_text(r->origin, where, sizeof where),
                        r->kind);
}

/* The rules that need costs, or those that do not. */
static int apply_rules(struct judge *x, struct cell *c, int costs)
{
    int yes;
    for (const struct rule *r = x->e->spec->exclude; r && c->state == CELL_PLANNED; r = r->next) {
        if (r->costs != costs)
            continue;
        if (cell_test(c, r->expr, &yes, x->err))
            return fail_rule(x, r);
        if (yes)
            exclude(x, c, r, "");
    }
    for (const struct rule *r = x->e->spec->where; r && c->state == CELL_PLANNED; r = r->next) {
        if (r->costs != costs)
            continue;
        if (cell_test(c, r->expr, &yes, x->err))
            return fail_rule(x, r);
        if (!yes)
            exclude(x, c, r, " does not hold");
    }
    return 0;
}

/* All cells are copies of one configuration: they know the same keys. */
static void list_matters(struct judge *x)
{
    const struct config *c = x->e->spec->base;
    const char *name;
    int n = 0;
    while (config_name(c, n))
        n++;
    x->matters = ARENA_ARRAY(&x->e->arena, int, n);
    for (int i = 0; (name = config_name(c, i)); i++)
        if (x->cost->matters(name))
            x->matters[x->n_matters++] = i;
}

static uint64_t hash_matters(const struct judge *x, const struct config *c)
{
    uint64_t hash = 0;
    for (int i = 0; i < x->n_matters; i++) {
        const char *text = config_text_at(c, x->matters[i]);
        hash = hash_next(hash, text ? hash_text(text) : 0);
    }
    return hash;
}

static int agree_in_matters(const struct judge *x, const struct config *a, const struct config *b)
{
    for (int i = 0; i < x->n_matters; i++) {
        const char *s = config_text_at(a, x->matters[i]), *t = config_text_at(b, x->matters[i]);
        if (s != t && (!s || !t || strcmp(s, t)))
            return 0;
    }
    return 1;
}

/* The memo's row for the cell's costs: that of an equal cell, or an empty one to fill. */
static struct memo *find_memo(const struct judge *x, const struct cell *c)
{
    uint64_t hash = hash_matters(x, c->config);
    size_t at = hash & (x->memo_size - 1);
    for (; x->memo[at].first; at = (at + 1) & (x->memo_size - 1))
        if (x->memo[at].hash == hash && agree_in_matters(x, x->memo[at].first, c->config))
            return &x->memo[at];
    x->memo[at].hash = hash;
    return &x->memo[at];
}

static int new_job(struct judge *x, const struct cell *c)
{
    x->jobs[x->n_jobs] = (struct job){.config = c->config};
    return x->n_jobs++;
}

static int job_of(struct judge *x, const struct cell *c)
{
    if (!x->memo)
        return new_job(x, c);
    struct memo *m = find_memo(x, c);
    if (!m->first) {
        m->first = c->config;
        m->job = new_job(x, c);
    }
    return m->job;
}

static void refuse(struct judge *x, struct cell *c, const char *reason, int code)
{
    c->state = CELL_REFUSED;
    c->reason = arena_strdup(&x->e->arena, reason);
    c->reason_code = code;
}

/* Before costs: the rules that need none, what can be checked without them, and who needs which. */
static int judge_before(struct judge *x, struct cell *c)
{
    struct error reason = {0};
    x->job_of[c->index] = -1;
    if (c->state != CELL_PLANNED)
        return 0;
    if (apply_rules(x, c, 0))
        return -1;
    if (c->state != CELL_PLANNED || !x->cost)
        return 0;
    if (x->cost->check && x->cost->check(x->cost->ctx, c->config, &reason))
        refuse(x, c, reason.msg, reason.code);
    else
        x->job_of[c->index] = job_of(x, c);
    return 0;
}

static int judge_after(struct judge *x, struct cell *c)
{
    if (x->job_of[c->index] < 0)
        return 0;
    const struct job *j = &x->jobs[x->job_of[c->index]];
    c->cost = j->cost;
    if (!j->refusal)
        return apply_rules(x, c, 1);
    refuse(x, c, j->refusal, j->refusal_code);
    return 0;
}

/* ---- the costs themselves ---- */

static void *compute(void *context)
{
    struct judge *x = context;
    for (int i; (i = atomic_fetch_add(&x->next, 1)) < x->n_jobs;) {
        struct job *j = &x->jobs[i];
        struct error reason = {0};
        cell_cost_clear(&j->cost);
        if (x->cost->cost(x->cost->ctx, j->config, &j->cost, &reason)) {
            j->refusal = mem_strdup(reason.msg);
            j->refusal_code = reason.code;
        }
    }
    return NULL;
}

/* As many threads as cores, where there is work for them. One that cannot be started is done
 * without. */
static void compute_all(struct judge *x)
{
    enum { MAX_THREADS = 64, JOBS_PER_THREAD = 16 };
    pthread_t threads[MAX_THREADS];
    int cores[MAX_THREADS], started = 0;
    int n = x->cost->concurrent ? machine_cores(cores, MAX_THREADS) : 1;
    for (int i = 1; i < n && i * JOBS_PER_THREAD < x->n_jobs; i++)
        started += !pthread_create(&threads[started], NULL, compute, x);
    compute(x);
    for (int i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
}

static int check_cost_rules(struct judge *x)
{
    const struct rule *lists[] = {x->e->spec->exclude, x->e->spec->where};
    for (int i = 0; i < 2 && !x->cost; i++)
        for (const struct rule *r = lists[i]; r; r = r->next)
            if (r->costs)
                return experiment_fail(r->origin, x->err, r->kind, "costs are not computed here");
    return 0;
}

static void count_states(struct experiment *e)
{
    int *const counts[] = {&e->n_planned, &e->n_excluded, &e->n_refused, &e->n_folded};
    for (int i = 0; i < e->n_cells; i++)
        ++*counts[e->cells[i].state];
}

static int judge_all(struct judge *x)
{
    struct experiment *e = x->e;
    for (int i = 0; i < e->n_cells; i++)
        if (judge_before(x, &e->cells[i]))
            return -1;
    if (x->n_jobs) {
        mem_keep_freed((size_t)64 << 20);
        compute_all(x);
    }
    for (int i = 0; i < e->n_cells; i++)
        if (judge_after(x, &e->cells[i]))
            return -1;
    return 0;
}

int experiment_judge(struct experiment *e, const struct cost_model *cost, struct error *err)
{
    struct judge x = {.e = e, .cost = cost, .scratch = STRBUF_INIT, .err = err};
    size_t n = (size_t)e->n_cells;
    if (check_cost_rules(&x))
        return -1;
    fold_cells(e);
    x.job_of = mem_zalloc(n + 1, sizeof *x.job_of);
    x.jobs = mem_zalloc(n + 1, sizeof *x.jobs);
    if (cost && cost->matters) {
        x.memo_size = table_size(e->n_cells);
        x.memo = mem_zalloc(x.memo_size, sizeof *x.memo);
        list_matters(&x);
    }
    int rc = judge_all(&x);
    count_states(e);
    for (int i = 0; i < x.n_jobs; i++)
        free(x.jobs[i].refusal);
    free(x.jobs);
    free(x.job_of);
    free(x.memo);
    strbuf_release(&x.scratch);
    return rc;
}
