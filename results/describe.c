/* Writing what is asked for: experiments, cells, membership. Runs are in runs.c, their results in
 * ingest.c. */
#include "results/ingest.h"
#include "results/store_internal.h"
#include "results/query.h"
#include "results/rows.h"
#include "base/clock.h"
#include "base/config.h"
#include "base/error.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <math.h>
#include <string.h>

static const char *experiment_at(const void *context, int i)
{
    const struct rows *r = context;
    return (size_t)i < r->count ? rows_cell(r, (size_t)i, 0)->text : NULL;
}

/* People also give the file, whose stem is the name mostly. */
static int no_experiment(struct store *s, const char *typed, struct error *err)
{
    const char *slash = strrchr(typed, '/'), *start = slash ? slash + 1 : typed;
    size_t n = strlen(start);
    struct strbuf stem = STRBUF_INIT;
    strbuf_add(&stem, start, n > 5 && strcmp(start + n - 5, ".yaml") == 0 ? n - 5 : n);
    struct rows *known = store_query(s, err, "SELECT name FROM experiment ORDER BY name", "");
    if (known) {
        const char *near = config_nearest(stem.text, experiment_at, known);
        error_set(err, "%s: has no experiment %s%s%s%s", s->path, typed,
                  near ? " (did you mean " : " (`vittm status` lists them", near ? near : "",
                  near ? "?)" : ")");
    }
    rows_free(known);
    strbuf_release(&stem);
    return -1;
}

int find_experiment(struct store *s, const char *name, int64_t *id, struct error *err)
{
    int rc = sql_integer(s, err, id, "SELECT id FROM experiment WHERE name=?", "s", name);
    if (rc == 0)
        return no_experiment(s, name, err);
    return rc < 0 ? -1 : 0;
}

int store_check_experiment(struct store *s, const char *name, struct error *err)
{
    int64_t id;
    return find_experiment(s, name, &id, err);
}

int find_cell(struct store *s, const char *hash, int64_t *id, struct error *err)
{
    int rc = sql_integer(s, err, id, "SELECT id FROM cell WHERE hash=?", "s", hash);
    if (rc == 0)
        return error_set(err, "%s: has no cell %s", s->path, hash);
    return rc < 0 ? -1 : 0;
}

/* ---- experiments ----------------------------------------------------------------------------- */

/* Numbers are stored as numbers, so that SQL compares them as such. */
static int bind_value(sqlite3_stmt *st, int i, const struct store_value *v)
{
    int64_t integer;
    double real;
    if (v->type == STORE_INTEGER && number_int(v->text, &integer) == 0)
        return sqlite3_bind_int64(st, i, integer);
    if (v->type == STORE_REAL && number_float(v->text, &real) == 0)
        return sqlite3_bind_double(st, i, real);
    return sqlite3_bind_text(st, i, v->text, -1, SQLITE_TRANSIENT);
}

static int put_baseline(struct store *s, int64_t id, const struct store_experiment *e,
                        struct error *err)
{
    sqlite3_stmt *st =
        sql_open(s, err, "INSERT OR REPLACE INTO experiment_baseline VALUES(?, ?, ?)", "");
    int rc = st ? 0 : -1;
    for (size_t i = 0; i < e->baseline_count && !rc; i++) {
        rc = sql_bind(s, err, st, "is", id, e->baseline[i].key);
        if (!rc && bind_value(st, 3, &e->baseline[i]) != SQLITE_OK)
            rc = sql_error(s, SQLITE_NOMEM, err);
        if (!rc)
            rc = sql_step(s, st, err);
    }
    sql_close(s, st);
    return rc;
}

static int put_lists(struct store *s, int64_t id, const struct store_experiment *e,
                     struct error *err)
{
    if (sql_run(s, err, "DELETE FROM experiment_axis WHERE experiment=?", "i", id) ||
        sql_run(s, err, "DELETE FROM experiment_baseline WHERE experiment=?", "i", id) ||
        sql_run(s, err, "DELETE FROM experiment_objective WHERE experiment=?", "i", id))
        return -1;
    for (size_t i = 0; i < e->axis_count; i++)
        if (sql_run(s, err, "INSERT INTO experiment_axis VALUES(?, ?, ?)", "iis", id, (int64_t)i,
                    e->axes[i]))
            return -1;
    for (size_t i = 0; i < e->objective_count; i++)
        if (sql_run(s, err, "INSERT INTO experiment_objective VALUES(?, ?, ?, ?)", "iisi", id,
                    (int64_t)i, e->objectives[i].metric, (int64_t)(e->objectives[i].maximize != 0)))
            return -1;
    return put_baseline(s, id, e, err);
}

