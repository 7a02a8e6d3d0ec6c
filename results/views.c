/* The documented views. Those with a column for each key or metric are made again whenever a name
 * is added, in the transaction that adds it. Everything is plain SQL, so that any SQLite program
 * can read them. */
#include "results/views.h"
#include "results/store_internal.h"
#include "results/rows.h"
#include "base/error.h"
#include "base/rng.h"
#include "base/strbuf.h"

#include <string.h>
#include <strings.h>

static const struct view_doc docs[] = {
    {"v_runs",
     "a row a run and experiment (a run shared by two experiments has two rows): state, times, "
     "every configuration key, every final metric",
     "run,experiment,cell,label,position,seed,state,device,attempts,created,started,finished,wall_"
     "s,cpu_s,"
     "exit_code,host,pid,folder,message,tags,commit_hash"},
    {"v_cells",
     "a row a cell, experiment, device class and metric: mean and standard deviation (n-1) over "
     "the seeds that are done; costs known beforehand have n = 0 until a run is done",
     "experiment,cell,label,position,device,metric,n,mean,std,min,max"},
    {"v_curves", "a row a point of a training curve",
     "run,experiment,cell,label,seed,state,metric,epoch,step,value"},
    {"v_cost", "a row an op or layer of a cell: counts of one forward pass",
     "cell,by,name,position,calls,params,macs,macs_fvcore,flops,bytes_read,bytes_written"},
    {"v_latency", "a row a latency measurement of a run, with its protocol",
     "run,cell,model,precision,device,batch,threads,blocks,p50_ms,p90_ms,p99_ms,iqr_ms,mean_ms,min_"
     "ms,"
     "images_per_s,peak_bytes,protocol"},
    {"v_pareto",
     "a row a cell, device class and objective of an experiment; on_front is 1 where no other "
     "cell of the device class is as good in every objective and better in one",
     "experiment,cell,label,device,metric,goal,n,mean,std,on_front"},
    {"v_compute",
     "hours spent by experiment (the first that asked for the run), device class and state of the "
     "attempt: failed ones count too",
     "experiment,device,state,attempts,runs,wall_hours,cpu_hours"},
    {"v_env", "a row a fact about a run: commit, compiler, processor, libraries, data",
     "run,key,text"},
    {"v_published", "a row a number that a paper published; configuration keys where they apply",
     "source,table,row,metric,value,unit,convention,device,precision,batch,note,file,line"},
    {"v_experiments",
     "a row an experiment; axes, objectives (\"val/top1 max\") and baseline (\"key=value\") are "
     "lists with commas",
     "experiment,title,file,text,published,axes,objectives,baseline,cells"},
    {NULL, NULL, NULL},
};

const struct view_doc *view_doc(int i)
{
    return i >= 0 && (size_t)i < sizeof docs / sizeof *docs && docs[i].name ? &docs[i] : NULL;
}

static const struct view_doc *find_doc(const char *name)
{
    for (int i = 0; docs[i].name; i++)
        if (strcmp(docs[i].name, name) == 0)
            return &docs[i];
    return NULL;
}

/* Columns "model.rw_head" of v_runs may not be called like a fixed one: then "config.NAME". */
static int view_fixed_column(const char *view, const char *name)
{
    const struct view_doc *doc = find_doc(view);
    size_t n = strlen(name);
    for (const char *p = doc ? doc->columns : ""; *p; p += *p == ',') {
        size_t length = strcspn(p, ",");
        if (length == n && strncasecmp(p, name, n) == 0)
            return 1;
        p += length;
    }
    return 0;
}

/* ---- the SQL --------------------------------------------------------------------------------- */

#define ISO(column) "strftime('%Y-%m-%dT%H:%M:%SZ', " column ", 'unixepoch')"
#define RUNS_OF_EXPERIMENTS                                                                        \
    " FROM run r JOIN cell c ON c.id = r.cell"                                                     \
    " LEFT JOIN member_run mr ON mr.run = r.id"                                                    \
    " LEFT JOIN experiment e ON e.id = mr.experiment"                                              \
    " LEFT JOIN member_cell mc ON mc.experiment = mr.experiment AND mc.cell = r.cell"

