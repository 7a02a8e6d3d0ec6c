/* Reading with SQL, and nothing but reading. */
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "results/views.h"
#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>

/* ---- the nearest column ---------------------------------------------------------------------- */

static const char *column_at(const void *context, int i)
{
    const struct rows *r = context;
    return (size_t)i < r->count ? rows_cell(r, (size_t)i, 0)->text : NULL;
}

static const char *view_at(const void *context, int i)
{
    (void)context;
    return view_doc(i) ? view_doc(i)->name : NULL;
}

/* As they must be written. */
static void suggest_column(struct store *s, const char *name, struct strbuf *hint)
{
    const char *near[CONFIG_NEAR];
    int quoted = 0;
    struct rows *columns = views_columns(s, "v_runs", NULL);
    int n = columns ? config_near(name, column_at, columns, near) : 0;
    for (int i = 0; i < n; i++) {
        int quote = strpbrk(near[i], "./") != NULL;
        const char *mark = quote ? "\"" : "";
        strbuf_addf(hint, "%s%s%s%s",
                    i == 0       ? " (did you mean "
                    : i + 1 == n ? " or "
                                 : ", ",
                    mark, near[i], mark);
        quoted |= quote;
    }
    strbuf_adds(hint, n == 0 ? "" : quoted ? "? names with . or / need double quotes)" : "?)");
    rows_free(columns);
}

/* "no such column: val/topp1" gets the nearest of v_runs; a view likewise. */
static void suggest(struct store *s, const char *message, struct strbuf *hint)
{
    static const char no_column[] = "no such column: ", no_table[] = "no such table: ";
    if (strncmp(message, no_table, sizeof no_table - 1) == 0)
        config_hint(hint, message + sizeof no_table - 1, view_at, NULL);
    else if (strncmp(message, no_column, sizeof no_column - 1) == 0)
        suggest_column(s, message + sizeof no_column - 1, hint);
}

/* ---- running --------------------------------------------------------------------------------- */

static int usage_error(struct store *s, int rc, struct error *err)
{
    char message[500];
    struct strbuf hint = STRBUF_INIT;
    if ((rc & 0xff) == SQLITE_AUTH)
        return error_set(
            err, "the query may only read: one SELECT over the views (`vittm views` lists them)");
    if ((rc & 0xff) != SQLITE_ERROR && (rc & 0xff) != SQLITE_MISMATCH &&
        (rc & 0xff) != SQLITE_TOOBIG)
        return sql_error(s, rc, err);
    snprintf(message, sizeof message, "%s", sqlite3_errmsg(s->db));
    s->guarded = 0;
    suggest(s, message, &hint);
    error_set(err, "SQL: %s%s", message, hint.text);
    strbuf_release(&hint);
    return -1;
}

static int is_blank(const char *sql)
{
    while (isspace((unsigned char)*sql) || *sql == ';')
        sql++;
    return *sql == 0 || strncmp(sql, "--", 2) == 0;
}

static void read_cell(struct rows *r, struct rows_cell *cell, sqlite3_stmt *st, int column)
{
    switch (sqlite3_column_type(st, column)) {
    case SQLITE_INTEGER:
        rows_set_integer(cell, sqlite3_column_int64(st, column));
        break;
    case SQLITE_FLOAT:
        rows_set_real(cell, sqlite3_column_double(st, column));
        break;
    case SQLITE_TEXT:
        rows_set_text(r, cell, sql_text(st, column));
        break;
    case SQLITE_BLOB:
        rows_set_format(r, cell, "(%d bytes)", sqlite3_column_bytes(st, column));
        break;
    default:
        break;
    }
}

static struct rows *read_all(struct store *s, sqlite3_stmt *st, struct error *err)
{
    int columns = sqlite3_column_count(st);
    struct arena names_arena = {0};
    const char **names = ARENA_ARRAY(&names_arena, const char *, columns);
    for (int i = 0; i < columns; i++)
        names[i] = arena_strdup(&names_arena, sqlite3_column_name(st, i));
    struct rows *r = rows_new((size_t)columns, names);
    arena_release(&names_arena);
    int rc;
    while ((rc = sqlite3_step(st)) == SQLITE_ROW) {
        struct rows_cell *cell = rows_append(r);
        for (int i = 0; i < columns; i++)
            read_cell(r, &cell[i], st, i);
    }
    if (rc == SQLITE_DONE)
        return r;
    usage_error(s, rc, err);
    rows_free(r);
    return NULL;
}

static sqlite3_stmt *prepare(struct store *s, const char *sql, struct error *err)
{
    sqlite3_stmt *st = NULL;
    const char *tail = "";
    int rc = sqlite3_prepare_v2(s->db, sql, -1, &st, &tail);
    if (rc != SQLITE_OK) {
        usage_error(s, rc, err);
    } else if (!st) {
        error_set(err, "SQL: there is no statement: write a SELECT over the views");
    } else if (!sqlite3_stmt_readonly(st)) {
        usage_error(s, SQLITE_AUTH, err);
        sqlite3_finalize(st);
        st = NULL;
    } else if (!is_blank(tail)) {
        error_set(err, "SQL: one statement only: '%.40s' follows it", tail);
        sqlite3_finalize(st);
        st = NULL;
    }
    return st;
}

static struct rows *query(struct store *s, struct error *err, const char *sql, const char *types,
                          va_list ap)
{
    int was_guarded = s->guarded;
    struct rows *r = NULL;
    s->guarded = 1;
    sqlite3_stmt *st = prepare(s, sql, err);
    if (st) {
        int i = 0, rc = SQLITE_OK;
        va_list rest;
        va_copy(rest, ap);
        for (; types[i] && rc == SQLITE_OK; i++) {
            if (types[i] == 's')
                rc = sqlite3_bind_text(st, i + 1, va_arg(rest, const char *), -1, SQLITE_TRANSIENT);
            else if (types[i] == 'i')
                rc = sqlite3_bind_int64(st, i + 1, va_arg(rest, int64_t));
            else if (types[i] == 'd')
                rc = sqlite3_bind_double(st, i + 1, va_arg(rest, double));
            else
                BUG("unknown type letter %c", types[i]);
        }
        va_end(rest);
        if (rc == SQLITE_OK)
            r = read_all(s, st, err);
        else
            sql_error(s, rc, err);
        s->guarded = 1;
        sqlite3_finalize(st);
    }
    s->guarded = was_guarded;
    return r;
}

struct rows *store_query(struct store *s, struct error *err, const char *sql, const char *types,
                         ...)
{
    va_list ap;
    va_start(ap, types);
    struct rows *r = query(s, err, sql, types, ap);
    va_end(ap);
    return r;
}

int store_query_integer(struct store *s, struct error *err, long long *value, const char *sql,
                        const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    struct rows *r = query(s, err, sql, types, ap);
    va_end(ap);
    if (!r)
        return -1;
    int found = r->count > 0 && r->columns > 0 && rows_cell(r, 0, 0)->type != ROWS_NULL;
    if (found)
        *value = (long long)rows_number(rows_cell(r, 0, 0));
    rows_free(r);
    return found;
}
