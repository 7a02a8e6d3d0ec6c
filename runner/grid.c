/* From what an experiment says to its cells: product and taking back. */
#include "runner/experiment_internal.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/yaml.h"
#include "runner/match.h"

enum { MAX_RUNS = 100000, MAX_CELLS = 100000000 };

/* Columns that are walked together: one of grid, or all of zip. */
struct axis {
    const struct column **columns;
    int n_columns, n_rows, outer;
};

struct expansion {
    struct experiment *e;
    const struct cost_model *cost;
    struct axis *axes;
    int n_axes;
    int64_t n_grid, n_hand, n_outer;
    struct claim *pending; /* keys that no cell has read yet */
    struct strbuf scratch;
    struct error *err;
};

/* ---- axes ---- */

static int add_zip(struct axis *a, const struct column *c, struct error *err)
{
    if (c->n != a->n_rows)
        return experiment_fail(c->origin, err, "zip",
                               "%s has %d values and %s has %d: they are walked "
                               "together",
                               c->key, c->n, a->columns[0]->key, a->n_rows);
    a->columns[a->n_columns++] = c;
    return 0;
}

static int build_axes(struct expansion *x)
{
    struct experiment *e = x->e;
    struct axis *zip = NULL;
    int n = 0;
    for (const struct column *c = e->spec->columns; c; c = c->next)
        n++;
    x->axes = ARENA_ARRAY(&e->arena, struct axis, n);
    for (const struct column *c = e->spec->columns; c; c = c->next) {
        if (c->kind == COLUMN_ZIP && zip) {
            if (add_zip(zip, c, x->err))
                return -1;
            continue;
        }
        struct axis *a = &x->axes[x->n_axes++];
        *a = (struct axis){ARENA_ARRAY(&e->arena, const struct column *, n), 1, c->n,
                           c->kind == COLUMN_OUTER};
        a->columns[0] = c;
        if (c->kind == COLUMN_ZIP)
            zip = a;
    }
    return 0;
}

static int count_cells(struct expansion *x, int yes_many)
{
    struct experiment *e = x->e;
    int inner = 0, overflow = 0;
    int64_t cells, runs;
    x->n_grid = x->n_outer = 1;
    for (int i = 0; i < x->n_axes; i++) {
        int64_t *product = x->axes[i].outer ? &x->n_outer : &x->n_grid;
        inner += !x->axes[i].outer;
        overflow |= __builtin_mul_overflow(*product, (int64_t)x->axes[i].n_rows, product);
    }
    for (const struct hand_cell *c = e->spec->cells; c; c = c->next)
        x->n_hand++;
    if (!inner && x->n_hand) /* cells by hand alone: no cell of the bare sections */
        x->n_grid = 0;
    overflow |= __builtin_add_overflow(x->n_grid, x->n_hand, &cells) ||
                __builtin_mul_overflow(cells, x->n_outer, &cells) ||
                __builtin_mul_overflow(cells, (int64_t)e->n_seeds, &runs);
    if (overflow || cells > MAX_CELLS)
        return error_set(x->err, "%s: more cells than can be counted (narrow the grid)", e->file);
    if (runs > MAX_RUNS && !yes_many)
        return error_set(
            x->err,
            "%s: %lld cells with %d seeds are %lld runs, more than %d (narrow the grid, or "
            "say --many)",
            e->file, (long long)cells, e->n_seeds, (long long)runs, MAX_RUNS);
    x->n_grid *= x->n_outer;
    x->n_hand *= x->n_outer;
    return 0;
}

static int has_axis(const struct experiment *e, const char *key)
{
    for (int i = 0; i < e->n_axes; i++)
        if (!strcmp(e->axes[i], key))
            return 1;
    return 0;
}

/* The keys that vary: axes of several rows, then what cells by hand set besides. */
static void name_axes(struct expansion *x)
{
    struct experiment *e = x->e;
    int n = 0;
    for (const struct column *c = e->spec->columns; c; c = c->next)
        n++;
    for (const struct hand_cell *h = e->spec->cells; h; h = h->next)
        for (const struct assignment *a = h->assignments; a; a = a->next)
            n++;
    n += e->spec->match ? e->spec->match->n_children : 0; /* solved keys, added by match_prepare */
    e->axes = ARENA_ARRAY(&e->arena, const char *, n);
    for (int i = 0; i < x->n_axes; i++)
        for (int k = 0; k < x->axes[i].n_columns && x->axes[i].n_rows > 1; k++)
            e->axes[e->n_axes++] = x->axes[i].columns[k]->key;
    for (const struct hand_cell *h = e->spec->cells; h; h = h->next)
        for (const struct assignment *a = h->assignments; a; a = a->next)
            if (!has_axis(e, a->key))
                e->axes[e->n_axes++] = a->key;
}