static const char runs_head[] =
    "CREATE VIEW v_runs AS SELECT r.key AS run, e.name AS experiment, c.hash AS cell,"
    " coalesce(mc.label, substr(c.hash, 1, 8)) AS label, mc.position AS position, r.seed AS seed,"
    " r.state AS state, r.device AS device, r.attempts AS attempts,"
    " " ISO("r.created") " AS created, " ISO(
        "r.started") " AS started,"
                     " " ISO(
                         "r.finished") " AS finished, r.wall_s AS wall_s, r.cpu_s AS cpu_s,"
                                       " r.exit_code AS exit_code, r.host AS host, r.pid AS pid, "
                                       "r.folder AS folder, r.message AS message,"
                                       " (SELECT group_concat(text, ', ') FROM tag WHERE tag.run = "
                                       "r.id) AS tags,"
                                       " (SELECT t.text FROM fact f JOIN fact_text t ON t.id = "
                                       "f.text"
                                       "   WHERE f.run = r.id AND f.key = 'commit') AS commit_hash";

/* The window's mean first, then squared distances from it: the textbook difference of squares would
 * lose all digits of a metric like cost/macs. */
static const char cells_head[] =
    "CREATE VIEW v_cells AS SELECT a.experiment AS experiment, c.hash AS cell,"
    " coalesce(mc.label, substr(c.hash, 1, 8)) AS label, mc.position AS position, a.device AS "
    "device,"
    " a.metric AS metric, a.n AS n, a.mean AS mean, a.std AS std, a.min AS min, a.max AS max";

static const char cells_tail[] =
    /* Names stand innermost, so that a condition on experiment or metric reaches the tables:
     * windows and groups let it through where it is one of their keys. */
    " FROM (SELECT experiment, cell, device, metric, count(value) AS n, max(mu) AS mean,"
    "   CASE WHEN count(value) > 1 THEN sqrt(sum((value - mu) * (value - mu)) / (count(value) - "
    "1)) END"
    "     AS std, min(value) AS min, max(value) AS max"
    "  FROM (SELECT e.name AS experiment, r.cell AS cell, r.device AS device, n.name AS metric, "
    "v.value,"
    "      avg(v.value) OVER (PARTITION BY e.name, r.cell, r.device, n.name) AS mu"
    "    FROM experiment e JOIN member_run mr ON mr.experiment = e.id JOIN run r ON r.id = mr.run"
    "    JOIN run_metric v ON v.run = r.id JOIN name n ON n.id = v.name AND n.kind = 1"
    "    WHERE r.state = 'done')"
    "  GROUP BY experiment, cell, device, metric"
    "  UNION ALL"
    "  SELECT e.name, mc.cell, NULL, n.name, 0, v.value, NULL, v.value, v.value"
    "  FROM experiment e JOIN member_cell mc ON mc.experiment = e.id"
    "  JOIN cell_metric v ON v.cell = mc.cell JOIN name n ON n.id = v.name AND n.kind = 1"
    "  WHERE NOT EXISTS (SELECT 1 FROM run r CROSS JOIN member_run mr ON mr.run = r.id"
    "      AND mr.experiment = e.id CROSS JOIN run_metric x ON x.run = r.id AND x.name = n.id"
    "    WHERE r.cell = mc.cell AND r.state = 'done')) a"
    " JOIN cell c ON c.id = a.cell LEFT JOIN experiment e ON e.name = a.experiment"
    " LEFT JOIN member_cell mc ON mc.experiment = e.id AND mc.cell = a.cell";

