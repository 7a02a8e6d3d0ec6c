/* Numbers that papers published, from CSV files. They are overlaid and compared, never mixed with
 * what was measured here: they have tables of their own. */
#include "results/csv.h"
#include "results/store_internal.h"
#include "base/error.h"
#include "base/number.h"

#include <stdlib.h>
#include <string.h>

static const char *const fixed[] = {"source",     "table",  "row",       "metric", "value", "unit",
                                    "convention", "device", "precision", "batch",  "note"};
enum { SOURCE, TABLE, ROW, METRIC, VALUE, UNIT, CONVENTION, DEVICE, PRECISION, BATCH, NOTE, FIXED };
_Static_assert(sizeof fixed / sizeof *fixed == FIXED, "a name for each column");

static int is_fixed(const char *name)
{
    for (int i = 0; i < FIXED; i++)
        if (strcmp(fixed[i], name) == 0)
            return 1;
    return 0;
}

/* The columns that are no fixed ones are configuration keys. */
static int check_header(const struct csv *csv, int column[FIXED], struct error *err)
{
    for (int i = 0; i < FIXED; i++) {
        column[i] = csv_column(csv, fixed[i]);
        if (column[i] < 0 && i <= VALUE)
            return error_set(err, "%s:1: there is no column %s", csv->name, fixed[i]);
    }
    for (size_t i = 0; i < csv->columns; i++)
        if (!is_fixed(csv->header[i]) && !strchr(csv->header[i], '.'))
            return error_set(err, "%s:1: column %s is neither a known one nor a configuration key",
                             csv->name, csv->header[i]);
    return 0;
}

static const char *or_null(const char *text)
{
    return *text ? text : NULL;
}

static int put_key(struct store *s, int64_t id, const char *key, const char *text,
                   struct error *err)
{
    double real;
    int64_t integer;
    static const char sql[] = "INSERT INTO published_key VALUES(?, ?, ?)";
    if (!*text)
        return 0;
    if (number_int(text, &integer) == 0)
        return sql_run(s, err, sql, "isi", id, key, integer);
    if (number_float(text, &real) == 0)
        return sql_run(s, err, sql, "isd", id, key, real);
    return sql_run(s, err, sql, "iss", id, key, text);
}

/* What a map of cells adds to a number: which cell it is claimed of, and why it may differ. */
struct claimed {
    const char *cell, *note; /* both NULL without a map */
};

/* The map's notes are about costs: what a model of that name has. */
static const char *whole_note(struct arena *a, const char *note, const char *metric,
                              const struct claimed *c)
{
    if (!c->note || !*c->note || strncmp(metric, "cost/", 5) != 0)
        return or_null(note);
    return *note ? arena_printf(a, "%s; %s", note, c->note) : c->note;
}

static int put_row(struct store *s, struct csv *csv, const char *file, int64_t line, size_t i,
                   const int *column, const struct claimed *claimed, struct error *err)
{
    double value;
    int64_t batch = -1, id;
    const char *f[FIXED];
    for (int c = 0; c < FIXED; c++)
        f[c] = csv_field(csv, i, column[c]);
    if (number_float(f[VALUE], &value))
        return error_set(err, "%s:%d: value '%s' is not a number", csv->name, csv->lines[i],
                         f[VALUE]);
    if (*f[BATCH] && number_int(f[BATCH], &batch))
        return error_set(err, "%s:%d: batch '%s' is not a whole number", csv->name, csv->lines[i],
                         f[BATCH]);
    if (!*f[METRIC] || !*f[ROW])
        return error_set(err, "%s:%d: a row and a metric are needed", csv->name, csv->lines[i]);
    if (sql_integer(s, err, &id,
                    "INSERT INTO published(file, line, source, \"table\", row, metric, value, unit,"
                    " convention, device, precision, batch, note) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?)"
                    " RETURNING id",
                    "sissssdssssns", file, line, f[SOURCE], f[TABLE], f[ROW], f[METRIC], value,
                    or_null(f[UNIT]), or_null(f[CONVENTION]), or_null(f[DEVICE]),
                    or_null(f[PRECISION]), batch,
                    whole_note(&csv->arena, f[NOTE], f[METRIC], claimed)) != 1)
        return -1;
    for (size_t c = 0; c < csv->columns; c++)
        if (!is_fixed(csv->header[c]) &&
            put_key(s, id, csv->header[c], csv_field(csv, i, (int)c), err))
            return -1;
    return claimed->cell ? put_key(s, id, "cell", claimed->cell, err) : 0;
}