/* ---- one cell ---- */

static const char *cell_text(const struct cell *c, const char *key)
{
    return !strcmp(key, "model") ? c->model : config_text(c->config, key);
}

static int apply(struct expansion *x, struct cell *c, const struct assignment *a, int presets)
{
    if (presets != (a->preset != NULL))
        return 0;
    if (!a->preset)
        return config_set(c->config, a->key, a->text, a->origin, x->err);
    experiment_apply_preset(c->config, a->preset);
    c->model = a->preset->name;
    return 0;
}

/* Named models first, everything else on top, the command line last. row picks the axes' values;
 * inner axes do not apply to a cell by hand. */
static int assign_all(struct expansion *x, struct cell *c, const struct hand_cell *hand,
                      const int *row)
{
    for (int presets = 1; presets >= 0; presets--) {
        for (int i = 0; i < x->n_axes; i++)
            for (int k = 0; k < x->axes[i].n_columns && (!hand || x->axes[i].outer); k++)
                if (apply(x, c, &x->axes[i].columns[k]->values[row[i]], presets))
                    return -1;
        for (const struct assignment *a = hand ? hand->assignments : NULL; a; a = a->next)
            if (apply(x, c, a, presets))
                return -1;
    }
    for (const struct assignment *a = x->e->spec->overrides; a; a = a->next)
        if (apply(x, c, a, 0))
            return -1;
    return 0;
}

static int fail_rule(struct expansion *x, const struct rule *r)
{
    char where[500];
    return error_prefix(x->err, "%s: %s", config_origin_text(r->origin, where, sizeof where),
                        r->kind);
}

/* Takes keys back whose condition does not hold, until nothing changes: one condition may depend on
 * a key that another one takes back. */
static int apply_when(struct expansion *x, struct cell *c)
{
    for (int changed = 1; changed;) {
        changed = 0;
        for (const struct rule *r = x->e->spec->when; r; r = r->next) {
            int yes;
            if (!config_is_set(c->config, r->key))
                continue;
            if (cell_test(c, r->expr, &yes, x->err))
                return fail_rule(x, r);
            if (yes)
                continue;
            config_unset(c->config, r->key);
            if (config_resolve(c->config, x->err))
                return -1;
            changed = 1;
        }
    }
    return 0;
}

/* The cell's value of a key, for people. */
static void add_part(struct expansion *x, const char *separator, const struct cell *c,
                     const char *key)
{
    const char *text = cell_text(c, key);
    strbuf_adds(&x->scratch, x->scratch.len ? separator : "");
    strbuf_adds(&x->scratch, text && *text ? config_plain(&x->e->arena, text) : "-");
}

static void name_cell(struct expansion *x, struct cell *c, const struct hand_cell *hand)
{
    struct experiment *e = x->e;
    struct strbuf *s = &x->scratch;
    strbuf_clear(s);
    if (hand && hand->label)
        strbuf_adds(s, hand->label);
    for (const struct assignment *a = hand && !hand->label ? hand->assignments : NULL; a;
         a = a->next)
        add_part(x, "/", c, a->key);
    for (int i = 0; i < x->n_axes; i++) {
        if (x->axes[i].n_rows == 1 || (hand && !x->axes[i].outer))
            continue;
        for (int k = 0; k < x->axes[i].n_columns; k++)
            add_part(x, k ? "," : "/", c, x->axes[i].columns[k]->key);
    }
    for (size_t i = 0; i < s->len; i++) /* it stands in lines on terminals */
        if ((unsigned char)s->text[i] < ' ' || s->text[i] == 127)
            s->text[i] = ' ';
    c->label = arena_strdup(&e->arena, s->len ? s->text : c->model ? c->model : e->name);
    c->values = ARENA_ARRAY(&e->arena, const char *, e->n_axes);
    for (int i = 0; i < e->n_axes; i++)
        c->values[i] = cell_text(c, e->axes[i]);
}

static void identify(struct expansion *x, struct cell *c)
{
    char hex[65];
    strbuf_clear(&x->scratch);
    config_identity(c->config, &x->scratch);
    c->identity = arena_strndup(&x->e->arena, x->scratch.text, x->scratch.len);
    file_sha256_bytes(c->identity, x->scratch.len, hex);
    memcpy(c->id, hex, CELL_ID - 1);
}

static void drop_claims(struct expansion *x, const struct cell *c)
{
    for (struct claim **link = &x->pending; *link;) {
        const char *key = (*link)->key;
        int read = !strcmp(key, "model")
                       ? c->model != NULL
                       : config_is_active(c->config, key) && config_is_set(c->config, key);
        if (read)
            *link = (*link)->next;
        else
            link = &(*link)->next;
    }
}

