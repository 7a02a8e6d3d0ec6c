/* What the files of results/ share and nobody else includes: the store itself and short ways to run
 * SQL.
 *
 * SQL here is constant text with bound parameters. The one exception are the columns that keys and
 * metrics get in the tables cell and run: they are called k<id> and m<id> after their row in the
 * table name, so no text from outside ever becomes an identifier of a table. In views names are
 * quoted by sql_quote. */
#ifndef RESULTS_STORE_INTERNAL_H
#define RESULTS_STORE_INTERNAL_H

#include "results/store.h"

#include <sqlite3.h>
#include <stdarg.h>
#include <stddef.h>

struct strbuf;

enum {
    STORE_APPLICATION_ID = 0x5654544d, /* "VTTM" at offset 68 of the file */
    STORE_VERSION = 1,                 /* user_version */
    STORE_MAX_KEYS = 1200,             /* columns of v_runs; SQLite allows 2000 in all */
    STORE_MAX_METRICS = 700,
    STORE_STATEMENTS = 64
};

enum name_kind { NAME_KEY, NAME_METRIC };

/* A configuration key or metric name; a flag says which table has a column for it. */
struct name {
    char *text;
    int64_t id;
    unsigned char kind, in_cell, in_run;
};

struct store {
    sqlite3 *db;
    char *path, *lock_path;
    enum store_mode mode;
    int lock_fd; /* open all the time, locked during a transaction; -1: flock does not work here */
    int local;   /* the file system is a local one */
    int in_transaction; /* opened by store_begin */
    int broken;         /* a writer failed inside it: it cannot be committed */
    int guarded;        /* the authorizer refuses everything but reading */
    int views_dirty;    /* names were added: v_runs and v_cells must be made again */
    char token[40];     /* of the open transaction, see store_commit */
    struct name *names; /* sorted by kind and text; a copy of the table name */
    size_t name_count, name_cap;
    int64_t names_version; /* PRAGMA data_version when they were read; -1: read them again */
    sqlite3_stmt *statements[STORE_STATEMENTS]; /* cache, by hash of the text */
};

/* ---- SQL ------------------------------------------------------------------------------------- */

/* A cached statement with its parameters bound: types as in store_query, and 'n' (int64_t, NULL if
 * -1) and 'f' (double, NULL if not finite). NULL on an error. Give it back with sql_close. */
sqlite3_stmt *sql_open(struct store *s, struct error *err, const char *sql, const char *types, ...);
int sql_bind(struct store *s, struct error *err, sqlite3_stmt *st, const char *types, ...);
/* 1 a row, 0 the end, -1 an error. */
int sql_step(struct store *s, sqlite3_stmt *st, struct error *err);
void sql_close(struct store *s, sqlite3_stmt *st);
/* Runs a statement to its end. */
int sql_run(struct store *s, struct error *err, const char *sql, const char *types, ...);
/* The first column of the first row: 1, or 0 where there is none or it is NULL, or -1. */
int sql_integer(struct store *s, struct error *err, int64_t *value, const char *sql,
                const char *types, ...);
/* Several statements without parameters. */
int sql_script(struct store *s, const char *sql, struct error *err);
/* The message for a result code of the last call: path, what went wrong, the fix. */
int sql_error(struct store *s, int rc, struct error *err);
/* Appends "name" with its quotes doubled. */
void sql_quote(struct strbuf *out, const char *name);
const char *sql_text(sqlite3_stmt *st, int column); /* "" for NULL */

/* ---- transactions ---------------------------------------------------------------------------- */

/* Around the body of every writer: opens a transaction unless one is open. tx_leave commits (rc 0)
 * or rolls back what tx_enter opened and returns rc, or -1 where the commit failed. */
struct tx {
    int owner;
};
int tx_enter(struct store *s, struct tx *tx, struct error *err);
int tx_leave(struct store *s, struct tx *tx, int rc, struct error *err);

int lock_open(struct store *s, struct error *err);
int lock_take(struct store *s, struct error *err);
void lock_drop(struct store *s);

/* ---- schema ---------------------------------------------------------------------------------- */

/* Step i leads from version i to i + 1. */
struct migration {
    const char *sql;
};
const struct migration *schema_migrations(void);
/* Creates or migrates in one transaction, after a backup where there was something. Refuses newer
 * files. */
int schema_migrate(struct store *s, const struct migration *steps, int version, struct error *err);

/* ---- names ----------------------------------------------------------------------------------- */

/* Finds or adds a name; with the column flag it also gets a column in cell or run, as long as there
 * is room (name.in_cell says so). name is a copy; its text is good until the next call. Names are
 * of [A-Za-z0-9_./@:+%-]{1,100}. */
enum name_column { NAME_NO_COLUMN, NAME_IN_CELL, NAME_IN_RUN };
int name_get(struct store *s, enum name_kind kind, const char *text, enum name_column column,
             struct name *name, struct error *err);
/* Brings s->names up to date. */
int names_load(struct store *s, struct error *err);
void names_clear(struct store *s);
int views_create(struct store *s, struct error *err);
/* The file's views are those of this program: another version may have made them differently. */
int views_current(struct store *s);

/* ---- lookups --------------------------------------------------------------------------------- */

/* Row ids by name; an unknown name is an error. */
int find_experiment(struct store *s, const char *name, int64_t *id, struct error *err);
int find_cell(struct store *s, const char *hash, int64_t *id, struct error *err);
int find_run(struct store *s, const char *key, int64_t *id, struct error *err);

#endif