/* Names end up in paths of figures and reports. */
static int check_name(const struct store *s, const char *name, struct error *err)
{
    size_t n = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789._-");
    if (n < 1 || n > 64 || name[n] || strchr("._-", *name))
        return error_set(
            err,
            "%s: '%.80s' cannot be an experiment's name: take 1 to 64 of A-Z a-z 0-9 . _ -,"
            " beginning with a letter or digit",
            s->path, name);
    return 0;
}

static int put_experiment(struct store *s, const struct store_experiment *e, struct error *err)
{
    int64_t id;
    if (check_name(s, e->name, err))
        return -1;
    if (sql_run(s, err,
                "INSERT INTO experiment(name, title, file, text, published, changed) "
                "VALUES(?,?,?,?,?,?)"
                " ON CONFLICT(name) DO UPDATE SET title=excluded.title, file=excluded.file,"
                " text=excluded.text, published=excluded.published, changed=excluded.changed",
                "sssssd", e->name, e->title, e->file, e->text, e->published, clock_unix()) ||
        find_experiment(s, e->name, &id, err))
        return -1;
    return put_lists(s, id, e, err);
}

int store_put_experiment(struct store *s, const struct store_experiment *e, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, put_experiment(s, e, err), err);
}

/* ---- cells ----------------------------------------------------------------------------------- */

/* INSERT INTO cell(hash, created, k1, k7, m3) … for the columns that these names have. Cells of one
 * experiment mostly share this text, and so one prepared statement. */
static int cell_statement(struct store *s, const struct store_cell *c, struct strbuf *sql,
                          struct error *err)
{
    struct strbuf update = STRBUF_INIT;
    struct name name;
    size_t columns = 0;
    int rc = 0;
    strbuf_adds(sql, "INSERT INTO cell(hash, created");
    for (size_t i = 0; i < c->value_count + c->cost_count && !rc; i++) {
        int key = i < c->value_count;
        rc = name_get(s, key ? NAME_KEY : NAME_METRIC,
                      key ? c->values[i].key : c->costs[i - c->value_count].name, NAME_IN_CELL,
                      &name, err);
        if (rc || !name.in_cell)
            continue;
        strbuf_addf(sql, ", %c%lld", key ? 'k' : 'm', (long long)name.id);
        strbuf_addf(&update, ", %c%lld=excluded.%c%lld", key ? 'k' : 'm', (long long)name.id,
                    key ? 'k' : 'm', (long long)name.id);
        columns++;
    }
    strbuf_adds(sql, ") VALUES(?, ?");
    for (size_t i = 0; i < columns; i++)
        strbuf_adds(sql, ", ?");
    strbuf_addf(sql, ") ON CONFLICT(hash) DO UPDATE SET hash=excluded.hash%s", update.text);
    strbuf_release(&update);
    return rc;
}

static int put_columns(struct store *s, const struct store_cell *c, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    struct name name;
    if (cell_statement(s, c, &sql, err)) {
        strbuf_release(&sql);
        return -1;
    }
    sqlite3_stmt *st = sql_open(s, err, sql.text, "sd", c->id, clock_unix());
    strbuf_release(&sql);
    int at = 3, rc = st ? 0 : -1;
    for (size_t i = 0; i < c->value_count && !rc; i++) {
        rc = name_get(s, NAME_KEY, c->values[i].key, NAME_NO_COLUMN, &name, err);
        if (!rc && name.in_cell)
            bind_value(st, at++, &c->values[i]);
    }
    for (size_t i = 0; i < c->cost_count && !rc; i++) {
        rc = name_get(s, NAME_METRIC, c->costs[i].name, NAME_NO_COLUMN, &name, err);
        if (!rc && name.in_cell)
            sqlite3_bind_double(st, at++, c->costs[i].value);
    }
    if (!rc)
        rc = sql_step(s, st, err);
    sql_close(s, st);
    return rc;
}

