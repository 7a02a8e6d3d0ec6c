/* The names of configuration keys and metrics, and the columns that tables and views grow for them.
 * A copy of the table name is kept in memory and read again whenever another writer may have added
 * to it. */
#include "results/store_internal.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

void names_clear(struct store *s)
{
    for (size_t i = 0; i < s->name_count; i++)
        free(s->names[i].text);
    s->name_count = 0;
    s->names_version = -1;
}

/* Position of the name, or where it belongs; *found tells which. */
static size_t search(const struct store *s, enum name_kind kind, const char *text, int *found)
{
    size_t low = 0, high = s->name_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct name *n = &s->names[middle];
        int order = n->kind != kind ? (int)n->kind - (int)kind : strcmp(n->text, text);
        if (order == 0) {
            *found = 1;
            return middle;
        }
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    *found = 0;
    return low;
}

static struct name *insert(struct store *s, size_t at, struct name name)
{
    s->names = mem_grow(s->names, s->name_count, &s->name_cap, sizeof *s->names);
    memmove(s->names + at + 1, s->names + at, (s->name_count - at) * sizeof *s->names);
    s->names[at] = name;
    s->name_count++;
    return &s->names[at];
}

int names_load(struct store *s, struct error *err)
{
    int64_t version = 0;
    if (sql_integer(s, err, &version, "PRAGMA data_version", "") < 0)
        return -1;
    if (version == s->names_version)
        return 0;
    names_clear(s);
    sqlite3_stmt *st = sql_open(
        s, err, "SELECT id, kind, name, in_cell, in_run FROM name ORDER BY kind, name", "");
    if (!st)
        return -1;
    int more;
    while ((more = sql_step(s, st, err)) > 0)
        insert(s, s->name_count,
               (struct name){.id = sqlite3_column_int64(st, 0),
                             .kind = (unsigned char)sqlite3_column_int(st, 1),
                             .text = mem_strdup(sql_text(st, 2)),
                             .in_cell = (unsigned char)sqlite3_column_int(st, 3),
                             .in_run = (unsigned char)sqlite3_column_int(st, 4)});
    sql_close(s, st);
    if (!more)
        s->names_version = version;
    return more;
}

static int check_text(const struct store *s, enum name_kind kind, const char *text,
                      struct error *err)
{
    size_t n = strlen(text);
    int good = n >= 1 && n <= 100;
    for (size_t i = 0; i < n && good; i++)
        good = isascii((unsigned char)text[i]) &&
               (isalnum((unsigned char)text[i]) || strchr("_./@:+%-", text[i]));
    if (good)
        return 0;
    return error_set(err,
                     "%s: '%.100s' cannot be a %s: take 1 to 100 of A-Z a-z 0-9 _ . / @ : + %% -",
                     s->path, text, kind == NAME_KEY ? "configuration key" : "metric name");
}

static size_t count_columns(const struct store *s, enum name_kind kind)
{
    size_t n = 0;
    for (size_t i = 0; i < s->name_count; i++)
        n += s->names[i].kind == kind && (s->names[i].in_cell || s->names[i].in_run);
    return n;
}

/* Columns are k<id> ANY and m<id> REAL: numbers that we gave, never text from outside. */
static int add_column(struct store *s, struct name *name, enum name_column column,
                      struct error *err)
{
    size_t most = name->kind == NAME_KEY ? STORE_MAX_KEYS : STORE_MAX_METRICS;
    int has_one = name->in_cell || name->in_run;
    if (!has_one && count_columns(s, name->kind) >= most)
        return 0; /* kept in the long tables and the configuration text alone; doctor says so */
    struct strbuf sql = STRBUF_INIT;
    strbuf_addf(&sql, "ALTER TABLE %s ADD COLUMN %c%lld %s",
                column == NAME_IN_CELL ? "cell" : "run", name->kind == NAME_KEY ? 'k' : 'm',
                (long long)name->id, name->kind == NAME_KEY ? "ANY" : "REAL");
    int rc = sql_script(s, sql.text, err);
    strbuf_release(&sql);
    if (rc)
        return rc;
    if (column == NAME_IN_CELL)
        name->in_cell = 1;
    else
        name->in_run = 1;
    s->views_dirty = 1;
    return sql_run(s, err, "UPDATE name SET in_cell=?, in_run=? WHERE id=?", "iii",
                   (int64_t)name->in_cell, (int64_t)name->in_run, name->id);
}

int name_get(struct store *s, enum name_kind kind, const char *text, enum name_column column,
             struct name *name, struct error *err)
{
    int found;
    size_t at = search(s, kind, text, &found);
    struct name *n = found ? &s->names[at] : NULL;
    if (!n) {
        int64_t id = 0;
        if (check_text(s, kind, text, err) ||
            sql_integer(s, err, &id, "INSERT INTO name(kind, name) VALUES(?, ?) RETURNING id", "is",
                        (int64_t)kind, text) != 1)
            return -1;
        n = insert(s, at,
                   (struct name){.text = mem_strdup(text), .id = id, .kind = (unsigned char)kind});
    }
    int wanted = (column == NAME_IN_CELL && !n->in_cell) || (column == NAME_IN_RUN && !n->in_run);
    if (wanted && add_column(s, n, column, err))
        return -1;
    *name = *n;
    return 0;
}
