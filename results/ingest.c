/* Writing what a run produced, whole or not at all. */
#include "results/ingest.h"
#include "results/store_internal.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <math.h>
#include <string.h>

/* ---- final metrics --------------------------------------------------------------------------- */

/* Sets the columns m<id> of the run: all that it had to NULL, then those it has now. */
static int clear_columns(struct store *s, int64_t run, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    sqlite3_stmt *st = sql_open(
        s, err,
        "SELECT n.id FROM run_metric v JOIN name n ON n.id=v.name WHERE v.run=? AND n.in_run", "i",
        run);
    int more = st ? 1 : -1, rc = 0;
    while (st && (more = sql_step(s, st, err)) > 0)
        strbuf_addf(&sql, "%sm%lld=NULL", sql.len ? ", " : "UPDATE run SET ",
                    (long long)sqlite3_column_int64(st, 0));
    sql_close(s, st);
    if (more < 0) {
        rc = -1;
    } else if (sql.len) {
        strbuf_adds(&sql, " WHERE id=?");
        rc = sql_run(s, err, sql.text, "i", run);
    }
    strbuf_release(&sql);
    return rc;
}

static int metric_statement(struct store *s, const struct store_metric *metrics, size_t count,
                            struct strbuf *sql, struct error *err)
{
    struct name name;
    for (size_t i = 0; i < count; i++) {
        if (name_get(s, NAME_METRIC, metrics[i].name, NAME_IN_RUN, &name, err))
            return -1;
        if (name.in_run)
            strbuf_addf(sql, "%sm%lld=?", sql->len ? ", " : "UPDATE run SET ", (long long)name.id);
    }
    if (sql->len)
        strbuf_adds(sql, " WHERE id=?");
    return 0;
}

static int set_columns(struct store *s, int64_t run, const struct store_metric *metrics,
                       size_t count, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    struct name name;
    int rc = metric_statement(s, metrics, count, &sql, err), at = 1;
    sqlite3_stmt *st = rc || !sql.len ? NULL : sql_open(s, err, sql.text, "");
    if (!rc && sql.len && !st)
        rc = -1;
    for (size_t i = 0; st && i < count && !rc; i++) {
        rc = name_get(s, NAME_METRIC, metrics[i].name, NAME_NO_COLUMN, &name, err);
        if (!rc && name.in_run)
            sqlite3_bind_double(st, at++, metrics[i].value);
    }
    if (st && !rc) {
        sqlite3_bind_int64(st, at, run);
        rc = sql_step(s, st, err);
    }
    sql_close(s, st);
    strbuf_release(&sql);
    return rc;
}

static int metrics_replace(struct store *s, int64_t run, const struct store_metric *metrics,
                           size_t count, struct error *err)
{
    struct name name;
    if (clear_columns(s, run, err) ||
        sql_run(s, err, "DELETE FROM run_metric WHERE run=?", "i", run) ||
        set_columns(s, run, metrics, count, err))
        return -1;
    for (size_t i = 0; i < count; i++)
        if (name_get(s, NAME_METRIC, metrics[i].name, NAME_NO_COLUMN, &name, err) ||
            sql_run(s, err, "INSERT OR REPLACE INTO run_metric VALUES(?, ?, ?)", "iid", run,
                    name.id, metrics[i].value))
            return -1;
    return 0;
}

/* ---- curves ---------------------------------------------------------------------------------- */

static int put_points(struct store *s, int64_t run, const struct store_point *points, size_t count,
                      struct error *err)
{
    struct name name = {.id = 0};
    const char *last = NULL; /* consecutive points mostly share their metric */
    sqlite3_stmt *st = sql_open(s, err, "INSERT OR REPLACE INTO curve VALUES(?, ?, ?, ?, ?)", "");
    int rc = st ? 0 : -1;
    for (size_t i = 0; i < count && !rc; i++) {
        if (!last || strcmp(last, points[i].metric) != 0)
            rc = name_get(s, NAME_METRIC, points[i].metric, NAME_NO_COLUMN, &name, err);
        last = points[i].metric;
        if (!rc)
            rc = sql_bind(s, err, st, "iiiid", run, name.id, points[i].epoch, points[i].step,
                          points[i].value);
        if (!rc)
            rc = sql_step(s, st, err);
    }
    sql_close(s, st);
    return rc;
}

int store_put_points(struct store *s, const char *id, const struct store_point *points,
                     size_t count, struct error *err)
{
    struct tx tx;
    int64_t run;
    if (tx_enter(s, &tx, err))
        return -1;
    int rc = find_run(s, id, &run, err);
    if (!rc)
        rc = put_points(s, run, points, count, err);
    return tx_leave(s, &tx, rc, err);
}

/* ---- the rest -------------------------------------------------------------------------------- */

static int put_latency(struct store *s, int64_t run, const struct store_latency *rows, size_t count,
                       struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const struct store_latency *l = &rows[i];
        if (sql_run(s, err, "INSERT INTO latency VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)",
                    "iissssnnnnfffffff", run, (int64_t)i, l->model, l->precision, l->device,
                    l->protocol, l->batch, l->threads, l->blocks, l->peak_bytes, l->p50_ms,
                    l->p90_ms, l->p99_ms, l->iqr_ms, l->mean_ms, l->min_ms, l->images_per_s))
            return -1;
    }
    return 0;
}