static const char fixed_views[] =
    "CREATE VIEW v_curves AS SELECT r.key AS run, e.name AS experiment, c.hash AS cell,"
    " coalesce(mc.label, substr(c.hash, 1, 8)) AS label, r.seed AS seed, r.state AS state,"
    " n.name AS metric, nullif(v.epoch, -1) AS epoch, nullif(v.step, -1) AS step,"
    " v.value AS value" RUNS_OF_EXPERIMENTS
    " JOIN curve v ON v.run = r.id JOIN name n ON n.id = v.name;"

    "CREATE VIEW v_cost AS SELECT c.hash AS cell, o.by AS by, o.name AS name, o.position AS "
    "position,"
    " o.calls AS calls, o.params AS params, o.macs AS macs, o.macs_fvcore AS macs_fvcore,"
    " o.flops AS flops, o.bytes_read AS bytes_read, o.bytes_written AS bytes_written"
    " FROM cost o JOIN cell c ON c.id = o.cell;"

    "CREATE VIEW v_latency AS SELECT r.key AS run, c.hash AS cell, l.model AS model,"
    " l.precision AS precision, coalesce(l.device, r.device) AS device, l.batch AS batch,"
    " l.threads AS threads, l.blocks AS blocks, l.p50_ms AS p50_ms, l.p90_ms AS p90_ms,"
    " l.p99_ms AS p99_ms, l.iqr_ms AS iqr_ms, l.mean_ms AS mean_ms, l.min_ms AS min_ms,"
    " l.images_per_s AS images_per_s, l.peak_bytes AS peak_bytes, l.protocol AS protocol"
    " FROM latency l JOIN run r ON r.id = l.run JOIN cell c ON c.id = r.cell;"

    /* Costs that are the same on every device have no device of their own: they take part in each.
     */
    "CREATE VIEW v_pareto AS WITH"
    " o AS (SELECT b.experiment AS id, b.position, b.metric, b.maximize, n.id AS name"
    "   FROM experiment_objective b JOIN name n ON n.kind = 1 AND n.name = b.metric),"
    " v AS (SELECT o.id, r.device, r.cell, o.position, o.metric, o.maximize,"
    "     coalesce(a.value, c.value) AS value,"
    "     avg(coalesce(a.value, c.value)) OVER (PARTITION BY o.id, r.device, r.cell, o.position) "
    "AS mu"
    "   FROM o JOIN member_run mr ON mr.experiment = o.id"
    "   JOIN run r ON r.id = mr.run AND r.state = 'done'"
    "   LEFT JOIN run_metric a ON a.run = r.id AND a.name = o.name"
    "   LEFT JOIN cell_metric c ON c.cell = r.cell AND c.name = o.name),"
    " p AS MATERIALIZED (SELECT id, device, cell, position, metric, maximize, count(value) AS n,"
    "     max(mu) AS mean, iif(maximize, max(mu), -max(mu)) AS gain,"
    "     CASE WHEN count(value) > 1"
    "       THEN sqrt(sum((value - mu) * (value - mu)) / (count(value) - 1)) END AS std"
    "   FROM v GROUP BY id, device, cell, position),"
    /* Cells that have every objective; up to two of them are sorted, more are compared in pairs. */
    " complete AS MATERIALIZED (SELECT id, device, cell, count(*) AS goals,"
    "     max(iif(position = 0, gain, NULL)) AS g1, coalesce(max(iif(position = 1, gain, NULL)), "
    "0) AS g2"
    "   FROM (SELECT id, device, cell, gain,"
    "       row_number() OVER (PARTITION BY id, device, cell ORDER BY position) - 1 AS position "
    "FROM p)"
    "   GROUP BY id, device, cell"
    "   HAVING count(gain) = (SELECT count(*) FROM experiment_objective b WHERE b.experiment = "
    "id)),"
    " dominated AS MATERIALIZED (SELECT id, device, cell FROM (SELECT id, device, cell, g2,"
    "     max(g2) OVER (PARTITION BY id, device ORDER BY g1 DESC"
    "       RANGE BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW EXCLUDE GROUP) AS better,"
    "     max(g2) OVER (PARTITION BY id, device, g1) AS equal"
    "     FROM complete WHERE goals <= 2) WHERE better >= g2 OR equal > g2"
    "   UNION ALL SELECT DISTINCT x.id, x.device, x.cell FROM complete cx"
    "   JOIN p x ON x.id = cx.id AND x.device = cx.device AND x.cell = cx.cell"
    "   JOIN p y ON y.id = x.id AND y.device = x.device AND y.position = x.position"
    "   JOIN complete cy ON cy.id = y.id AND cy.device = y.device AND cy.cell = y.cell"
    "   WHERE cx.goals > 2 GROUP BY x.id, x.device, x.cell, y.cell"
    "   HAVING min(y.gain - x.gain) >= 0 AND max(y.gain - x.gain) > 0)"
    " SELECT e.name AS experiment, c.hash AS cell,"
    "   coalesce(mc.label, substr(c.hash, 1, 8)) AS label, p.device AS device, p.metric AS metric,"
    "   iif(p.maximize, 'max', 'min') AS goal, p.n AS n, p.mean AS mean, p.std AS std,"
    "   (k.cell IS NOT NULL AND z.cell IS NULL) AS on_front"
    " FROM p JOIN experiment e ON e.id = p.id JOIN cell c ON c.id = p.cell"
    " LEFT JOIN complete k ON k.id = p.id AND k.device = p.device AND k.cell = p.cell"
    " LEFT JOIN dominated z ON z.id = p.id AND z.device = p.device AND z.cell = p.cell"
    " LEFT JOIN member_cell mc ON mc.experiment = p.id AND mc.cell = p.cell;"

    "CREATE VIEW v_compute AS SELECT e.name AS experiment, r.device AS device, a.state AS state,"
    " count(*) AS attempts, count(DISTINCT a.run) AS runs, total(a.wall_s) / 3600 AS wall_hours,"
    " total(a.cpu_s) / 3600 AS cpu_hours"
    " FROM attempt a JOIN run r ON r.id = a.run LEFT JOIN experiment e ON e.id = r.origin"
    " GROUP BY r.origin, r.device, a.state;"

    "CREATE VIEW v_experiments AS SELECT e.name AS experiment, e.title AS title, e.file AS file,"
    " e.text AS text, e.published AS published,"
    " (SELECT group_concat(a.key, ', ') FROM (SELECT key FROM experiment_axis x"
    "   WHERE x.experiment = e.id ORDER BY x.position) a) AS axes,"
    " (SELECT group_concat(o.metric || iif(o.maximize, ' max', ' min'), ', ')"
    "   FROM (SELECT metric, maximize FROM experiment_objective x WHERE x.experiment = e.id"
    "     ORDER BY x.position) o) AS objectives,"
    " (SELECT group_concat(b.key || '=' || b.value, ', ') FROM experiment_baseline b"
    "   WHERE b.experiment = e.id) AS baseline,"
    " (SELECT count(*) FROM member_cell mc WHERE mc.experiment = e.id) AS cells"
    " FROM experiment e;"

    "CREATE VIEW v_env AS SELECT r.key AS run, f.key AS key, t.text AS text"
    " FROM fact f JOIN fact_text t ON t.id = f.text JOIN run r ON r.id = f.run;";

