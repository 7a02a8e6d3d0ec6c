/* The tables. They are no contract (the views are), but their history is: a step, once released, is
 * never changed; a new version appends one.
 *
 * Final metrics and configuration values are kept twice where they have a column: the tables cell
 * and run grow a column k<id> or m<id> for each name, which is what makes listings of 100,000 runs
 * fast; run_metric is the long form that v_cells aggregates. Both are written in the same
 * transaction. */
#include "results/store_internal.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

static const struct migration migrations[] = {
    {"CREATE TABLE meta(key TEXT PRIMARY KEY, value TEXT) STRICT, WITHOUT ROWID;"
     "INSERT INTO meta VALUES('last_commit', '');"
     "CREATE TABLE name("
     "  id INTEGER PRIMARY KEY,"
     "  kind INTEGER NOT NULL," /* enum name_kind */
     "  name TEXT NOT NULL,"
     "  in_cell INTEGER NOT NULL DEFAULT 0,"
     "  in_run INTEGER NOT NULL DEFAULT 0,"
     "  UNIQUE(kind, name)) STRICT;"

     "CREATE TABLE experiment("
     "  id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, title TEXT, file TEXT, text TEXT,"
     "  published TEXT, changed REAL NOT NULL) STRICT;"
     "CREATE TABLE experiment_axis("
     "  experiment INTEGER NOT NULL REFERENCES experiment ON DELETE CASCADE,"
     "  position INTEGER NOT NULL, key TEXT NOT NULL,"
     "  PRIMARY KEY(experiment, position)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE experiment_baseline("
     "  experiment INTEGER NOT NULL REFERENCES experiment ON DELETE CASCADE,"
     "  key TEXT NOT NULL, value ANY,"
     "  PRIMARY KEY(experiment, key)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE experiment_objective("
     "  experiment INTEGER NOT NULL REFERENCES experiment ON DELETE CASCADE,"
     "  position INTEGER NOT NULL, metric TEXT NOT NULL, maximize INTEGER NOT NULL,"
     "  PRIMARY KEY(experiment, position)) STRICT, WITHOUT ROWID;"

     "CREATE TABLE cell("
     "  id INTEGER PRIMARY KEY, hash TEXT NOT NULL UNIQUE, created REAL NOT NULL) STRICT;"
     "CREATE TABLE cell_text("
     "  cell INTEGER PRIMARY KEY REFERENCES cell ON DELETE CASCADE,"
     "  identity TEXT NOT NULL, config TEXT NOT NULL) STRICT;"
     "CREATE TABLE cell_metric("
     "  cell INTEGER NOT NULL REFERENCES cell ON DELETE CASCADE,"
     "  name INTEGER NOT NULL REFERENCES name, value REAL,"
     "  PRIMARY KEY(cell, name)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE cost("
     "  cell INTEGER NOT NULL REFERENCES cell ON DELETE CASCADE,"
     "  by TEXT NOT NULL, name TEXT NOT NULL, position INTEGER NOT NULL,"
     "  calls INTEGER, params INTEGER, macs INTEGER, macs_fvcore INTEGER, flops INTEGER,"
     "  bytes_read INTEGER, bytes_written INTEGER,"
     "  PRIMARY KEY(cell, by, name)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE member_cell("
     "  experiment INTEGER NOT NULL REFERENCES experiment ON DELETE CASCADE,"
     "  cell INTEGER NOT NULL REFERENCES cell ON DELETE CASCADE,"
     "  position INTEGER NOT NULL, label TEXT,"
     "  PRIMARY KEY(experiment, cell)) STRICT, WITHOUT ROWID;"

     "CREATE TABLE run("
     "  id INTEGER PRIMARY KEY, key TEXT NOT NULL UNIQUE,"
     "  cell INTEGER NOT NULL REFERENCES cell, seed INTEGER NOT NULL, device TEXT NOT NULL,"
     "  state TEXT NOT NULL DEFAULT 'planned' CHECK(state IN ('planned', 'queued', 'running', "
     "'done',"
     "    'failed', 'timeout', 'interrupted', 'stale')),"
     "  attempts INTEGER NOT NULL DEFAULT 0,"
     "  created REAL NOT NULL, started REAL, finished REAL, wall_s REAL, cpu_s REAL,"
     "  exit_code INTEGER, pid INTEGER, pid_start INTEGER,"
     "  origin INTEGER REFERENCES experiment ON DELETE SET NULL," /* who asked first: pays in
                                                                     v_compute */
     "  host TEXT, boot TEXT, folder TEXT, message TEXT,"
     "  UNIQUE(cell, seed, device)) STRICT;"
     "CREATE TABLE member_run("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
     "  experiment INTEGER NOT NULL REFERENCES experiment ON DELETE CASCADE,"
     "  PRIMARY KEY(run, experiment)) STRICT, WITHOUT ROWID;"
     "CREATE INDEX member_run_experiment ON member_run(experiment, run);"
     "CREATE TABLE attempt("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
     "  attempt INTEGER NOT NULL, state TEXT NOT NULL, started REAL, finished REAL,"
     "  wall_s REAL, cpu_s REAL, exit_code INTEGER, host TEXT, message TEXT,"
     "  PRIMARY KEY(run, attempt)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE run_metric("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
     "  name INTEGER NOT NULL REFERENCES name, value REAL,"
     "  PRIMARY KEY(run, name)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE curve("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE,"
     "  name INTEGER NOT NULL REFERENCES name,"
     "  epoch INTEGER NOT NULL, step INTEGER NOT NULL, value REAL," /* -1: has none */
     "  PRIMARY KEY(run, name, epoch, step)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE latency("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, position INTEGER NOT NULL,"
     "  model TEXT, precision TEXT, device TEXT, protocol TEXT,"
     "  batch INTEGER, threads INTEGER, blocks INTEGER, peak_bytes INTEGER,"
     "  p50_ms REAL, p90_ms REAL, p99_ms REAL, iqr_ms REAL, mean_ms REAL, min_ms REAL,"
     "  images_per_s REAL,"
     "  PRIMARY KEY(run, position)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE fact_text(id INTEGER PRIMARY KEY, text TEXT NOT NULL UNIQUE) STRICT;"
     "CREATE TABLE fact("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, key TEXT NOT NULL,"
     "  text INTEGER NOT NULL," /* of fact_text; no foreign key: it would need an index to remove
                                   one */
     "  PRIMARY KEY(run, key)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE run_log("
     "  run INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE, log TEXT NOT NULL) STRICT;"
     "CREATE TABLE correct("
     "  run INTEGER PRIMARY KEY REFERENCES run ON DELETE CASCADE,"
     "  images INTEGER NOT NULL, bits BLOB NOT NULL) STRICT;"
     "CREATE TABLE tag("
     "  run INTEGER NOT NULL REFERENCES run ON DELETE CASCADE, text TEXT NOT NULL,"
     "  PRIMARY KEY(run, text)) STRICT, WITHOUT ROWID;"

     "CREATE TABLE published("
     "  id INTEGER PRIMARY KEY, file TEXT NOT NULL, line INTEGER NOT NULL,"
     "  source TEXT NOT NULL, \"table\" TEXT NOT NULL, row TEXT NOT NULL, metric TEXT NOT NULL,"
     "  value REAL NOT NULL, unit TEXT, convention TEXT, device TEXT, precision TEXT,"
     "  batch INTEGER, note TEXT, UNIQUE(file, line)) STRICT;"
     "CREATE TABLE published_key("
     "  published INTEGER NOT NULL REFERENCES published ON DELETE CASCADE,"
     "  key TEXT NOT NULL, value ANY NOT NULL,"
     "  PRIMARY KEY(published, key)) STRICT, WITHOUT ROWID;"
     "CREATE TABLE conflict("
     "  run TEXT NOT NULL, item TEXT NOT NULL, ours TEXT, theirs TEXT, source TEXT NOT NULL,"
     "  found REAL NOT NULL,"
     "  PRIMARY KEY(run, item, source)) STRICT, WITHOUT ROWID;"},
};

