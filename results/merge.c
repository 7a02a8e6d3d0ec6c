/* Merging another store by key. What is here stays; what is missing comes; what contradicts is
 * recorded. */
#include "results/maintain.h"
#include "results/ingest.h"
#include "results/load.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/number.h"

#include <math.h>
#include <string.h>

struct merge {
    struct store *to, *from;
    struct merge_report *report;
};

/* ---- experiments and cells ------------------------------------------------------------------- */

/* Notes where the experiment's file here and theirs are not the same. */
static int compare_experiments(struct merge *m, int64_t ours, const struct store_experiment *e,
                               struct error *err)
{
    struct arena arena = {0};
    struct store_experiment here;
    if (load_experiment(m->to, ours, &arena, &here, err))
        return -1;
    if (here.text && e->text && strcmp(here.text, e->text) && !m->report->differing++)
        snprintf(m->report->example, sizeof m->report->example, "%s", e->name);
    arena_release(&arena);
    return 0;
}

/* An experiment that is here keeps its description; its members are united. */
static int merge_experiments(struct merge *m, struct error *err)
{
    struct rows *r = store_query(m->from, err, "SELECT id, name FROM experiment ORDER BY id", "");
    int rc = r ? 0 : -1;
    for (size_t i = 0; !rc && i < r->count; i++) {
        struct arena arena = {0};
        struct store_experiment e;
        int64_t id;
        int there = sql_integer(m->to, err, &id, "SELECT id FROM experiment WHERE name=?", "s",
                                rows_cell(r, i, 1)->text);
        rc =
            there < 0 ? -1 : load_experiment(m->from, rows_cell(r, i, 0)->integer, &arena, &e, err);
        if (!rc)
            rc = there ? compare_experiments(m, id, &e, err) : store_put_experiment(m->to, &e, err);
        m->report->experiments += !there;
        arena_release(&arena);
    }
    rows_free(r);
    return rc;
}

static int merge_cells(struct merge *m, struct error *err)
{
    struct rows *r = store_query(m->from, err, "SELECT id, hash FROM cell ORDER BY id", "");
    int rc = r ? 0 : -1;
    for (size_t i = 0; !rc && i < r->count; i++) {
        struct arena arena = {0};
        struct store_cell c;
        int64_t id;
        int there = sql_integer(m->to, err, &id, "SELECT id FROM cell WHERE hash=?", "s",
                                rows_cell(r, i, 1)->text);
        rc = there < 0 ? -1 : 0;
        if (there == 0) {
            rc = load_cell(m->from, rows_cell(r, i, 0)->integer, &arena, &c, err);
            if (!rc)
                rc = store_put_cell(m->to, &c, err);
            m->report->cells++;
        }
        arena_release(&arena);
    }
    rows_free(r);
    return rc;
}

/* Rows of (experiment, cell, position, label), then of (run, experiment). */
static int merge_members(struct merge *m, struct error *err)
{
    struct rows *cells =
        store_query(m->from, err,
                    "SELECT e.name, c.hash, m.position, m.label FROM member_cell m"
                    " JOIN experiment e ON e.id=m.experiment JOIN cell c ON c.id=m.cell",
                    "");
    struct rows *runs =
        store_query(m->from, err,
                    "SELECT r.key, e.name FROM member_run m"
                    " JOIN experiment e ON e.id=m.experiment JOIN run r ON r.id=m.run",
                    "");
    int rc = cells && runs ? 0 : -1;
    for (size_t i = 0; !rc && i < cells->count; i++) {
        const struct rows_cell *label = rows_cell(cells, i, 3);
        rc = sql_run(
            m->to, err,
            "INSERT OR IGNORE INTO member_cell SELECT e.id, c.id, ?3, ?4 FROM experiment e, cell c"
            " WHERE e.name=?1 AND c.hash=?2",
            "ssis", rows_cell(cells, i, 0)->text, rows_cell(cells, i, 1)->text,
            rows_cell(cells, i, 2)->integer, label->type == ROWS_TEXT ? label->text : NULL);
    }
    for (size_t i = 0; !rc && i < runs->count; i++)
        rc = sql_run(m->to, err,
                     "INSERT OR IGNORE INTO member_run SELECT r.id, e.id FROM experiment e, run r"
                     " WHERE r.key=?1 AND e.name=?2",
                     "ss", rows_cell(runs, i, 0)->text, rows_cell(runs, i, 1)->text);
    rows_free(cells);
    rows_free(runs);
    return rc;
}