static int put_all(struct store *s, struct csv *csv, const char *file, struct error *err)
{
    int column[FIXED];
    const struct claimed nothing = {NULL, NULL};
    if (check_header(csv, column, err))
        return -1;
    for (size_t i = 0; i < csv->count; i++)
        if (put_row(s, csv, file, csv->lines[i], i, column, &nothing, err))
            return -1;
    return 0;
}

/* ---- maps of cells ---- */

struct map {
    const struct csv *csv;
    int cell, file, row, note;
    int64_t line;      /* of the store: numbers in the order of the map */
    struct csv source; /* the file that the last line named */
    const char *source_path;
    int column[FIXED];
};

static int map_open(struct map *m, const struct csv *csv, struct error *err)
{
    *m = (struct map){.csv = csv,
                      .cell = csv_column(csv, "cell"),
                      .file = csv_column(csv, "file"),
                      .row = csv_column(csv, "row"),
                      .note = csv_column(csv, "note")};
    if (m->file < 0 || m->row < 0)
        return error_set(err, "%s:1: a map of cells has the columns cell, file, row and note",
                         csv->name);
    return 0;
}

/* The file that a line names, which stands beside the map. */
static int map_source(struct map *m, struct arena *a, size_t line, struct error *err)
{
    const char *slash = strrchr(m->csv->name, '/');
    const char *path = arena_printf(a, "%.*s%s", slash ? (int)(slash - m->csv->name) + 1 : 0,
                                    m->csv->name, csv_field(m->csv, line, m->file));
    if (m->source_path && !strcmp(m->source_path, path))
        return 0;
    csv_release(&m->source);
    m->source_path = NULL;
    if (csv_read(&m->source, path, err) || check_header(&m->source, m->column, err))
        return -1;
    m->source_path = path;
    return 0;
}

static int put_mapped(struct store *s, struct map *m, struct arena *a, const char *file, size_t i,
                      struct error *err)
{
    const struct claimed claimed = {csv_field(m->csv, i, m->cell), csv_field(m->csv, i, m->note)};
    const char *row = csv_field(m->csv, i, m->row);
    int found = 0;
    if (map_source(m, a, i, err))
        return -1;
    for (size_t k = 0; k < m->source.count; k++) {
        if (strcmp(csv_field(&m->source, k, m->column[ROW]), row) != 0)
            continue;
        found = 1;
        if (put_row(s, &m->source, file, ++m->line, k, m->column, &claimed, err))
            return -1;
    }
    return found ? 0 : error_set(err, "%s has no row '%s'", m->source_path, row);
}

/* Each line of a map gives a cell all numbers of a row of another file. */
static int put_map(struct store *s, const struct csv *csv, const char *file, struct error *err)
{
    struct map m;
    struct arena arena = {0};
    int rc = map_open(&m, csv, err);
    for (size_t i = 0; i < csv->count && !rc; i++) {
        rc = put_mapped(s, &m, &arena, file, i, err);
        if (rc)
            error_prefix(err, "%s:%d", csv->name, csv->lines[i]);
    }
    csv_release(&m.source);
    arena_release(&arena);
    return rc;
}

static int replace(struct store *s, struct csv *csv, const char *file, struct error *err)
{
    if (sql_run(s, err, "DELETE FROM published WHERE file=?", "s", file))
        return -1;
    s->views_dirty = 1; /* v_published has a column for each key */
    return csv_column(csv, "cell") >= 0 ? put_map(s, csv, file, err) : put_all(s, csv, file, err);
}

int store_published(struct store *s, const char *path, struct error *err)
{
    struct csv csv = {0};
    struct tx tx;
    if (csv_read(&csv, path, err))
        return -1;
    const char *slash = strrchr(path, '/');
    char *file = arena_strdup(&csv.arena, slash ? slash + 1 : path);
    size_t n = strlen(file);
    if (n > 4 && strcmp(file + n - 4, ".csv") == 0)
        file[n - 4] = 0;
    int rc = tx_enter(s, &tx, err);
    if (!rc)
        rc = tx_leave(s, &tx, replace(s, &csv, file, err), err);
    csv_release(&csv);
    return rc;
}