static int facts_put(struct store *s, int64_t run, const struct store_fact *facts, size_t count,
                     struct error *err)
{
    for (size_t i = 0; i < count; i++) {
        const char *text = facts[i].text ? facts[i].text : "";
        if (sql_run(s, err, "INSERT INTO fact_text(text) VALUES(?) ON CONFLICT DO NOTHING", "s",
                    text) ||
            sql_run(s, err,
                    "INSERT OR REPLACE INTO fact VALUES(?1, ?2, (SELECT id FROM fact_text WHERE "
                    "text=?3))",
                    "iss", run, facts[i].key, text))
            return -1;
    }
    return 0;
}

static int put_correct(struct store *s, int64_t run, const unsigned char *bits, size_t images,
                       struct error *err)
{
    if (!bits || !images)
        return 0;
    sqlite3_stmt *st = sql_open(s, err, "INSERT OR REPLACE INTO correct VALUES(?, ?, ?)", "ii", run,
                                (int64_t)images);
    if (!st)
        return -1;
    int rc = sqlite3_bind_blob64(st, 3, bits, (images + 7) / 8, SQLITE_STATIC) == SQLITE_OK
                 ? sql_step(s, st, err)
                 : sql_error(s, SQLITE_NOMEM, err);
    sql_close(s, st);
    return rc;
}

/* Removes curves, latency, facts, log and correctness. */
static int run_clear(struct store *s, int64_t run, struct error *err)
{
    static const char *const deletes[] = {
        "DELETE FROM curve WHERE run=?", "DELETE FROM latency WHERE run=?",
        "DELETE FROM fact WHERE run=?", "DELETE FROM run_log WHERE run=?",
        "DELETE FROM correct WHERE run=?"};
    for (size_t i = 0; i < sizeof deletes / sizeof *deletes; i++)
        if (sql_run(s, err, deletes[i], "i", run))
            return -1;
    return 0;
}

int result_put(struct store *s, int64_t run, const struct store_result *r, struct error *err)
{
    int64_t cell;
    if (sql_integer(s, err, &cell, "SELECT cell FROM run WHERE id=?", "i", run) < 0 ||
        run_clear(s, run, err) || metrics_replace(s, run, r->metrics, r->metric_count, err) ||
        put_points(s, run, r->points, r->point_count, err) ||
        cost_rows_replace(s, cell, r->cost_rows, r->cost_row_count, err) ||
        put_latency(s, run, r->latency, r->latency_count, err) ||
        facts_put(s, run, r->facts, r->fact_count, err) ||
        put_correct(s, run, r->correct, r->correct_images, err))
        return -1;
    if (r->log && *r->log && sql_run(s, err, "INSERT INTO run_log VALUES(?, ?)", "is", run, r->log))
        return -1;
    return 0;
}

/* ---- the run itself -------------------------------------------------------------------------- */

/* An attempt that nobody claimed (an import, a lost claim) gets its row here. */
static int close_attempt(struct store *s, int64_t run, const struct store_result *r, double started,
                         double finished, double wall_s, struct error *err)
{
    if (sql_run(s, err, "UPDATE run SET attempts=1 WHERE id=? AND attempts=0", "i", run) ||
        sql_run(s, err,
                "INSERT OR IGNORE INTO attempt(run, attempt, state, started, host)"
                " SELECT id, attempts, 'running', ?2, host FROM run WHERE id=?1",
                "if", run, started))
        return -1;
    return attempt_close(s, run, store_state_name(r->state), finished, wall_s,
                         r->cpu_s > 0 ? r->cpu_s : NAN, r->exit_code, r->message, err);
}

static int put_row(struct store *s, int64_t run, const struct store_result *r, double started,
                   double finished, double wall_s, struct error *err)
{
    return sql_run(
        s, err,
        "UPDATE run SET state=?2, started=?3, finished=?4, wall_s=?5, cpu_s=?6, exit_code=?7,"
        " message=?8 WHERE id=?1",
        "isfdffis", run, store_state_name(r->state), started, finished, wall_s,
        r->cpu_s > 0 ? r->cpu_s : NAN, (int64_t)r->exit_code, r->message);
}

static int read_start(struct store *s, int64_t run, double *started, int *done, struct error *err)
{
    sqlite3_stmt *st =
        sql_open(s, err, "SELECT started, state='done' FROM run WHERE id=?", "i", run);
    if (!st)
        return -1;
    int rc = sql_step(s, st, err);
    if (rc > 0) {
        *started = sqlite3_column_double(st, 0);
        *done = sqlite3_column_int(st, 1);
    }
    sql_close(s, st);
    return rc < 0 ? -1 : 0;
}

static int ingest(struct store *s, const char *key, const struct store_result *r, struct error *err)
{
    int64_t run;
    double started = 0;
    int done = 0;
    if (find_run(s, key, &run, err) || read_start(s, run, &started, &done, err))
        return -1;
    if (r->started > 0)
        started = r->started;
    double finished = r->finished > 0 ? r->finished : clock_unix();
    double wall_s = r->wall_s > 0 ? r->wall_s : started > 0 ? finished - started : NAN;
    if (started <= 0)
        started = isnan(wall_s) ? finished : finished - wall_s;
    /* A late failure must not hide good results; its attempt is in the ledger already. */
    if (done && r->state != STORE_DONE)
        return 0;
    if (close_attempt(s, run, r, started, finished, wall_s, err) ||
        put_row(s, run, r, started, finished, wall_s, err))
        return -1;
    return result_put(s, run, r, err);
}

int store_ingest(struct store *s, const char *id, const struct store_result *result,
                 struct error *err)
{
    struct tx tx;
    if (result->state != STORE_DONE && result->state != STORE_FAILED &&
        result->state != STORE_TIMEOUT && result->state != STORE_INTERRUPTED)
        BUG("%s is not how a run ends", store_state_name(result->state));
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, ingest(s, id, result, err), err);
}
