#include "plots/published.h"

#include <ctype.h>
#include <math.h>
#include <string.h>

#include "base/arena.h"
#include "results/rows.h"

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

struct method {
    const char *key, *name;
};

/* Token reduction is applied to a plain model: the method and that model are the system, the amount
 * of it is the variant. "ViT-S/16 (r=8)" with tome is "ToMe ViT-S/16", "r=8". */
static void name_reduced(struct arena *a, struct published_point *p, const char *method)
{
    static const struct method methods[] = {{"tome", "ToMe"}, {"mctf", "MCTF"}};
    for (size_t i = 0; i < sizeof methods / sizeof *methods; i++)
        method = strcmp(method, methods[i].key) == 0 ? methods[i].name : method;
    const char *open = strchr(p->row, '('), *close = open != NULL ? strchr(open, ')') : NULL;
    size_t n = open != NULL ? (size_t)(open - p->row) : strlen(p->row);
    while (n > 0 && p->row[n - 1] == ' ')
        n--;
    p->system = strstr(p->row, method) != NULL ? arena_strndup(a, p->row, n)
                                               : arena_printf(a, "%s %.*s", method, (int)n, p->row);
    if (close != NULL)
        p->label = arena_strndup(a, open + 1, (size_t)(close - open - 1));
}

static struct published_point *new_point(struct published *p, const struct rows *r, size_t row,
                                         struct arena *a)
{
    struct published_point *point = &p->points[p->n++];
    const char *name = rows_text_of(r, row, "row"),
               *method = rows_text_of(r, row, "model.reduce.method");
    *point = (struct published_point){rows_text_of(r, row, "source"),
                                      rows_text_of(r, row, "table"),
                                      name,
                                      name,
                                      stem(a, name),
                                      NAN,
                                      NAN};
    if (method[0] != 0 && strcmp(method, "none") != 0)
        name_reduced(a, point, method);
    return point;
}

static struct published_point *find(struct published *p, const struct rows *r, size_t row)
{
    for (size_t i = p->n; i-- > 0;)
        if (strcmp(p->points[i].row, rows_text_of(r, row, "row")) == 0 &&
            strcmp(p->points[i].table, rows_text_of(r, row, "table")) == 0 &&
            strcmp(p->points[i].source, rows_text_of(r, row, "source")) == 0)
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

/* "Paper, Table 8"; the paper alone where there are several tables; nothing where there are several
 * papers. */
static void name_source(struct published *p, const struct rows *r, struct arena *a)
{
    const char *source = rows_text_of(r, 0, "source"), *table = rows_text_of(r, 0, "table");
    for (size_t i = 1; i < r->count; i++) {
        table = strcmp(rows_text_of(r, i, "table"), table) == 0 ? table : "";
        source = strcmp(rows_text_of(r, i, "source"), source) == 0 ? source : "";
    }
    p->source = source;
    if (source[0] != 0 && table[0] != 0)
        p->source = arena_printf(a, "%s, %s%s", source,
                                 isdigit((unsigned char)table[0]) ? "Table " : "", table);
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
        const char *metric = rows_text_of(r, i, "metric");
        if (strcmp(metric, x) != 0 && strcmp(metric, y) != 0)
            continue;
        struct published_point *point = find(p, r, i);
        if (point == NULL)
            point = new_point(p, r, i, a);
        *(strcmp(metric, x) == 0 ? &point->x : &point->y) =
            rows_number(rows_cell(r, i, (size_t)value));
    }
    drop_incomplete(p);
    for (size_t i = 0; i < p->n; i++)
        if (published_system(p, p->points[i].system) < 0)
            p->systems[p->n_systems++] = p->points[i].system;
}