/* ---- runs ------------------------------------------------------------------------------------ */

/* Their ledger after ours: attempts of both were hours of work. One that began there at that time
 * came already; if it was going on then, it may have ended since. */
static int merge_attempts(struct merge *m, int64_t from, int64_t to, struct error *err)
{
    struct rows *a =
        store_query(m->from, err,
                    "SELECT iif(state='running', 'stale', state), started, finished, wall_s, cpu_s,"
                    " exit_code, host, message FROM attempt WHERE run=? ORDER BY attempt",
                    "i", from);
    int rc = a ? 0 : -1;
    for (size_t i = 0; !rc && i < a->count; i++) {
        const struct rows_cell *c = rows_cell(a, i, 0);
        const char *host = c[6].type == ROWS_TEXT ? c[6].text : NULL;
        int64_t exit_code = c[5].type == ROWS_INTEGER ? c[5].integer : -1, at;
        double started = rows_number(&c[1]);
        rc = sql_integer(m->to, err, &at,
                         "SELECT attempt FROM attempt WHERE run=? AND started IS ? AND host IS ?"
                         " AND NOT (state='stale' AND finished IS NULL)",
                         "ifs", to, started, host);
        if (rc == 0)
            rc = sql_run(m->to, err,
                         "INSERT OR REPLACE INTO attempt SELECT ?1,"
                         " coalesce((SELECT attempt FROM attempt WHERE run=?1 AND started IS ?3"
                         "           AND host IS ?8),"
                         "          (SELECT 1 + max(attempt) FROM attempt WHERE run=?1), 1),"
                         " ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9",
                         "isffffnss", to, c[0].text, started, rows_number(&c[2]),
                         rows_number(&c[3]), rows_number(&c[4]), exit_code, host,
                         c[7].type == ROWS_TEXT ? c[7].text : NULL);
        rc = rc < 0 ? -1 : 0;
    }
    rows_free(a);
    return rc ? -1
              : sql_run(m->to, err,
                        "UPDATE run SET attempts=max(attempts, coalesce((SELECT max(attempt) FROM"
                        " attempt WHERE run=?1), 0)) WHERE id=?1",
                        "i", to);
}

/* A state that makes sense away from the machine that held it. */
static const char *settled(const char *state)
{
    if (strcmp(state, "running") == 0)
        return "stale";
    return strcmp(state, "queued") == 0 ? "planned" : state;
}

/* Their run's row, with its results. Their folder is on another disk: it is not taken. */
static int copy_run(struct merge *m, int64_t from, int64_t to, const char *state, struct error *err)
{
    struct arena arena = {0};
    struct store_result r;
    struct rows *row = store_query(m->from, err, "SELECT host FROM run WHERE id=?", "i", from);
    int rc = row && row->count ? load_result(m->from, from, &arena, &r, err) : -1;
    if (!rc)
        rc = result_put(m->to, to, &r, err);
    if (!rc)
        rc = sql_run(
            m->to, err,
            "UPDATE run SET state=?2, started=?3, finished=?4, wall_s=?5, cpu_s=?6, exit_code=?7,"
            " message=?8, host=?9, pid=NULL, pid_start=NULL, boot=NULL WHERE id=?1",
            "isffffnss", to, settled(state), r.started, r.finished, r.wall_s, r.cpu_s,
            (int64_t)r.exit_code, r.message,
            rows_cell(row, 0, 0)->type == ROWS_TEXT ? rows_cell(row, 0, 0)->text : NULL);
    rows_free(row);
    arena_release(&arena);
    return rc;
}

/* Times and speeds, whose names end in their unit, differ between any two measurements: they are no
 * contradiction. Nor is memory, which depends on the machine. */
static int is_measured(const char *metric)
{
    static const char *const units[] = {"_s", "_ms", "/fps"};
    size_t n = strlen(metric);
    for (size_t i = 0; i < sizeof units / sizeof *units; i++)
        if (n > strlen(units[i]) && !strcmp(metric + n - strlen(units[i]), units[i]))
            return 1;
    return strncmp(metric, "latency/", 8) == 0 || strncmp(metric, "throughput/", 11) == 0 ||
           strncmp(metric, "memory/", 7) == 0 || strncmp(metric, "time/", 5) == 0;
}

static struct rows *final_metrics(struct store *s, int64_t run, struct error *err)
{
    return store_query(s, err,
                       "SELECT n.name, v.value FROM run_metric v JOIN name n ON n.id=v.name WHERE "
                       "v.run=? ORDER BY n.name",
                       "i", run);
}

