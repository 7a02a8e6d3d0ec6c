/* The ablation table over two keys: a row and a column a value, the other axes in front of the
 * rows. */
#include "results/rows.h"
#include "results/table.h"
#include "results/table_figures.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* Distinct values of key k in the order of the cells; of the keys from k on together where all is
 * set. */
static size_t find_value(const char **values, size_t n, const char *text)
{
    size_t i = 0;
    while (i < n && strcmp(values[i], text) != 0)
        i++;
    return i;
}

/* The last part of a key, or all of it where another key ends alike. */
static const char *short_key(const struct table_data *d, size_t key)
{
    const char *dot = strrchr(d->keys[key], '.'), *tail = dot ? dot : d->keys[key];
    for (size_t k = 0; k < d->key_count; k++) {
        const char *other = strrchr(d->keys[k], '.');
        if (k != key && other && strcmp(other, tail) == 0)
            return d->keys[key];
    }
    return dot ? dot + 1 : tail;
}

/* What stands in front of the row: the row key, then every axis that is neither row nor column. */
static const char *row_head(struct arena *arena, const struct table_data *d,
                            const struct table_cell *c, int has_rows, int has_cols)
{
    struct strbuf s = STRBUF_INIT;
    if (has_rows)
        strbuf_adds(&s, c->keys[0]);
    for (size_t k = (size_t)has_rows + (size_t)has_cols; k < d->key_count; k++)
        strbuf_addf(&s, "%s%s=%s", s.len ? ", " : "", short_key(d, k), c->keys[k]);
    const char *text = arena_strdup(arena, s.text);
    strbuf_release(&s);
    return text;
}

struct pivot {
    struct arena arena;
    const char **row_names, **column_names;
    size_t rows, columns;
    size_t *row_of, *column_of; /* of each cell */
};

static void arrange(struct pivot *p, const struct table_data *d, const struct table_options *o)
{
    p->row_names = ARENA_ARRAY(&p->arena, const char *, d->count);
    p->column_names = ARENA_ARRAY(&p->arena, const char *, d->count);
    p->row_of = ARENA_ARRAY(&p->arena, size_t, d->count);
    p->column_of = ARENA_ARRAY(&p->arena, size_t, d->count);
    for (size_t i = 0; i < d->count; i++) {
        const char *row = row_head(&p->arena, d, &d->cells[i], o->rows != NULL, o->cols != NULL);
        const char *column = o->cols ? d->cells[i].keys[o->rows != NULL] : d->metric;
        p->row_of[i] = find_value(p->row_names, p->rows, row);
        if (p->row_of[i] == p->rows)
            p->row_names[p->rows++] = row;
        p->column_of[i] = find_value(p->column_names, p->columns, column);
        if (p->column_of[i] == p->columns)
            p->column_names[p->columns++] = column;
    }
}

static struct rows *new_grid(const struct pivot *p, const struct table_options *o)
{
    const char **names = mem_zalloc(p->columns + 1, sizeof *names);
    names[0] = o->rows ? o->rows : "";
    for (size_t i = 0; i < p->columns; i++)
        names[i + 1] = *p->column_names[i] ? p->column_names[i] : "(none)";
    struct rows *r = rows_new(p->columns + 1, names);
    free(names);
    for (size_t i = 0; i < p->rows; i++) {
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], *p->row_names[i] ? p->row_names[i] : "(none)");
    }
    return r;
}

/* With a test the p stands behind the figure: there is no room for a column each. */
static void add_p(struct rows *r, struct rows_cell *cell, const struct table_layout *l, size_t i)
{
    const struct table_figure *f = &l->figures[i];
    if (l->o->test != TABLE_PAIRED || !l->d->baseline)
        return;
    if (l->d->cells[i].is_baseline)
        rows_set_format(r, cell, "%s baseline", cell->text);
    else if (!isnan(f->p))
        rows_set_format(r, cell, "%s p=%.2g%s", cell->text, f->holm,
                        f->hopeless ? " (n too small)" : "");
}

struct rows *table_pivot(const struct table_layout *l, struct error *err)
{
    struct pivot p = {.arena = {0}};
    const struct table_data *d = l->d;
    arrange(&p, d, l->o);
    struct rows *r = new_grid(&p, l->o);
    for (size_t i = 0; i < d->count && r; i++) {
        struct rows_cell *cell = rows_cell(r, p.row_of[i], p.column_of[i] + 1);
        if (cell->type != ROWS_NULL) {
            error_set(err,
                      "%s: %s shares row and column with another cell: choose other keys, or none "
                      "for a row a cell",
                      d->experiment, d->cells[i].label);
            rows_free(r);
            r = NULL;
            break;
        }
        table_put_figure(r, cell, l, i);
        unsigned char strong = cell->strong;
        add_p(r, cell, l, i);
        cell->strong = strong;
    }
    for (size_t i = 0; r && i < r->count; i++)
        for (size_t c = 1; c < r->columns; c++)
            if (rows_cell(r, i, c)->type == ROWS_NULL)
                rows_set_text(r, rows_cell(r, i, c), "—");
    arena_release(&p.arena);
    return r;
}
