/* Main effects and interactions as a table. */
#include "results/rows.h"
#include "results/stats.h"
#include "results/table.h"
#include "results/table_data.h"
#include "base/error.h"

#include <math.h>
#include <string.h>

/* The axes with their levels in order of appearance, and the grid of means: last axis fastest. */
struct factorial {
    const struct table_data *d;
    int factors;
    int *levels;
    const char ***names; /* of each level of each factor */
    double *means;
    size_t *runs;
    size_t size;
};

static int level_of(const struct factorial *f, int factor, const char *text)
{
    for (int i = 0; i < f->levels[factor]; i++)
        if (strcmp(f->names[factor][i], text) == 0)
            return i;
    return -1;
}

static void find_levels(struct factorial *f, struct arena *arena)
{
    f->levels = ARENA_ARRAY(arena, int, f->factors);
    f->names = ARENA_ARRAY(arena, const char **, f->factors);
    f->size = 1;
    for (int k = 0; k < f->factors; k++) {
        f->names[k] = ARENA_ARRAY(arena, const char *, f->d->count);
        for (size_t i = 0; i < f->d->count; i++)
            if (level_of(f, k, f->d->cells[i].keys[k]) < 0)
                f->names[k][f->levels[k]++] = f->d->cells[i].keys[k];
        f->size *= (size_t)f->levels[k];
        if (f->size > 4 * f->d->count) /* not a full grid, whatever the other factors are */
            return;
    }
}

static int fill_grid(struct factorial *f, struct arena *arena, struct error *err)
{
    if (f->size != f->d->count)
        return error_set(
            err, "%s has %zu cells, a full grid over its axes would have %zu: effects need all",
            f->d->experiment, f->d->count, f->size);
    f->means = ARENA_ARRAY(arena, double, f->size);
    f->runs = ARENA_ARRAY(arena, size_t, f->size);
    for (size_t i = 0; i < f->d->count; i++) {
        const struct table_cell *c = &f->d->cells[i];
        size_t at = 0;
        for (int k = 0; k < f->factors; k++)
            at = at * (size_t)f->levels[k] + (size_t)level_of(f, k, c->keys[k]);
        if (c->n == 0)
            return error_set(err, "%s: %s has no finished run with %s: effects need every cell",
                             f->d->experiment, c->label, f->d->metric);
        if (f->runs[at])
            return error_set(err, "%s: two cells share the axes of %s: effects need a grid",
                             f->d->experiment, c->label);
        f->means[at] = stats_mean(c->values, c->n);
        f->runs[at] = c->n;
    }
    return 0;
}

/* Runs with level a of factor fa (and level b of factor fb). */
static int64_t runs_behind(const struct factorial *f, const struct stats_effect *e)
{
    int64_t n = 0;
    for (size_t i = 0; i < f->d->count; i++) {
        const struct table_cell *c = &f->d->cells[i];
        int good = strcmp(c->keys[e->factor_a], f->names[e->factor_a][e->level_a]) == 0;
        if (good && e->factor_b >= 0)
            good = strcmp(c->keys[e->factor_b], f->names[e->factor_b][e->level_b]) == 0;
        n += good ? (int64_t)c->n : 0;
    }
    return n;
}

static struct rows *list_effects(const struct factorial *f, struct arena *arena)
{
    static const char *const names[] = {"factor", "level", "factor_b", "level_b", "effect", "n"};
    size_t count = stats_effect_count(f->levels, f->factors);
    struct stats_effect *effects = ARENA_ARRAY(arena, struct stats_effect, count);
    if (stats_effects(f->means, f->levels, f->factors, effects))
        BUG("a full grid has a hole");
    struct rows *r = rows_new(6, names);
    for (size_t i = 0; i < count; i++) {
        const struct stats_effect *e = &effects[i];
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], f->d->keys[e->factor_a]);
        rows_set_text(r, &cell[1], f->names[e->factor_a][e->level_a]);
        if (e->factor_b >= 0) {
            rows_set_text(r, &cell[2], f->d->keys[e->factor_b]);
            rows_set_text(r, &cell[3], f->names[e->factor_b][e->level_b]);
        }
        rows_set_real(&cell[4], e->effect);
        rows_set_integer(&cell[5], runs_behind(f, e));
    }
    r->caption =
        arena_printf(&r->arena,
                     "Effects on %s: marginal mean minus grand mean; interactions: what the main "
                     "effects do not explain.",
                     f->d->metric);
    return r;
}

struct rows *table_effects(struct store *s, const struct table_options *o, struct error *err)
{
    struct table_data d = {.arena = {0}};
    struct arena arena = {0};
    struct rows *r = NULL;
    struct table_options all = *o;
    all.rows = all.cols = NULL; /* the axes in their order */
    if (table_load(&d, s, &all, err))
        return NULL;
    struct factorial f = {.d = &d, .factors = (int)d.key_count};
    if (f.factors == 0) {
        error_set(err, "%s has no axes: effects need a grid", d.experiment);
    } else {
        find_levels(&f, &arena);
        if (fill_grid(&f, &arena, err) == 0)
            r = list_effects(&f, &arena);
    }
    arena_release(&arena);
    table_release(&d);
    return r;
}
