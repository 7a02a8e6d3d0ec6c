/* ls, status and the look-up of ids; show and diff are in show.c. */
#include "results/listing.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "results/views.h"
#include "base/arena.h"
#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"

#include <ctype.h>
#include <string.h>

/* ---- columns --------------------------------------------------------------------------------- */

static const char *column_at(const void *context, int i)
{
    const struct rows *columns = context;
    return (size_t)i < columns->count ? rows_cell(columns, (size_t)i, 0)->text : NULL;
}

static int check_column(const struct rows *columns, const char *name, struct error *err)
{
    for (int i = 0; column_at(columns, i); i++)
        if (strcmp(column_at(columns, i), name) == 0)
            return 0;
    struct strbuf hint = STRBUF_INIT;
    config_hint(&hint, name, column_at, columns);
    error_set(err, "unknown column %s%s: `vittm views v_runs` lists them", name, hint.text);
    strbuf_release(&hint);
    return -1;
}

/* Calls add for each item of a list with commas. */
static int each_item(const char *list, const struct rows *columns, struct strbuf *sql,
                     int (*add)(const char *item, const struct rows *columns, struct strbuf *sql,
                                struct error *err),
                     struct error *err)
{
    struct strbuf item = STRBUF_INIT;
    int rc = 0;
    while (*list && !rc) {
        size_t n = strcspn(list, ",");
        strbuf_clear(&item);
        strbuf_add(&item, list, n);
        list += n + (list[n] == ',');
        while (item.len && isspace((unsigned char)item.text[item.len - 1]))
            strbuf_truncate(&item, item.len - 1);
        const char *start = item.text + strspn(item.text, " ");
        if (*start)
            rc = add(start, columns, sql, err);
    }
    strbuf_release(&item);
    return rc;
}

static int add_column(const char *item, const struct rows *columns, struct strbuf *sql,
                      struct error *err)
{
    if (check_column(columns, item, err))
        return -1;
    if (sql->len)
        strbuf_adds(sql, ", ");
    sql_quote(sql, item);
    return 0;
}

static int add_order(const char *item, const struct rows *columns, struct strbuf *sql,
                     struct error *err)
{
    int descending = *item == '-';
    if (check_column(columns, item + descending, err))
        return -1;
    if (sql->len)
        strbuf_adds(sql, ", ");
    sql_quote(sql, item + descending);
    strbuf_adds(sql, descending ? " DESC NULLS LAST" : " ASC NULLS LAST");
    return 0;
}

/* run, label, seed, state and the objectives that have a column, without objectives the scores; the
 * experiment where there is more than one. */
static int default_columns(struct store *s, const struct listing *l, const struct rows *columns,
                           struct strbuf *sql, struct error *err)
{
    static const char *const scores[] = {"val/top1", "val/miou"};
    int64_t experiments = 0;
    if (sql_integer(s, err, &experiments, "SELECT count(*) FROM experiment", "") < 0)
        return -1;
    strbuf_adds(sql, l->experiment || experiments < 2 ? "run, label, seed, state"
                                                      : "run, experiment, label, seed, state");
    struct rows *objectives =
        store_query(s, err,
                    "SELECT DISTINCT o.metric FROM experiment_objective o JOIN experiment e ON "
                    "e.id = o.experiment"
                    " WHERE ?1 IS NULL OR e.name = ?1 ORDER BY o.position LIMIT 4",
                    "s", l->experiment);
    if (!objectives)
        return -1;
    for (size_t i = 0; i < objectives->count; i++)
        if (check_column(columns, rows_cell(objectives, i, 0)->text, NULL) == 0)
            add_column(rows_cell(objectives, i, 0)->text, columns, sql, NULL);
    for (size_t i = 0; objectives->count == 0 && i < sizeof scores / sizeof *scores; i++)
        if (check_column(columns, scores[i], NULL) == 0)
            add_column(scores[i], columns, sql, NULL);
    rows_free(objectives);
    return 0;
}

/* ---- ls -------------------------------------------------------------------------------------- */

static int build(struct store *s, const struct listing *l, const struct rows *columns,
                 struct strbuf *sql, struct error *err)
{
    struct strbuf list = STRBUF_INIT, order = STRBUF_INIT;
    int rc = l->columns ? each_item(l->columns, columns, &list, add_column, err)
                        : default_columns(s, l, columns, &list, err);
    if (!rc && l->sort)
        rc = each_item(l->sort, columns, &order, add_order, err);
    strbuf_addf(sql, "SELECT %s FROM v_runs WHERE %s", list.len ? list.text : "run",
                l->experiment ? "experiment = ?1" : "?1 IS NULL");
    if (l->where)
        strbuf_addf(sql, " AND (%s\n)", l->where);
    if (order.len)
        strbuf_addf(sql, " ORDER BY %s", order.text);
    if (l->limit)
        strbuf_addf(sql, " LIMIT %zu", l->limit);
    strbuf_release(&list);
    strbuf_release(&order);
    return rc;
}

