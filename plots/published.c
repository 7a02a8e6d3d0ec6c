#include "plots/published.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "results/rows.h"

static const char *text(const struct rows *r, size_t row, const char *column)
{
    int i = rows_column(r, column);
    const struct rows_cell *c = i >= 0 ? rows_cell(r, row, (size_t)i) : NULL;
    return c != NULL && c->type == ROWS_TEXT ? c->text : "";
}

/* The family that a row's name begins with: "ViTTM-B (64,64)" and "ViTTM-S" are ViTTM,
 * "CrossViT-15†" is CrossViT. */
static const char *stem(struct arena *a, const char *row)
{
    size_t n = 0;
    while (isalnum((unsigned char)row[n]) || (row[n] == '-' && isalpha((unsigned char)row[n + 1]) &&
                                              islower((unsigned char)row[n + 2])))
        n++;
    return n > 0 ? arena_strndup(a, row, n) : row;
}

/* Token reduction is applied to a plain model: the method is the system, not the model's name. */
static const char *system_of(struct arena *a, const struct rows *r, size_t row)
{
    static const char *const columns[] = {"system", "family"};
    for (size_t i = 0; i < sizeof columns / sizeof *columns; i++)
        if (text(r, row, columns[i])[0] != 0)
            return text(r, row, columns[i]);
    return stem(a, text(r, row, "row"));
}

static struct published_point *find(struct published *p, const char *row)
{
    for (size_t i = p->n; i-- > 0;)
        if (strcmp(p->points[i].row, row) == 0)
            return &p->points[i];
    return NULL;
}

int published_system(const struct published *p, const char *system)
{
    for (int i = 0; i < p->n_systems; i++)
        if (strcmp(p->systems[i], system) == 0)
            return i;
    return -1;
}

static void drop_incomplete(struct published *p)
{
    size_t kept = 0;
    for (size_t i = 0; i < p->n; i++)
        if (isfinite(p->points[i].x) && isfinite(p->points[i].y))
            p->points[kept++] = p->points[i];
    p->n = kept;
}

static void name_source(struct published *p, const struct rows *r, struct arena *a)
{
    const char *source = text(r, 0, "source"), *table = text(r, 0, "table");
    for (size_t i = 1; i < r->count; i++)
        if (strcmp(text(r, i, "table"), table) != 0)
            table = "";
    p->source = table[0] != 0 ? arena_printf(a, "%s, %s", source, table) : source;
}

void published_points(struct published *p, const struct rows *r, const char *x, const char *y,
                      struct arena *a)
{
    *p = (struct published){.source = ""};
    if (r == NULL || r->count == 0)
        return;
    name_source(p, r, a);
    p->points = ARENA_ARRAY(a, struct published_point, r->count);
    p->systems = ARENA_ARRAY(a, const char *, r->count);
    int value = rows_column(r, "value");
    for (size_t i = 0; i < r->count && value >= 0; i++) {
        const char *metric = text(r, i, "metric"), *row = text(r, i, "row");
        if (strcmp(metric, x) != 0 && strcmp(metric, y) != 0)
            continue;
        struct published_point *point = find(p, row);
        if (point == NULL) {
            point = &p->points[p->n++];
            *point = (struct published_point){row, system_of(a, r, i), NAN, NAN};
        }
        *(strcmp(metric, x) == 0 ? &point->x : &point->y) =
            rows_number(rows_cell(r, i, (size_t)value));
    }
    drop_incomplete(p);
    for (size_t i = 0; i < p->n; i++)
        if (published_system(p, p->points[i].system) < 0)
            p->systems[p->n_systems++] = p->points[i].system;
}