static void add_column(struct strbuf *sql, const char *view, const struct name *name,
                       const char *value)
{
    strbuf_addf(sql, ", %s AS ", value);
    struct strbuf shown = STRBUF_INIT;
    if (view_fixed_column(view, name->text))
        strbuf_adds(&shown, name->kind == NAME_KEY ? "config." : "metric.");
    strbuf_adds(&shown, name->text);
    sql_quote(sql, shown.text);
    strbuf_release(&shown);
}

static void add_keys(struct store *s, struct strbuf *sql, const char *view)
{
    struct strbuf value = STRBUF_INIT;
    for (size_t i = 0; i < s->name_count; i++) {
        const struct name *n = &s->names[i];
        if (n->kind != NAME_KEY || !n->in_cell)
            continue;
        strbuf_clear(&value);
        strbuf_addf(&value, "c.k%lld", (long long)n->id);
        add_column(sql, view, n, value.text);
    }
    strbuf_release(&value);
}

static void add_metrics(struct store *s, struct strbuf *sql)
{
    struct strbuf value = STRBUF_INIT;
    for (size_t i = 0; i < s->name_count; i++) {
        const struct name *n = &s->names[i];
        long long id = (long long)n->id;
        if (n->kind != NAME_METRIC || (!n->in_cell && !n->in_run))
            continue;
        strbuf_clear(&value);
        if (n->in_cell && n->in_run)
            strbuf_addf(&value, "coalesce(r.m%lld, c.m%lld)", id, id);
        else
            strbuf_addf(&value, "%c.m%lld", n->in_run ? 'r' : 'c', id);
        add_column(sql, "v_runs", n, value.text);
    }
    strbuf_release(&value);
}

