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

static int put_row(struct store *s, const struct csv *csv, const char *file, size_t i,
                   const int *column, struct error *err)
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
                    "sissssdssssns", file, (int64_t)csv->lines[i], f[SOURCE], f[TABLE], f[ROW],
                    f[METRIC], value, or_null(f[UNIT]), or_null(f[CONVENTION]), or_null(f[DEVICE]),
                    or_null(f[PRECISION]), batch, or_null(f[NOTE])) != 1)
        return -1;
    for (size_t c = 0; c < csv->columns; c++)
        if (!is_fixed(csv->header[c]) &&
            put_key(s, id, csv->header[c], csv_field(csv, i, (int)c), err))
            return -1;
    return 0;
}

static int put_all(struct store *s, const struct csv *csv, const char *file, const int *column,
                   struct error *err)
{
    if (sql_run(s, err, "DELETE FROM published WHERE file=?", "s", file))
        return -1;
    for (size_t i = 0; i < csv->count; i++)
        if (put_row(s, csv, file, i, column, err))
            return -1;
    s->views_dirty = 1; /* v_published has a column for each key */
    return 0;
}

int store_published(struct store *s, const char *path, struct error *err)
{
    struct csv csv = {0};
    struct tx tx;
    int column[FIXED];
    if (csv_read(&csv, path, err))
        return -1;
    const char *slash = strrchr(path, '/');
    char *file = arena_strdup(&csv.arena, slash ? slash + 1 : path);
    size_t n = strlen(file);
    if (n > 4 && strcmp(file + n - 4, ".csv") == 0)
        file[n - 4] = 0;
    int rc = check_header(&csv, column, err);
    if (!rc)
        rc = tx_enter(s, &tx, err);
    if (!rc)
        rc = tx_leave(s, &tx, put_all(s, &csv, file, column, err), err);
    csv_release(&csv);
    return rc;
}
