/* Export as flat rows, and import of such rows (ours, or those of another tool with the same
 * habits). */
#include "results/csv.h"
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

struct rows *store_export(struct store *s, const char *experiment, struct error *err)
{
    int64_t id;
    if (experiment && find_experiment(s, experiment, &id, err))
        return NULL;
    return store_query(s, err,
                       "SELECT * FROM v_runs WHERE ?1 IS NULL OR experiment = ?1"
                       " ORDER BY experiment, position, seed, device",
                       "s", experiment);
}

/* ---- import ---------------------------------------------------------------------------------- */

/* What the columns of a file are. */
struct import {
    struct store *s;
    const struct csv *csv;
    int cell, seed, device, state, label, experiment, wall_s;
    unsigned char *kind; /* of each column */
    int64_t runs;
};

enum { OTHER, KEY, METRIC };

/* Our own export puts a ' before texts that a spreadsheet would run. */
static const char *unguarded(const char *text)
{
    return text[0] == '\'' && text[1] && strchr("=+-@\t\r", text[1]) ? text + 1 : text;
}

static const char *key_name(const char *column)
{
    return strncmp(column, "config:", 7) == 0   ? column + 7
           : strncmp(column, "config.", 7) == 0 ? column + 7
                                                : column;
}

/* Metrics have a slash, keys a dot or a mark; columns of neither kind are facts of our own export.
 */
static void classify(struct import *m)
{
    const struct csv *csv = m->csv;
    m->kind = mem_zalloc(csv->columns, 1);
    for (size_t c = 0; c < csv->columns; c++) {
        if (strchr(csv->header[c], '/'))
            m->kind[c] = METRIC;
        else if (strchr(csv->header[c], '.') || key_name(csv->header[c]) != csv->header[c])
            m->kind[c] = KEY;
    }
    m->cell = csv_column(csv, "cell");
    m->seed = csv_column(csv, "seed");
    m->device = csv_column(csv, "device");
    m->state = csv_column(csv, "state");
    m->label = csv_column(csv, "label");
    m->experiment = csv_column(csv, "experiment");
    m->wall_s = csv_column(csv, "wall_s");
}

static size_t read_values(const struct import *m, size_t row, struct store_value *values)
{
    size_t n = 0;
    for (size_t c = 0; c < m->csv->columns; c++) {
        const char *text = unguarded(csv_field(m->csv, row, (int)c));
        double real;
        int64_t integer;
        if (m->kind[c] != KEY || !*text)
            continue;
        enum store_type type = number_int(text, &integer) == 0  ? STORE_INTEGER
                               : number_float(text, &real) == 0 ? STORE_REAL
                                                                : STORE_TEXT;
        values[n++] = (struct store_value){key_name(m->csv->header[c]), type, text};
    }
    return n;
}

static int read_metrics(const struct import *m, size_t row, struct store_metric *metrics,
                        size_t *count, struct error *err)
{
    *count = 0;
    for (size_t c = 0; c < m->csv->columns; c++) {
        const char *text = csv_field(m->csv, row, (int)c);
        double value;
        if (m->kind[c] != METRIC || !*text)
            continue;
        if (strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0)
            value = *text == '-' ? -INFINITY : INFINITY;
        else if (number_float(text, &value))
            return error_set(err, "%s:%d: %s is '%s', not a number", m->csv->name,
                             m->csv->lines[row], m->csv->header[c], text);
        metrics[(*count)++] = (struct store_metric){m->csv->header[c], value};
    }
    return 0;
}

static int by_key(const void *a, const void *b)
{
    return strcmp(((const struct store_value *)a)->key, ((const struct store_value *)b)->key);
}

/* The cell of a row that names none is the hash of its keys; the text of keys stands in for the
 * file that nobody has. */
static int put_cell(const struct import *m, size_t row, struct store_value *values, size_t n,
                    char id[65], struct error *err)
{
    struct strbuf config = STRBUF_INIT;
    int64_t there;
    qsort(values, n, sizeof *values, by_key);
    for (size_t i = 0; i < n; i++)
        strbuf_addf(&config, "%s: %s\n", values[i].key, values[i].text);
    const char *given = csv_field(m->csv, row, m->cell);
    if (strlen(given) > 64) {
        strbuf_release(&config);
        return error_set(err, "%s:%d: '%.80s' is no cell id", m->csv->name, m->csv->lines[row],
                         given);
    }
    if (*given)
        snprintf(id, 65, "%s", given);
    else
        file_sha256_bytes(config.text, config.len, id);
    struct store_cell cell = {
        .id = id, .identity = "", .config = config.text, .values = values, .value_count = n};
    int rc = sql_integer(m->s, err, &there, "SELECT id FROM cell WHERE hash=?", "s", id);
    if (rc == 0)
        rc = store_put_cell(m->s, &cell, err);
    strbuf_release(&config);
    return rc < 0 ? -1 : 0;
}