static int put_conflict(struct merge *m, const char *run, const char *item,
                        const struct rows_cell *ours, const struct rows_cell *theirs,
                        struct error *err)
{
    char a[32] = "absent", b[32] = "absent";
    if (ours)
        number_format(rows_number(ours), a);
    if (theirs)
        number_format(rows_number(theirs), b);
    return sql_run(m->to, err, "INSERT OR IGNORE INTO conflict VALUES(?, ?, ?, ?, ?, ?)", "sssssd",
                   run, item, a, b, m->from->path, clock_unix());
}

static int same_number(const struct rows_cell *a, const struct rows_cell *b)
{
    double x = rows_number(a), y = rows_number(b);
    return x == y || (isnan(x) && isnan(y));
}

/* Returns the number of final metrics that differ, or -1. Both lists are sorted by name. */
static int compare_runs(struct merge *m, const char *key, int64_t from, int64_t to,
                        struct error *err)
{
    struct rows *a = final_metrics(m->to, to, err), *b = final_metrics(m->from, from, err);
    int rc = a && b ? 0 : -1, differences = 0;
    for (size_t i = 0, k = 0; !rc && (i < a->count || k < b->count);) {
        int order = i == a->count   ? 1
                    : k == b->count ? -1
                                    : strcmp(rows_cell(a, i, 0)->text, rows_cell(b, k, 0)->text);
        const char *name = order <= 0 ? rows_cell(a, i, 0)->text : rows_cell(b, k, 0)->text;
        const struct rows_cell *x = order <= 0 ? rows_cell(a, i, 1) : NULL;
        const struct rows_cell *y = order >= 0 ? rows_cell(b, k, 1) : NULL;
        if (!is_measured(name) && !(x && y && same_number(x, y))) {
            rc = put_conflict(m, key, name, x, y, err);
            differences++;
        }
        i += order <= 0;
        k += order >= 0;
    }
    rows_free(a);
    rows_free(b);
    return rc ? -1 : differences;
}

static int merge_tags(struct merge *m, int64_t from, int64_t to, struct error *err)
{
    struct rows *r = store_query(m->from, err, "SELECT text FROM tag WHERE run=?", "i", from);
    int rc = r ? 0 : -1;
    for (size_t i = 0; !rc && i < r->count; i++)
        rc = sql_run(m->to, err, "INSERT OR IGNORE INTO tag VALUES(?, ?)", "is", to,
                     rows_cell(r, i, 0)->text);
    rows_free(r);
    return rc;
}

static int merge_run(struct merge *m, const struct rows_cell *c, struct error *err)
{
    const char *key = c[1].text, *state = c[5].text;
    int64_t from = c[0].integer, to, done = 0;
    int there = sql_integer(m->to, err, &to, "SELECT id FROM run WHERE key=?", "s", key);
    if (there < 0)
        return -1;
    if (there == 0) {
        if (store_put_run(m->to, c[6].type == ROWS_TEXT ? c[6].text : NULL, c[2].text, c[3].integer,
                          c[4].text, NULL, err) ||
            find_run(m->to, key, &to, err) || copy_run(m, from, to, state, err))
            return -1;
        m->report->runs++;
    } else if (sql_integer(m->to, err, &done, "SELECT state='done' FROM run WHERE id=?", "i", to) <
               0) {
        return -1;
    }
    if (merge_tags(m, from, to, err) || merge_attempts(m, from, to, err))
        return -1;
    if (there == 0)
        return 0;
    int theirs_done = strcmp(state, "done") == 0;
    if (theirs_done && !done) {
        m->report->replaced++;
        return copy_run(m, from, to, state, err);
    }
    int differences = theirs_done ? compare_runs(m, key, from, to, err) : 0;
    m->report->conflicts += differences > 0;
    m->report->same += differences == 0;
    return differences < 0 ? -1 : 0;
}

static int merge_runs(struct merge *m, struct error *err)
{
    struct rows *r =
        store_query(m->from, err,
                    "SELECT r.id, r.key, c.hash, r.seed, r.device, r.state, e.name FROM run r"
                    " JOIN cell c ON c.id=r.cell LEFT JOIN experiment e ON e.id=r.origin"
                    " ORDER BY r.id",
                    "");
    int rc = r ? 0 : -1;
    for (size_t i = 0; !rc && i < r->count; i++)
        rc = merge_run(m, rows_cell(r, i, 0), err);
    rows_free(r);
    return rc;
}

