/* Short ways to run SQL: statements are prepared once and kept, parameters are bound by type
 * letters. */
#include "results/store_internal.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/strbuf.h"

#include <errno.h>
#include <math.h>
#include <string.h>

int sql_error(struct store *s, int rc, struct error *err)
{
    int system_error = sqlite3_system_errno(s->db);
    const char *text = sqlite3_errmsg(s->db);
    switch (rc & 0xff) {
    case SQLITE_FULL:
        return error_env(err, "%s: the disk is full: free some space and run the command again",
                         s->path);
    case SQLITE_IOERR:
        text = system_error ? strerror(system_error) : text;
        if (rc == SQLITE_IOERR_READ || rc == SQLITE_IOERR_SHORT_READ)
            return error_env(err, "%s: cannot read the file: %s", s->path, text);
        return error_env(err, "%s: cannot write the file: %s (is the disk or a quota full?)",
                         s->path, text);
    case SQLITE_CORRUPT:
        return error_env(err, "%s: the file is damaged (%s): restore a copy or a backup", s->path,
                         text);
    case SQLITE_NOTADB:
        return error_env(err, "%s: is not a vittm database: choose another path with --db",
                         s->path);
    case SQLITE_READONLY:
    case SQLITE_PERM:
        return error_env(err,
                         "%s: cannot be written: check the permissions of the file and its folder",
                         s->path);
    case SQLITE_CANTOPEN:
        return error_env(
            err, "%s: cannot be opened%s%s: check that its folder exists and is writable", s->path,
            system_error ? ": " : "", system_error ? strerror(system_error) : "");
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return error_env(err, "%s: another program has been writing for over a minute: close it",
                         s->path);
    case SQLITE_NOMEM:
        return error_env(err, "%s: out of memory", s->path);
    default:
        return error_env(err, "%s: %s", s->path, text);
    }
}

static int bind_one(sqlite3_stmt *st, int i, char type, va_list *ap)
{
    switch (type) {
    case 's': {
        const char *text = va_arg(*ap, const char *);
        return text ? sqlite3_bind_text(st, i, text, -1, SQLITE_TRANSIENT)
                    : sqlite3_bind_null(st, i);
    }
    case 'i':
        return sqlite3_bind_int64(st, i, va_arg(*ap, int64_t));
    case 'n': {
        int64_t value = va_arg(*ap, int64_t);
        return value == -1 ? sqlite3_bind_null(st, i) : sqlite3_bind_int64(st, i, value);
    }
    case 'd':
        return sqlite3_bind_double(st, i, va_arg(*ap, double));
    case 'f': {
        double value = va_arg(*ap, double);
        return isfinite(value) ? sqlite3_bind_double(st, i, value) : sqlite3_bind_null(st, i);
    }
    default:
        BUG("unknown type letter %c", type);
    }
}

static int bind_all(struct store *s, struct error *err, sqlite3_stmt *st, const char *types,
                    va_list ap)
{
    va_list rest;
    va_copy(rest, ap);
    int rc = SQLITE_OK;
    for (int i = 0; types[i] && rc == SQLITE_OK; i++)
        rc = bind_one(st, i + 1, types[i], &rest);
    va_end(rest);
    return rc == SQLITE_OK ? 0 : sql_error(s, rc, err);
}

int sql_bind(struct store *s, struct error *err, sqlite3_stmt *st, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_reset(st);
    int rc = bind_all(s, err, st, types, ap);
    va_end(ap);
    return rc;
}

/* A statement leaves the cache while it is in use, so the same text may be open twice. */
static sqlite3_stmt **slot(struct store *s, const char *sql)
{
    return &s->statements[rng_hash(sql) % STORE_STATEMENTS];
}

static sqlite3_stmt *sql_vopen(struct store *s, struct error *err, const char *sql,
                               const char *types, va_list ap)
{
    sqlite3_stmt **kept = slot(s, sql), *st = NULL;
    if (*kept && strcmp(sqlite3_sql(*kept), sql) == 0) {
        st = *kept;
        *kept = NULL;
    } else {
        int rc = sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, &st, NULL);
        if (rc != SQLITE_OK) {
            sql_error(s, rc, err);
            return NULL;
        }
    }
    if (bind_all(s, err, st, types, ap)) {
        sql_close(s, st);
        return NULL;
    }
    return st;
}

sqlite3_stmt *sql_open(struct store *s, struct error *err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *st = sql_vopen(s, err, sql, types, ap);
    va_end(ap);
    return st;
}

void sql_close(struct store *s, sqlite3_stmt *st)
{
    if (!st)
        return;
    sqlite3_reset(st);
    sqlite3_clear_bindings(st);
    sqlite3_stmt **kept = slot(s, sqlite3_sql(st));
    if (*kept)
        sqlite3_finalize(*kept);
    *kept = st;
}

int sql_step(struct store *s, sqlite3_stmt *st, struct error *err)
{
    int rc = sqlite3_step(st);
    if (rc == SQLITE_ROW)
        return 1;
    return rc == SQLITE_DONE ? 0 : sql_error(s, rc, err);
}

int sql_run(struct store *s, struct error *err, const char *sql, const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *st = sql_vopen(s, err, sql, types, ap);
    va_end(ap);
    if (!st)
        return -1;
    int more;
    do
        more = sql_step(s, st, err);
    while (more > 0);
    sql_close(s, st);
    return more;
}

int sql_integer(struct store *s, struct error *err, int64_t *value, const char *sql,
                const char *types, ...)
{
    va_list ap;
    va_start(ap, types);
    sqlite3_stmt *st = sql_vopen(s, err, sql, types, ap);
    va_end(ap);
    if (!st)
        return -1;
    int rc = sql_step(s, st, err);
    if (rc > 0 && sqlite3_column_type(st, 0) == SQLITE_NULL)
        rc = 0;
    else if (rc > 0)
        *value = sqlite3_column_int64(st, 0);
    sql_close(s, st);
    return rc;
}

int sql_script(struct store *s, const char *sql, struct error *err)
{
    int rc = sqlite3_exec(s->db, sql, NULL, NULL, NULL);
    return rc == SQLITE_OK ? 0 : sql_error(s, rc, err);
}

void sql_quote(struct strbuf *out, const char *name)
{
    strbuf_addc(out, '"');
    for (; *name; name++) {
        if (*name == '"')
            strbuf_addc(out, '"');
        strbuf_addc(out, *name);
    }
    strbuf_addc(out, '"');
}

const char *sql_text(sqlite3_stmt *st, int column)
{
    const unsigned char *text = sqlite3_column_text(st, column);
    return text ? (const char *)text : "";
}
