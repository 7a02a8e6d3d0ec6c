#include "plots/layers.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "plots/data.h"
#include "plots/encode.h"
#include "results/rows.h"

struct columns {
    int cell, by, name, macs;
};

static const char *text(const struct rows *r, size_t row, int column)
{
    return column >= 0 ? rows_text(rows_cell(r, row, (size_t)column)) : "";
}

/* The first depth parts of a dotted path. */
static size_t prefix(const char *name, int depth)
{
    size_t n = 0;
    for (; name[n] != 0; n++)
        if (name[n] == '.' && --depth == 0)
            break;
    return n;
}

static int find_name(const struct layers *l, const char *name, size_t length)
{
    for (int i = 0; i < l->n; i++)
        if (strlen(l->names[i]) == length && memcmp(l->names[i], name, length) == 0)
            return i;
    return -1;
}

static void insert_name(struct layers *l, int at, const char *name)
{
    memmove(&l->names[at + 1], &l->names[at], (size_t)(l->n++ - at) * sizeof *l->names);
    l->names[at] = name;
}

/* In the order of the forward pass: a layer that only some cells have comes behind the one that it
 * follows there. Fails where there would be too many. */
static int list_names(struct layers *l, struct plot_data *d, const struct columns *k, int depth)
{
    const struct rows *r = d->source.costs;
    const char *cell = "";
    int behind = -1;
    l->n = 0;
    for (size_t i = 0; i < r->count; i++) {
        const char *name = text(r, i, k->name);
        size_t n = prefix(name, depth);
        if (strcmp(text(r, i, k->by), "layer") != 0 || n == 0)
            continue;
        if (strcmp(text(r, i, k->cell), cell) != 0)
            behind = -1;
        cell = text(r, i, k->cell);
        int at = find_name(l, name, n);
        if (at < 0 && l->n == LAYERS_MOST)
            return 0;
        if (at < 0)
            insert_name(l, at = behind + 1, arena_strndup(&d->arena, name, n));
        behind = at;
    }
    return 1;
}

static int depth_that_fits(struct layers *l, struct plot_data *d, const struct columns *k)
{
    for (int depth = 4; depth > 0; depth--)
        if (list_names(l, d, k, depth))
            return depth;
    l->n = 0;
    return 0;
}

static int series_of(const struct plot_data *d, const struct encoding *e, const char *cell)
{
    for (size_t i = 0; i < d->n_cells; i++)
        if (strcmp(d->cells[i].id, cell) == 0)
            return e->color >= 0 ? d->cells[i].levels[e->color] : 0;
    return -1;
}

/* Cells of the series that have costs: what its sums are divided by. */
static int count_cells(const struct plot_data *d, const struct encoding *e, const struct columns *k,
                       int series)
{
    int n = 0;
    for (size_t i = 0; i < d->n_cells; i++) {
        if ((e->color >= 0 ? d->cells[i].levels[e->color] : 0) != series)
            continue;
        for (size_t r = 0; r < d->source.costs->count; r++)
            if (strcmp(text(d->source.costs, r, k->cell), d->cells[i].id) == 0) {
                n++;
                break;
            }
    }
    return n;
}

static void add_up(struct layers *l, struct plot_data *d, const struct encoding *e,
                   const struct columns *k, int depth)
{
    const struct rows *r = d->source.costs;
    for (int i = 0; i < l->series * l->n; i++)
        l->macs[i] = NAN; /* no cell of the series has the layer */
    for (size_t i = 0; i < r->count; i++) {
        if (strcmp(text(r, i, k->by), "layer") != 0)
            continue;
        const char *name = text(r, i, k->name);
        int at = find_name(l, name, prefix(name, depth)), s = series_of(d, e, text(r, i, k->cell));
        double macs = rows_number(rows_cell(r, i, (size_t)k->macs));
        if (at < 0 || s < 0 || !isfinite(macs))
            continue;
        double *sum = &l->macs[s * l->n + at];
        *sum = isfinite(*sum) ? *sum + macs : macs;
    }
    for (int s = 0; s < l->series; s++) {
        int cells = count_cells(d, e, k, s);
        for (int i = 0; i < l->n; i++) {
            double *macs = &l->macs[s * l->n + i];
            *macs = cells > 0 ? *macs / cells : NAN;
            l->largest = fmax(l->largest, *macs); /* a number, whatever NAN says */
        }
    }
}

/* Norms, positions and sums have no contraction: they would be half of the axis. */
static void drop_free(struct layers *l)
{
    int kept = 0, n = l->n;
    for (int i = 0; i < n; i++) {
        double most = 0;
        for (int s = 0; s < l->series; s++)
            most = fmax(most, l->macs[s * n + i]);
        if (most < 0.001 * l->largest || most <= 0)
            continue;
        l->names[kept] = l->names[i];
        for (int s = 0; s < l->series; s++)
            l->macs[s * n + kept] = l->macs[s * n + i];
        kept++;
    }
    for (int s = 1; s < l->series; s++)
        for (int i = 0; i < kept; i++)
            l->macs[s * kept + i] = l->macs[s * n + i];
    l->n = kept;
}

void layers_collect(struct layers *l, struct plot_data *d, const struct encoding *e)
{
    *l = (struct layers){.series = e->color >= 0 ? d->factors[e->color].n : 1};
    const struct rows *r = d->source.costs;
    if (r == NULL)
        return;
    struct columns k = {rows_column(r, "cell"), rows_column(r, "by"), rows_column(r, "name"),
                        rows_column(r, "macs")};
    l->names = ARENA_ARRAY(&d->arena, const char *, LAYERS_MOST + 1);
    if (k.cell < 0 || k.by < 0 || k.name < 0 || k.macs < 0)
        return;
    int depth = depth_that_fits(l, d, &k);
    if (l->n == 0)
        return;
    l->macs = ARENA_ARRAY(&d->arena, double, (size_t)l->series *(size_t)l->n);
    add_up(l, d, e, &k, depth);
    drop_free(l);
}
