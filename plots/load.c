/* Rows of the documented views for some experiments. */
#include "plots/data.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store.h"

/* A list of names as one parameter, a line each; NULL for all experiments. */
static char *name_list(const char *const *names, size_t n)
{
    struct strbuf s = STRBUF_INIT;
    if (n == 0)
        return NULL;
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&s, "%s\n", names[i]);
    return strbuf_detach(&s);
}

/* Runs a statement in which @ stands for "is one of these experiments". The names are a parameter
 * that the statement splits at its line ends: a query is read-only to the point of refusing
 * json_each. */
static struct rows *ask(struct store *s, const char *names, const char *sql, struct error *err)
{
    static const char chosen[] =
        "experiment IN (WITH RECURSIVE split(name, rest) AS (SELECT NULL, ?1 UNION ALL"
        " SELECT substr(rest, 1, instr(rest, char(10)) - 1), substr(rest, instr(rest, char(10)) + "
        "1)"
        " FROM split WHERE rest <> '') SELECT name FROM split WHERE name IS NOT NULL)";
    struct strbuf text = STRBUF_INIT;
    for (const char *c = sql; *c != 0; c++)
        if (*c == '@')
            strbuf_adds(&text, names != NULL ? chosen : "?1 IS NULL");
        else
            strbuf_addc(&text, *c);
    struct rows *r = store_query(s, err, text.text, "s", names);
    strbuf_release(&text);
    return r;
}

struct part {
    struct rows **rows;
    const char *sql;
};

static int load_parts(struct plot_source *p, struct store *s, const char *names, struct error *err)
{
    const struct part parts[] = {
        {&p->runs,
         "SELECT * FROM v_runs WHERE @ ORDER BY experiment, position, cell, device, seed"},
        {&p->curves, "SELECT run, experiment, metric, epoch, step, value FROM v_curves WHERE @"},
        {&p->costs, "SELECT * FROM v_cost WHERE cell IN (SELECT cell FROM v_runs WHERE @)"
                    " ORDER BY cell, by, position"},
        {&p->latency, "SELECT * FROM v_latency WHERE run IN (SELECT run FROM v_runs WHERE @)"},
        {&p->compute, "SELECT * FROM v_compute WHERE @ ORDER BY experiment, device, state"},
        /* A diff of a quarter of a megabyte is shown by `vittm show`, not in a page. */
        {&p->env,
         "SELECT key, substr(text, 1, 4000) AS text, count(*) AS runs FROM v_env WHERE run IN"
         " (SELECT run FROM v_runs WHERE @) GROUP BY key, text ORDER BY key, runs DESC"},
        /* What the experiments point at: "published/table1.csv" is the file "table1" of the store.
         */
        {&p->published,
         "SELECT * FROM v_published WHERE EXISTS (SELECT 1 FROM v_experiments e WHERE @"
         " AND (e.published = v_published.file || '.csv'"
         " OR e.published LIKE '%/' || v_published.file || '.csv')) ORDER BY file, line"},
    };
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++)
        if ((*parts[i].rows = ask(s, names, parts[i].sql, err)) == NULL)
            return -1;
    return 0;
}

static void release_source(struct plot_source *p)
{
    struct rows *all[] = {p->runs,    p->curves,  p->costs, p->published,
                          p->latency, p->compute, p->env,   p->experiments};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        rows_free(all[i]);
}

int data_load(struct plot_data *d, struct store *s, const char *const *experiments, size_t n,
              struct error *err)
{
    struct plot_source p = {0};
    char *names = name_list(experiments, n);
    *d = (struct plot_data){0};
    int rc = 0;
    for (size_t i = 0; i < n && rc == 0; i++)
        rc = store_check_experiment(s, experiments[i], err);
    if (rc == 0)
        p.experiments =
            ask(s, names, "SELECT * FROM v_experiments WHERE @ ORDER BY experiment", err);
    if (rc == 0 && p.experiments == NULL)
        rc = -1;
    if (rc == 0)
        rc = load_parts(&p, s, names, err);
    if (rc == 0)
        rc = data_arrange(d, p, err);
    else
        release_source(&p);
    free(names);
    return rc;
}

void data_empty(struct plot_data *d)
{
    static const char *const names[] = {"run", "cell", "seed", "state"};
    struct error err = {0};
    if (data_arrange(d, (struct plot_source){.runs = rows_new(4, names)}, &err) != 0)
        BUG("%s", err.msg);
}

/* The store knows how to read and check such a file, so a store reads it. */
static struct rows *read_published(const char *folder, const char *csv, struct error *err)
{
    char *path = NULL;
    struct strbuf name = STRBUF_INIT;
    strbuf_addf(&name, "%s/published.db", folder);
    path = strbuf_detach(&name);
    struct store *s = store_open(path, STORE_WRITE, err);
    struct rows *r = NULL;
    if (s != NULL && store_published(s, csv, err) == 0)
        r = store_query(s, err, "SELECT * FROM v_published ORDER BY line", "");
    if (s != NULL)
        store_close(s);
    static const char *const ends[] = {"", "-wal", "-shm", ".lock"};
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        strbuf_addf(&name, "%s%s", path, ends[i]);
        unlink(name.text);
        strbuf_clear(&name);
    }
    strbuf_release(&name);
    free(path);
    return r;
}

int data_published(struct plot_data *d, const char *csv, struct error *err)
{
    const char *base = getenv("TMPDIR");
    char *folder =
        arena_printf(&d->arena, "%s/vittm.XXXXXX", base != NULL && *base != 0 ? base : "/tmp");
    if (mkdtemp(folder) == NULL)
        return error_env(err, "%s: a temporary folder cannot be made: %s", folder, strerror(errno));
    struct rows *r = read_published(folder, csv, err);
    rmdir(folder);
    if (r == NULL)
        return -1;
    rows_free(d->source.published);
    d->source.published = r;
    return 0;
}
