#include "cli/claims.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"
#include "results/csv.h"

/* Digits after the point of "printed as 7.10 GFLOPs", which a value of 7.1e9 no longer shows. */
static int printed_decimals(const char *note)
{
    static const char before[] = "printed as ";
    const char *at = strstr(note, before);
    if (at == NULL)
        return 0;
    at += strlen(before);
    at += strspn(at, "0123456789");
    return *at == '.' ? (int)strspn(at + 1, "0123456789") : 0;
}

struct source {
    struct csv csv;
    const char *path;
    int table, row, metric, value, note;
};

static int source_read(struct source *s, struct arena *a, const char *path, struct error *err)
{
    if (s->path != NULL && strcmp(s->path, path) == 0)
        return 0;
    csv_release(&s->csv);
    *s = (struct source){.path = NULL};
    if (csv_read(&s->csv, path, err))
        return -1;
    s->path = arena_strdup(a, path);
    s->table = csv_column(&s->csv, "table");
    s->row = csv_column(&s->csv, "row");
    s->metric = csv_column(&s->csv, "metric");
    s->value = csv_column(&s->csv, "value");
    s->note = csv_column(&s->csv, "note");
    if (s->table < 0 || s->row < 0 || s->metric < 0 || s->value < 0 || s->note < 0)
        return error_set(err,
                         "%s:1: published numbers have the columns table, row, metric, value "
                         "and note",
                         path);
    return 0;
}

/* One line of the published file. */
static int take(struct claim *c, const struct source *s, size_t i, struct error *err)
{
    const char *metric = csv_field(&s->csv, i, s->metric);
    double value;
    int decimals = printed_decimals(csv_field(&s->csv, i, s->note));
    if (number_float(csv_field(&s->csv, i, s->value), &value))
        return error_set(err, "%s:%d: value is not a number", s->path, s->csv.lines[i]);
    if (strcmp(metric, "cost/params") == 0) {
        c->params_m = value / 1e6;
        c->params_decimals = decimals;
    } else if (strcmp(metric, "cost/macs_fvcore") == 0 || strcmp(metric, "cost/macs") == 0) {
        c->gflops = value / 1e9;
        c->gflops_decimals = decimals;
    }
    return 0;
}

static int look_up(struct claim *c, const struct source *s, struct arena *a, struct error *err)
{
    int found = 0;
    for (size_t i = 0; i < s->csv.count; i++) {
        if (strcmp(csv_field(&s->csv, i, s->row), c->row) != 0)
            continue;
        if (!found)
            c->table = arena_strdup(a, csv_field(&s->csv, i, s->table));
        found = 1;
        if (take(c, s, i, err))
            return -1;
    }
    return found ? 0 : error_set(err, "%s has no row '%s'", s->path, c->row);
}

static int load_all(const struct csv *map, struct arena *a, const char *path, struct claim *claims,
                    struct error *err)
{
    int cell = csv_column(map, "cell"), file = csv_column(map, "file"),
        row = csv_column(map, "row"), note = csv_column(map, "note"), rc = 0;
    const char *slash = strrchr(path, '/');
    int folder = slash != NULL ? (int)(slash - path) + 1 : 0;
    struct source s = {.path = NULL};
    if (file < 0 || row < 0)
        return error_set(err, "%s:1: a map of cells has the columns cell, file, row and note",
                         path);
    for (size_t i = 0; rc == 0 && i < map->count; i++) {
        struct claim *c = &claims[i];
        *c = (struct claim){.cell = arena_strdup(a, csv_field(map, i, cell)),
                            .row = arena_strdup(a, csv_field(map, i, row)),
                            .note = arena_strdup(a, csv_field(map, i, note)),
                            .params_m = NAN,
                            .gflops = NAN};
        rc = source_read(&s, a, arena_printf(a, "%.*s%s", folder, path, csv_field(map, i, file)),
                         err);
        if (rc == 0)
            rc = look_up(c, &s, a, err);
        if (rc != 0)
            error_prefix(err, "%s:%d", path, map->lines[i]);
    }
    csv_release(&s.csv);
    return rc;
}

int claims_load(struct arena *a, const char *path, struct claim **claims, int *n, struct error *err)
{
    struct csv map = {0};
    int rc = 0;
    *claims = NULL;
    *n = 0;
    if (csv_read(&map, path, err))
        return -1;
    if (csv_column(&map, "cell") >= 0) {
        *claims = ARENA_ARRAY(a, struct claim, map.count + 1);
        rc = load_all(&map, a, path, *claims, err);
        *n = rc == 0 ? (int)map.count : 0;
    }
    csv_release(&map);
    return rc;
}

int claim_holds(double printed, int decimals, double count, double unit)
{
    double digit = pow(10, -decimals);
    if (isnan(printed))
        return -1;
    return fabs(round(count / unit / digit) - round(printed / digit)) < 0.5;
}