struct rows *listing_runs(struct store *s, const struct listing *l, struct error *err)
{
    int64_t id;
    struct rows *result = NULL, *columns = NULL;
    struct strbuf sql = STRBUF_INIT;
    if (l->experiment && find_experiment(s, l->experiment, &id, err))
        return NULL;
    columns = views_columns(s, "v_runs", err);
    if (columns && build(s, l, columns, &sql, err) == 0) {
        result = store_query(s, err, sql.text, "s", l->experiment);
        if (!result && l->where)
            error_prefix(err, "--where %s", l->where);
    }
    rows_free(columns);
    strbuf_release(&sql);
    return result;
}

struct rows *listing_status(struct store *s, const char *experiment, struct error *err)
{
    int64_t id;
    if (experiment && find_experiment(s, experiment, &id, err))
        return NULL;
    return store_query(s, err,
                       "SELECT e.name AS experiment, count(r.id) AS runs,"
                       " count(*) FILTER (WHERE r.state='done') AS done,"
                       " count(*) FILTER (WHERE r.state='running') AS running,"
                       " count(*) FILTER (WHERE r.state='queued') AS queued,"
                       " count(*) FILTER (WHERE r.state='planned') AS planned,"
                       " count(*) FILTER (WHERE r.state='failed') AS failed,"
                       " count(*) FILTER (WHERE r.state='timeout') AS timeout,"
                       " count(*) FILTER (WHERE r.state='interrupted') AS interrupted,"
                       " count(*) FILTER (WHERE r.state='stale') AS stale,"
                       " round(total(r.wall_s) / 3600, 3) AS wall_h"
                       " FROM experiment e LEFT JOIN member_run m ON m.experiment = e.id"
                       " LEFT JOIN run r ON r.id = m.run"
                       " WHERE ?1 IS NULL OR e.name = ?1 GROUP BY e.id ORDER BY e.id",
                       "s", experiment);
}

/* ---- ids ------------------------------------------------------------------------------------- */

/* "3fa2-s1" names the runs of cells 3fa2… with seed 1; "3fa2" all runs of such cells. */
static struct rows *matching_runs(struct store *s, const char *text, struct error *err)
{
    struct strbuf pattern = STRBUF_INIT;
    const char *dash = strchr(text, '-');
    size_t n = dash ? (size_t)(dash - text) : strlen(text);
    strbuf_add(&pattern, text, n);
    strbuf_addc(&pattern, '*');
    strbuf_adds(&pattern, dash ? dash : "");
    if (dash && !strchr(dash + 1, '-'))
        strbuf_adds(&pattern, "-*"); /* the device is left out */
    else if (dash)
        strbuf_adds(&pattern, "*");
    struct rows *found = store_query(
        s, err,
        "SELECT key FROM run WHERE key = ?1 UNION SELECT key FROM run WHERE key GLOB ?2 LIMIT 6",
        "ss", text, pattern.text);
    strbuf_release(&pattern);
    return found;
}

static int choose(const struct rows *found, const char *what, const char *text, struct arena *arena,
                  const char **id, struct error *err)
{
    struct strbuf list = STRBUF_INIT;
    for (size_t i = 0; i < found->count; i++)
        if (strcmp(rows_cell(found, i, 0)->text, text) == 0 || found->count == 1) {
            *id = arena_strdup(arena, rows_cell(found, i, 0)->text);
            return 0;
        }
    for (size_t i = 0; i < found->count && i < 5; i++)
        strbuf_addf(&list, "%s%s", i ? ", " : "", rows_cell(found, i, 0)->text);
    if (found->count > 5)
        strbuf_adds(&list, ", …");
    if (found->count)
        error_set(err, "%s is the beginning of several %ss: %s", text, what, list.text);
    else
        error_set(err, "no %s begins with %s: `vittm ls` lists them", what, text);
    strbuf_release(&list);
    return -1;
}

static int check_prefix(const char *what, const char *text, struct error *err)
{
    if (!*text || text[strspn(text, "0123456789abcdefghijklmnopqrstuvwxyz_.-")])
        return error_set(err, "'%s' is not a %s id: `vittm ls` lists them", text, what);
    return 0;
}

int listing_find_run(struct store *s, const char *text, struct arena *arena, const char **id,
                     struct error *err)
{
    if (check_prefix("run", text, err))
        return -1;
    struct rows *found = matching_runs(s, text, err);
    int rc = found ? choose(found, "run", text, arena, id, err) : -1;
    rows_free(found);
    return rc;
}

int listing_find_cell(struct store *s, const char *text, struct arena *arena, const char **id,
                      struct error *err)
{
    if (check_prefix("cell", text, err))
        return -1;
    struct rows *found = store_query(
        s, err,
        "SELECT hash FROM cell WHERE hash >= ?1 AND substr(hash, 1, length(?1)) = ?1 LIMIT 6", "s",
        text);
    int rc = found ? choose(found, "cell", text, arena, id, err) : -1;
    rows_free(found);
    return rc;
}
