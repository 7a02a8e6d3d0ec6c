/* What becomes of each cell: folded, excluded, refused or planned, and why. */
#include "runner/experiment_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "base/strbuf.h"

/* A cell whose costs are known, by the keys that they depend on. */
struct memo {
    uint64_t hash;
    const char *keys;
    const struct cell *cell;
};

struct judge {
    struct experiment *e;
    const struct cost_model *cost;
    struct memo *memo; /* hash table, or NULL without cost.matters */
    size_t memo_size;
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

/* The memo's row for the cell's costs: that of an equal cell, or an empty one to fill. */
static struct memo *find_memo(struct judge *x, const struct cell *c)
{
    struct strbuf *s = &x->scratch;
    const char *name, *text;
    strbuf_clear(s);
    for (int i = 0; (name = config_name(c->config, i)); i++)
        if (x->cost->matters(name) && (text = config_text(c->config, name)))
            strbuf_addf(s, "%s: %s\n", name, text);
    uint64_t hash = rng_hash(s->text);
    size_t at = hash & (x->memo_size - 1);
    for (; x->memo[at].cell; at = (at + 1) & (x->memo_size - 1))
        if (x->memo[at].hash == hash && !strcmp(x->memo[at].keys, s->text))
            return &x->memo[at];
    x->memo[at].hash = hash;
    x->memo[at].keys = arena_strdup(&x->e->arena, s->text);
    return &x->memo[at];
}

static void compute_cost(struct judge *x, struct cell *c)
{
    struct error reason = {0};
    if (x->cost->check && x->cost->check(x->cost->ctx, c->config, &reason)) {
        c->state = CELL_REFUSED;
        c->reason = arena_strdup(&x->e->arena, reason.msg);
        return;
    }
    struct memo *m = x->memo ? find_memo(x, c) : NULL;
    if (m && m->cell) {
        c->cost = m->cell->cost;
        if (m->cell->state == CELL_REFUSED) {
            c->state = CELL_REFUSED;
            c->reason = m->cell->reason;
        }
        return;
    }
    if (x->cost->cost(x->cost->ctx, c->config, &c->cost, &reason)) {
        c->state = CELL_REFUSED;
        c->reason = arena_strdup(&x->e->arena, reason.msg);
    }
    if (m)
        m->cell = c;
}

static int judge_cell(struct judge *x, struct cell *c)
{
    if (c->state != CELL_PLANNED)
        return 0;
    if (apply_rules(x, c, 0))
        return -1;
    if (c->state != CELL_PLANNED || !x->cost)
        return 0;
    compute_cost(x, c);
    return apply_rules(x, c, 1);
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

int experiment_judge(struct experiment *e, const struct cost_model *cost, struct error *err)
{
    struct judge x = {.e = e, .cost = cost, .scratch = STRBUF_INIT, .err = err};
    int rc = check_cost_rules(&x);
    fold_cells(e);
    if (cost && cost->matters) {
        x.memo_size = table_size(e->n_cells);
        x.memo = mem_zalloc(x.memo_size, sizeof *x.memo);
    }
    for (int i = 0; i < e->n_cells && !rc; i++)
        rc = judge_cell(&x, &e->cells[i]);
    count_states(e);
    free(x.memo);
    strbuf_release(&x.scratch);
    return rc;
}
