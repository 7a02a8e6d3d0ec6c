/* Cleaning and checking. */
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "results/views.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <string.h>
#include <sys/statvfs.h>

/* ---- gc -------------------------------------------------------------------------------------- */

static int remove_unused(struct store *s, int delete_done, struct error *err)
{
    if (sql_run(
            s, err,
            "DELETE FROM run WHERE id NOT IN (SELECT run FROM member_run) AND state <> 'running'"
            " AND (?1 OR state <> 'done')",
            "i", (int64_t)delete_done))
        return -1;
    if (sql_run(s, err,
                "DELETE FROM cell WHERE id NOT IN (SELECT cell FROM run)"
                " AND id NOT IN (SELECT cell FROM member_cell)",
                ""))
        return -1;
    return sql_run(s, err, "DELETE FROM fact_text WHERE id NOT IN (SELECT text FROM fact)", "");
}

/* VACUUM rewrites the file: no transaction may be open, and nobody else may write. */
static int compact(struct store *s, struct error *err)
{
    if (lock_take(s, err))
        return -1;
    int rc = sql_script(s, "VACUUM; PRAGMA wal_checkpoint(TRUNCATE)", err);
    lock_drop(s);
    return rc;
}

struct rows *store_gc(struct store *s, int delete_done, int dry_run, struct error *err)
{
    struct tx tx;
    if (!dry_run && tx_enter(s, &tx, err))
        return NULL;
    struct rows *r = store_query(
        s, err,
        "SELECT key AS run, state, folder FROM run WHERE id NOT IN (SELECT run FROM member_run)"
        " AND state <> 'running' AND (?1 OR state <> 'done') ORDER BY key",
        "i", (int64_t)delete_done);
    if (dry_run)
        return r;
    int rc = tx_leave(s, &tx, r ? remove_unused(s, delete_done, err) : -1, err);
    if (!rc)
        rc = compact(s, err);
    if (rc) {
        rows_free(r);
        return NULL;
    }
    return r;
}

/* ---- doctor ---------------------------------------------------------------------------------- */

struct doctor {
    struct store *s;
    struct rows *rows;
    int healthy;
};

static void report(struct doctor *d, const char *check, const char *result, int ok)
{
    struct rows_cell *cell = rows_append(d->rows);
    rows_set_text(d->rows, &cell[0], check);
    rows_set_text(d->rows, &cell[1], result);
    rows_set_integer(&cell[2], ok);
    d->healthy &= ok;
}

/* One value of a query as text; its error is a finding too. */
static void report_query(struct doctor *d, const char *check, const char *sql, const char *good)
{
    struct error err = {0};
    char text[64];
    sqlite3_stmt *st = sql_open(d->s, &err, sql, "");
    int more = st ? sql_step(d->s, st, &err) : -1;
    const char *result = more < 0 ? err.msg : more == 0 ? "none" : sql_text(st, 0);
    snprintf(text, sizeof text, "%.60s", result);
    sql_close(d->s, st);
    report(d, check, more < 0 ? err.msg : text, more >= 0 && (!good || strcmp(text, good) == 0));
}

/* Fixed in 3.51.3 and in some patch releases; the lock around writers keeps it from happening here.
 */
static void report_library(struct doctor *d)
{
    char text[200];
    int number = sqlite3_libversion_number();
    int affected = number >= 3007000 && number < 3051003 && number != 3050007;
    snprintf(text, sizeof text, "%s%s", sqlite3_libversion(),
             affected ? " (has the WAL-reset bug: held off by the lock around every write)" : "");
    report(d, "SQLite", text, 1);
}

static void report_space(struct doctor *d)
{
    struct statvfs fs;
    char text[100];
    if (statvfs(d->s->path, &fs)) {
        report(d, "free space", "unknown", 1);
        return;
    }
    double free_mb = (double)fs.f_bavail * (double)fs.f_frsize / 1e6;
    snprintf(text, sizeof text, "%.0f MB%s", free_mb, free_mb < 100 ? ": free some space" : "");
    report(d, "free space", text, free_mb >= 100);
}

/* Each is read, not only counted: a view over a column that is gone would fail here. */
static void report_views(struct doctor *d)
{
    int bad = 0, n = 0;
    struct error err = {0};
    for (; view_doc(n); n++) {
        struct strbuf sql = STRBUF_INIT;
        strbuf_addf(&sql, "SELECT * FROM %s LIMIT 0", view_doc(n)->name);
        struct rows *r = store_query(d->s, &err, sql.text, "");
        bad += r == NULL;
        rows_free(r);
        strbuf_release(&sql);
    }
    char text[40];
    snprintf(text, sizeof text, "%d", n);
    report(d, "views", bad ? err.msg : text, !bad);
}

static void report_counts(struct doctor *d)
{
    static const struct {
        const char *check, *sql;
    } counts[] = {
        {"experiments", "SELECT count(*) FROM experiment"},
        {"cells", "SELECT count(*) FROM cell"},
        {"runs", "SELECT count(*) FROM run"},
        {"runs done", "SELECT count(*) FROM run WHERE state='done'"},
        {"curve points", "SELECT count(*) FROM curve"},
        {"published numbers", "SELECT count(*) FROM published"},
        {"names without a column", "SELECT count(*) FROM name WHERE kind=0 AND NOT in_cell"},
    };
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++)
        report_query(d, counts[i].check, counts[i].sql, NULL);
    report_query(d, "merge conflicts", "SELECT count(*) FROM conflict", NULL);
}

struct rows *store_doctor(struct store *s, int *healthy, struct error *err)
{
    static const char *const names[] = {"check", "result", "ok"};
    struct doctor d = {s, rows_new(3, names), 1};
    (void)err;
    report(&d, "file", s->path, 1);
    report_library(&d);
    report_query(&d, "integrity", "PRAGMA integrity_check(1)", "ok");
    report_query(&d, "foreign keys", "SELECT count(*) FROM pragma_foreign_key_check", "0");
    report_query(&d, "format", "PRAGMA user_version", NULL);
    report_query(&d, "journal", "PRAGMA journal_mode", NULL);
    report_views(&d);
    report_query(
        &d, "done runs without metrics",
        "SELECT count(*) FROM run WHERE state='done' AND id NOT IN (SELECT run FROM run_metric)",
        NULL);
    report_counts(&d);
    report_space(&d);
    *healthy = d.healthy;
    return d.rows;
}