static int put_costs(struct store *s, int64_t cell, const struct store_cell *c, struct error *err)
{
    struct name name;
    for (size_t i = 0; i < c->cost_count; i++)
        if (name_get(s, NAME_METRIC, c->costs[i].name, NAME_NO_COLUMN, &name, err) ||
            sql_run(s, err, "INSERT OR REPLACE INTO cell_metric VALUES(?, ?, ?)", "iid", cell,
                    name.id, c->costs[i].value))
            return -1;
    return 0;
}

int cost_rows_replace(struct store *s, int64_t cell, const struct store_cost *rows, size_t count,
                      struct error *err)
{
    if (count == 0)
        return 0;
    if (sql_run(s, err, "DELETE FROM cost WHERE cell=?", "i", cell))
        return -1;
    for (size_t i = 0; i < count; i++) {
        const struct store_cost *r = &rows[i];
        if (sql_run(s, err, "INSERT OR REPLACE INTO cost VALUES(?,?,?,?,?,?,?,?,?,?,?)",
                    "issinnnnnnn", cell, r->by, r->name, (int64_t)i, r->calls, r->params, r->macs,
                    r->macs_fvcore, r->flops, r->bytes_read, r->bytes_written))
            return -1;
    }
    return 0;
}

static int check_id(const struct store *s, const char *id, struct error *err)
{
    size_t n = strspn(id, "0123456789abcdefghijklmnopqrstuvwxyz");
    if (n < 1 || n > 64 || id[n])
        return error_set(err, "%s: '%.80s' cannot be a cell id: take 1 to 64 of 0-9 a-z", s->path,
                         id);
    return 0;
}

/* Two texts under one hash: a collision or, far more likely, a bug in what is hashed. A cell that
 * came from a CSV has no text until its experiment is planned here. */
static int check_identity(struct store *s, const struct store_cell *c, struct error *err)
{
    int64_t same = 1;
    if (sql_integer(s, err, &same,
                    "SELECT t.identity IN ('', ?) FROM cell c JOIN cell_text t ON t.cell=c.id "
                    "WHERE c.hash=?",
                    "ss", c->identity, c->id) < 0)
        return -1;
    return same ? 0 : error_set(err, "%s: cell %s is there with another identity", s->path, c->id);
}

static int put_cell(struct store *s, const struct store_cell *c, struct error *err)
{
    int64_t id;
    if (check_id(s, c->id, err) || check_identity(s, c, err) || put_columns(s, c, err) ||
        find_cell(s, c->id, &id, err))
        return -1;
    if (sql_run(
            s, err,
            "INSERT INTO cell_text VALUES(?, ?, ?)"
            " ON CONFLICT(cell) DO UPDATE SET config=excluded.config, identity=excluded.identity"
            " WHERE excluded.identity<>'' AND (config<>excluded.config OR identity='')",
            "iss", id, c->identity, c->config))
        return -1;
    return put_costs(s, id, c, err) ||
                   cost_rows_replace(s, id, c->cost_rows, c->cost_row_count, err)
               ? -1
               : 0;
}

int store_put_cell(struct store *s, const struct store_cell *c, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, put_cell(s, c, err), err);
}

/* ---- membership ------------------------------------------------------------------------------ */

static int put_member(struct store *s, const char *experiment, const char *cell, int position,
                      const char *label, struct error *err)
{
    int64_t e, c;
    if (find_experiment(s, experiment, &e, err) || find_cell(s, cell, &c, err))
        return -1;
    return sql_run(s, err, "INSERT OR REPLACE INTO member_cell VALUES(?, ?, ?, ?)", "iiis", e, c,
                   (int64_t)position, label);
}

int store_put_member(struct store *s, const char *experiment, const char *cell, int position,
                     const char *label, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, put_member(s, experiment, cell, position, label, err), err);
}

static int clear_members(struct store *s, const char *experiment, struct error *err)
{
    int64_t e;
    if (find_experiment(s, experiment, &e, err))
        return -1;
    if (sql_run(s, err, "DELETE FROM member_cell WHERE experiment=?", "i", e))
        return -1;
    return sql_run(s, err, "DELETE FROM member_run WHERE experiment=?", "i", e);
}

int store_clear_members(struct store *s, const char *experiment, struct error *err)
{
    struct tx tx;
    if (tx_enter(s, &tx, err))
        return -1;
    return tx_leave(s, &tx, clear_members(s, experiment, err), err);
}