static int make_cell(struct expansion *x, const struct hand_cell *hand, const int *row)
{
    struct experiment *e = x->e;
    struct cell *c = &e->cells[e->n_cells];
    c->index = e->n_cells++; /* counted first: experiment_release frees what is there */
    c->config = config_copy(e->spec->base);
    c->model = e->spec->model;
    c->folded_into = -1;
    cell_cost_clear(&c->cost);
    if (assign_all(x, c, hand, row) || config_resolve(c->config, x->err) || apply_when(x, c))
        return -1;
    if (e->spec->match && match_solve(e, c, x->cost, x->err))
        return -1;
    drop_claims(x, c);
    name_cell(x, c, hand);
    identify(x, c);
    return 0;
}

/* Mixed radix: the last axis varies fastest. */
static void decompose(const struct expansion *x, int64_t index, int outer_only, int *row)
{
    for (int i = x->n_axes - 1; i >= 0; i--) {
        row[i] = 0;
        if (outer_only && !x->axes[i].outer)
            continue;
        row[i] = (int)(index % x->axes[i].n_rows);
        index /= x->axes[i].n_rows;
    }
}

static int make_cells(struct expansion *x)
{
    struct experiment *e = x->e;
    int *row = ARENA_ARRAY(&e->arena, int, x->n_axes);
    const struct hand_cell *hand = e->spec->cells;
    e->cells = mem_zalloc((size_t)(x->n_grid + x->n_hand), sizeof *e->cells);
    for (int64_t i = 0; i < x->n_grid; i++) {
        decompose(x, i, 0, row);
        if (make_cell(x, NULL, row))
            return -1;
    }
    for (; hand; hand = hand->next)
        for (int64_t i = 0; i < x->n_outer; i++) {
            decompose(x, i, 1, row);
            if (make_cell(x, hand, row))
                return -1;
        }
    return 0;
}

/* ---- checks over all cells ---- */

static int check_claims(struct expansion *x)
{
    struct experiment *e = x->e;
    const struct claim *worst = NULL;
    for (const struct claim *c = x->pending; c; c = c->next)
        if (!e->spec->overrides_given || !strcmp(c->origin.file, "command line"))
            if (!worst || c->origin.line <= worst->origin.line)
                worst = c;
    if (!worst)
        return 0;
    for (const struct rule *r = e->spec->when; r; r = r->next)
        if (!strcmp(r->key, worst->key))
            return experiment_fail(worst->origin, x->err, NULL,
                                   "no cell reads %s: its condition in when never holds",
                                   worst->key);
    strbuf_clear(&x->scratch);
    config_owners(e->spec->base, worst->key, &x->scratch);
    return experiment_fail(worst->origin, x->err, NULL, "no cell reads %s: it belongs to %s",
                           worst->key, x->scratch.text);
}

/* baseline's values in canonical form, as a cell that reads the key would have them. */
static int resolve_baseline(struct expansion *x)
{
    struct experiment *e = x->e;
    for (int i = 0; i < e->n_baseline; i++) {
        struct experiment_pair *p = &e->baseline[i];
        const struct cell *c = e->cells;
        if (!strcmp(p->key, "model"))
            continue;
        while (c < e->cells + e->n_cells && !config_is_active(c->config, p->key))
            c++;
        if (c == e->cells + e->n_cells)
            return experiment_fail(p->origin, x->err, "baseline", "no cell reads %s", p->key);
        struct config *copy = config_copy(c->config);
        int rc =
            config_set(copy, p->key, p->text, p->origin, x->err) || config_resolve(copy, x->err);
        if (!rc)
            p->text = arena_strdup(&e->arena, config_text(copy, p->key));
        config_free(copy);
        if (rc)
            return -1;
    }
    for (int i = 0; i < e->n_cells && e->n_baseline; i++)
        if (experiment_is_baseline(e, &e->cells[i]))
            return 0;
    return e->n_baseline && !e->spec->overrides_given
               ? experiment_fail(e->baseline[0].origin, x->err, "baseline",
                                 "no cell has these values")
               : 0;
}

static int expand(struct expansion *x, int yes_many)
{
    struct experiment *e = x->e;
    if (build_axes(x) || count_cells(x, yes_many))
        return -1;
    name_axes(x);
    if (e->spec->match && match_prepare(e, x->cost, x->err))
        return -1;
    if (make_cells(x) || check_claims(x) || resolve_baseline(x))
        return -1;
    return experiment_judge(e, x->cost, x->err);
}

int experiment_expand(struct experiment *e, const struct cost_model *cost, int yes_many,
                      struct error *err)
{
    struct expansion x = {
        .e = e, .cost = cost, .pending = e->spec->claims, .scratch = STRBUF_INIT, .err = err};
    int rc = expand(&x, yes_many);
    strbuf_release(&x.scratch);
    return rc;
}