/* ---- published numbers ----------------------------------------------------------------------- */

/* Every row of the statement over there, into the one here. */
static int copy_rows(struct merge *m, sqlite3_stmt *from, const char *insert, struct error *err)
{
    sqlite3_stmt *to = from ? sql_open(m->to, err, insert, "") : NULL;
    int rc = to ? 1 : -1;
    while (rc > 0 && (rc = sql_step(m->from, from, err)) > 0) {
        sqlite3_reset(to);
        for (int i = 0; rc > 0 && i < sqlite3_column_count(from); i++) {
            int bound = sqlite3_bind_value(to, i + 1, sqlite3_column_value(from, i));
            rc = bound == SQLITE_OK ? 1 : sql_error(m->to, bound, err);
        }
        if (rc > 0)
            rc = sql_step(m->to, to, err) < 0 ? -1 : 1;
    }
    if (to)
        sql_close(m->to, to);
    if (from)
        sql_close(m->from, from);
    return rc;
}

/* The numbers of a file that this store has not: ids follow ours. */
static int copy_published(struct merge *m, const char *file, struct error *err)
{
    int64_t most;
    if (sql_integer(m->to, err, &most, "SELECT coalesce(max(id), 0) FROM published", "") < 0)
        return -1;
    m->to->views_dirty = 1; /* v_published has a column for each key */
    sqlite3_stmt *numbers =
        sql_open(m->from, err,
                 "SELECT id + ?2, file, line, source, \"table\", row, metric, value, unit,"
                 " convention, device, precision, batch, note FROM published WHERE file=?1",
                 "si", file, most);
    if (copy_rows(m, numbers, "INSERT INTO published VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?)", err))
        return -1;
    sqlite3_stmt *keys = sql_open(m->from, err,
                                  "SELECT k.published + ?2, k.key, k.value FROM published_key k"
                                  " JOIN published p ON p.id=k.published WHERE p.file=?1",
                                  "si", file, most);
    return copy_rows(m, keys, "INSERT INTO published_key VALUES(?,?,?)", err);
}

static int merge_published(struct merge *m, struct error *err)
{
    struct rows *r = store_query(m->from, err, "SELECT DISTINCT file FROM published", "");
    int rc = r ? 0 : -1;
    for (size_t i = 0; !rc && i < r->count; i++) {
        const char *file = rows_cell(r, i, 0)->text;
        int64_t id;
        int there = sql_integer(m->to, err, &id, "SELECT id FROM published WHERE file=? LIMIT 1",
                                "s", file);
        rc = there < 0 ? -1 : there ? 0 : copy_published(m, file, err);
    }
    rows_free(r);
    return rc;
}

/* ---- all ------------------------------------------------------------------------------------- */

static int check(struct store *from, struct error *err)
{
    sqlite3_stmt *st = sql_open(from, err, "PRAGMA quick_check(1)", "");
    if (!st)
        return -1;
    int rc = sql_step(from, st, err);
    if (rc > 0 && strcmp(sql_text(st, 0), "ok") != 0)
        rc = error_env(err, "%s: the file is damaged (%s): nothing was merged from it", from->path,
                       sql_text(st, 0));
    sql_close(from, st);
    return rc < 0 ? -1 : 0;
}

static int merge_all(struct merge *m, struct error *err)
{
    struct tx tx;
    if (tx_enter(m->to, &tx, err))
        return -1;
    int rc = merge_experiments(m, err) || merge_cells(m, err) || merge_runs(m, err) ||
                     merge_members(m, err) || merge_published(m, err)
                 ? -1
                 : 0;
    return tx_leave(m->to, &tx, rc, err);
}

int store_merge(struct store *s, const char *other, struct merge_report *report, struct error *err)
{
    *report = (struct merge_report){0};
    struct store *from = store_open(other, STORE_READ, err);
    if (!from)
        return -1;
    struct merge m = {s, from, report};
    int rc = strcmp(from->path, s->path) == 0
                 ? error_set(err, "%s: cannot be merged into itself", other)
                 : check(from, err);
    /* One state of the other file, whatever is written to it meanwhile. */
    if (!rc)
        rc = sql_script(from, "BEGIN", err);
    if (!rc)
        rc = merge_all(&m, err);
    store_close(from);
    if (rc)
        *report = (struct merge_report){0};
    return rc;
}

struct rows *store_conflicts(struct store *s, struct error *err)
{
    return store_query(
        s, err, "SELECT run, item, ours, theirs, source FROM conflict ORDER BY run, item", "");
}