_Static_assert(sizeof migrations / sizeof *migrations == STORE_VERSION, "a step for each version");

const struct migration *schema_migrations(void)
{
    return migrations;
}

/* VACUUM INTO refuses a file that has something in it, and half a backup must not look like one. */
static int back_up(struct store *s, int64_t version, struct error *err)
{
    struct strbuf path = STRBUF_INIT, temporary = STRBUF_INIT;
    strbuf_addf(&path, "%s.backup-v%d", s->path, (int)version);
    strbuf_addf(&temporary, "%s.tmp.%ld", path.text, (long)getpid());
    unlink(temporary.text);
    int rc = sql_run(s, err, "VACUUM INTO ?", "s", temporary.text);
    if (!rc && rename(temporary.text, path.text))
        rc = error_env(err, "%s: cannot keep a backup before migrating", path.text);
    if (rc)
        unlink(temporary.text);
    strbuf_release(&path);
    strbuf_release(&temporary);
    return rc;
}

static int migrate_steps(struct store *s, const struct migration *steps, int64_t have, int version,
                         struct error *err)
{
    struct strbuf pragma = STRBUF_INIT;
    int rc = 0;
    for (int64_t v = have; v < version && !rc; v++)
        rc = sql_script(s, steps[v].sql, err);
    strbuf_addf(&pragma, "PRAGMA application_id=%d; PRAGMA user_version=%d", STORE_APPLICATION_ID,
                version);
    if (!rc)
        rc = sql_script(s, pragma.text, err);
    strbuf_release(&pragma);
    names_clear(s);
    return rc ? rc : views_create(s, err);
}

/* The caller holds the lock, so nobody migrates between the look and the transaction. */
int schema_migrate(struct store *s, const struct migration *steps, int version, struct error *err)
{
    int64_t have = 0;
    if (sql_integer(s, err, &have, "PRAGMA user_version", "") < 0)
        return -1;
    if (have > version)
        return error_env(
            err, "%s: was written by a newer vittm (format %d, this one knows %d): use that one",
            s->path, (int)have, version);
    if (have == version)
        return 0;
    if (have > 0 && back_up(s, have, err))
        return -1;
    if (sql_script(s, "BEGIN IMMEDIATE", err))
        return -1;
    int rc = migrate_steps(s, steps, have, version, err);
    if (!rc)
        rc = sql_script(s, "COMMIT", err);
    if (!sqlite3_get_autocommit(s->db))
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    return rc;
}