/* A column for each key that a published row has. */
static int add_published(struct store *s, struct strbuf *sql, struct error *err)
{
    strbuf_adds(sql,
                "CREATE VIEW v_published AS SELECT p.source AS source, p.\"table\" AS \"table\","
                " p.row AS row, p.metric AS metric, p.value AS value, p.unit AS unit,"
                " p.convention AS convention, p.device AS device, p.precision AS precision,"
                " p.batch AS batch, p.note AS note, p.file AS file, p.line AS line");
    sqlite3_stmt *st = sql_open(s, err, "SELECT DISTINCT key FROM published_key ORDER BY key", "");
    if (!st)
        return -1;
    int more;
    while ((more = sql_step(s, st, err)) > 0) {
        const char *key = sql_text(st, 0);
        char *literal = sqlite3_mprintf("%Q", key);
        strbuf_addf(
            sql,
            ", (SELECT k.value FROM published_key k WHERE k.published = p.id AND k.key = %s) AS ",
            literal ? literal : "NULL");
        sqlite3_free(literal);
        sql_quote(sql, key);
    }
    sql_close(s, st);
    strbuf_adds(sql, " FROM published p;");
    return more;
}

/* Of everything in the views that does not depend on names: tells whether a file's views are of
 * this program. */
static int64_t fingerprint(void)
{
    return (int64_t)(rng_hash(runs_head) ^ 3 * rng_hash(cells_head) ^ 5 * rng_hash(cells_tail) ^
                     7 * rng_hash(fixed_views) ^ 11 * rng_hash(RUNS_OF_EXPERIMENTS));
}

int views_current(struct store *s)
{
    int64_t same = 0;
    return sql_integer(s, NULL, &same, "SELECT value=?1 FROM meta WHERE key='views'", "i",
                       fingerprint()) == 1 &&
           same;
}

int views_create(struct store *s, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    if (names_load(s, err))
        return -1;
    for (int i = 0; docs[i].name; i++)
        strbuf_addf(&sql, "DROP VIEW IF EXISTS %s;", docs[i].name);
    strbuf_adds(&sql, runs_head);
    add_keys(s, &sql, "v_runs");
    add_metrics(s, &sql);
    strbuf_adds(&sql, RUNS_OF_EXPERIMENTS ";");
    strbuf_adds(&sql, cells_head);
    add_keys(s, &sql, "v_cells");
    strbuf_adds(&sql, cells_tail);
    strbuf_adds(&sql, ";");
    strbuf_adds(&sql, fixed_views);
    int rc = add_published(s, &sql, err);
    if (!rc)
        rc = sql_script(s, sql.text, err);
    strbuf_release(&sql);
    if (!rc)
        rc = sql_run(s, err, "INSERT OR REPLACE INTO meta VALUES('views', ?)", "i", fingerprint());
    if (!rc)
        s->views_dirty = 0;
    return rc;
}

/* ---- listings -------------------------------------------------------------------------------- */

struct rows *views_list(struct error *err)
{
    static const char *const names[] = {"view", "doc", "columns"};
    struct rows *r = rows_new(3, names);
    (void)err;
    for (int i = 0; docs[i].name; i++) {
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], docs[i].name);
        rows_set_text(r, &cell[1], docs[i].doc);
        rows_set_text(r, &cell[2], docs[i].columns);
    }
    return r;
}

static const char *column_kind(const char *view, const char *name)
{
    if (view_fixed_column(view, name))
        return "fixed";
    return strchr(name, '/') ? "metric" : "config key";
}

struct rows *views_columns(struct store *s, const char *view, struct error *err)
{
    static const char *const names[] = {"column", "kind"};
    if (!find_doc(view)) {
        error_set(err, "%s: no such view: `vittm views` lists them", view);
        return NULL;
    }
    sqlite3_stmt *st = sql_open(s, err, "SELECT name FROM pragma_table_info(?)", "s", view);
    if (!st)
        return NULL;
    struct rows *r = rows_new(2, names);
    int more;
    while ((more = sql_step(s, st, err)) > 0) {
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], sql_text(st, 0));
        rows_set_text(r, &cell[1], column_kind(view, sql_text(st, 0)));
    }
    sql_close(s, st);
    if (more) {
        rows_free(r);
        return NULL;
    }
    return r;
}