static int put_experiment(const struct import *m, size_t row, const char *cell, struct error *err)
{
    int64_t id;
    const char *name = csv_field(m->csv, row, m->experiment);
    const char *label = unguarded(csv_field(m->csv, row, m->label));
    if (!*name)
        return 0;
    struct store_experiment e = {.name = name, .title = name};
    int there = sql_integer(m->s, err, &id, "SELECT id FROM experiment WHERE name=?", "s", name);
    if (there < 0 || (there == 0 && store_put_experiment(m->s, &e, err)) ||
        (there == 0 && find_experiment(m->s, name, &id, err)))
        return -1;
    return sql_run(
        m->s, err,
        "INSERT OR IGNORE INTO member_cell SELECT ?1, c.id,"
        " (SELECT coalesce(max(position) + 1, 0) FROM member_cell WHERE experiment=?1), ?3"
        " FROM cell c WHERE c.hash=?2",
        "iss", id, cell, *label ? label : NULL);
}

static int put_run(struct import *m, size_t row, const char *cell,
                   const struct store_metric *metrics, size_t count, struct error *err)
{
    char id[STORE_RUN_ID];
    int64_t seed = 0, done = 0;
    double wall_s = 0;
    const char *experiment = csv_field(m->csv, row, m->experiment),
               *text = csv_field(m->csv, row, m->seed);
    const char *device = csv_field(m->csv, row, m->device),
               *name = csv_field(m->csv, row, m->state);
    if (!*device)
        device = "imported";
    if (*text && number_int(text, &seed))
        return error_set(err, "%s:%d: seed '%s' is not a whole number", m->csv->name,
                         m->csv->lines[row], text);
    int state = *name ? store_state_find(name) : STORE_DONE;
    if (state < 0)
        return error_set(err, "%s:%d: unknown state '%s'", m->csv->name, m->csv->lines[row], name);
    number_float(csv_field(m->csv, row, m->wall_s), &wall_s);
    store_run_id(id, cell, seed, device);
    if (sql_integer(m->s, err, &done, "SELECT state='done' FROM run WHERE key=?", "s", id) < 0 ||
        store_put_run(m->s, *experiment ? experiment : NULL, cell, seed, device, NULL, err))
        return -1;
    if (done || (state != STORE_DONE && state != STORE_FAILED && state != STORE_TIMEOUT))
        return 0;
    struct store_fact fact = {"imported_from", m->csv->name};
    struct store_result r = {.state = (enum store_state)state,
                             .wall_s = wall_s,
                             .metrics = metrics,
                             .metric_count = count,
                             .facts = &fact,
                             .fact_count = 1};
    m->runs++;
    return store_ingest(m->s, id, &r, err);
}

static int import_rows(struct import *m, struct error *err)
{
    struct store_value *values = mem_zalloc(m->csv->columns, sizeof *values);
    struct store_metric *metrics = mem_zalloc(m->csv->columns, sizeof *metrics);
    char cell[65];
    int rc = 0;
    for (size_t row = 0; row < m->csv->count && !rc; row++) {
        size_t n = read_values(m, row, values), count;
        rc = read_metrics(m, row, metrics, &count, err);
        if (!rc)
            rc = put_cell(m, row, values, n, cell, err);
        if (!rc)
            rc = put_experiment(m, row, cell, err);
        if (!rc)
            rc = put_run(m, row, cell, metrics, count, err);
    }
    free(values);
    free(metrics);
    return rc;
}

int store_import(struct store *s, const char *path, int64_t *runs, struct error *err)
{
    struct csv csv = {0};
    struct tx tx;
    *runs = 0;
    if (csv_read(&csv, path, err))
        return -1;
    struct import m = {.s = s, .csv = &csv};
    classify(&m);
    int rc = tx_enter(s, &tx, err);
    if (!rc)
        rc = tx_leave(s, &tx, import_rows(&m, err), err);
    if (!rc)
        *runs = m.runs;
    free(m.kind);
    csv_release(&csv);
    return rc;
}
