/* One run's facts, and what differs between two. */
#include "results/listing.h"
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "base/arena.h"
#include "base/error.h"

#include <string.h>

/* ---- one row stood on its side --------------------------------------------------------------- */

/* The columns of the first row that are not NULL, as key and value. */
static struct rows *transpose(const struct rows *wide)
{
    static const char *const names[] = {"key", "value"};
    struct rows *r = rows_new(2, names);
    r->wraps = 1;
    for (size_t c = 0; c < wide->columns && wide->count; c++) {
        const struct rows_cell *from = rows_cell(wide, 0, c);
        if (from->type == ROWS_NULL)
            continue;
        struct rows_cell *cell = rows_append(r);
        rows_set_text(r, &cell[0], wide->names[c]);
        if (from->type == ROWS_TEXT)
            rows_set_text(r, &cell[1], from->text);
        else
            cell[1] = *from;
    }
    return r;
}

struct rows *listing_show(struct store *s, const char *run, struct error *err)
{
    struct arena arena = {0};
    const char *id;
    struct rows *wide = NULL, *result = NULL;
    if (listing_find_run(s, run, &arena, &id, err) == 0)
        wide = store_query(s, err, "SELECT * FROM v_runs WHERE run = ? LIMIT 1", "s", id);
    if (wide)
        result = transpose(wide);
    rows_free(wide);
    arena_release(&arena);
    return result;
}

/* ---- texts ----------------------------------------------------------------------------------- */

static int read_text(struct store *s, const char *run, const char *sql, struct arena *arena,
                     const char **text, struct error *err)
{
    const char *id;
    if (listing_find_run(s, run, arena, &id, err))
        return -1;
    struct rows *r = store_query(s, err, sql, "s", id);
    if (!r)
        return -1;
    int there = r->count > 0 && rows_cell(r, 0, 0)->type == ROWS_TEXT;
    *text = there ? arena_strdup(arena, rows_cell(r, 0, 0)->text) : "";
    rows_free(r);
    return 0;
}

int listing_config(struct store *s, const char *run, struct arena *arena, const char **text,
                   struct error *err)
{
    return read_text(
        s, run, "SELECT t.config FROM run r JOIN cell_text t ON t.cell = r.cell WHERE r.key = ?",
        arena, text, err);
}

int listing_log(struct store *s, const char *run, struct arena *arena, const char **text,
                struct error *err)
{
    return read_text(s, run,
                     "SELECT l.log FROM run r JOIN run_log l ON l.run = r.id WHERE r.key = ?",
                     arena, text, err);
}

static struct rows *of_run(struct store *s, const char *run, const char *sql, struct error *err)
{
    struct arena arena = {0};
    const char *id;
    struct rows *r = NULL;
    if (listing_find_run(s, run, &arena, &id, err) == 0)
        r = store_query(s, err, sql, "s", id);
    arena_release(&arena);
    return r;
}

struct rows *listing_env(struct store *s, const char *run, struct error *err)
{
    return of_run(s, run, "SELECT key, text AS value FROM v_env WHERE run = ? ORDER BY key", err);
}

struct rows *listing_curves(struct store *s, const char *run, struct error *err)
{
    return of_run(
        s, run,
        "SELECT n.name AS metric, nullif(v.epoch, -1) AS epoch, nullif(v.step, -1) AS step,"
        " v.value AS value FROM run r JOIN curve v ON v.run = r.id"
        " JOIN name n ON n.id = v.name WHERE r.key = ?"
        " ORDER BY n.name, v.epoch, v.step",
        err);
}

/* ---- diff ------------------------------------------------------------------------------------ */

struct side {
    const char *run, *cell; /* run is NULL where a cell was named */
    struct rows *wide, *env;
};

/* A cell that is named in full or by a prefix that no run makes ambiguous; else a run. */
static int find_side(struct store *s, const char *text, struct arena *arena, struct side *side,
                     struct error *err)
{
    struct error run_error = {0};
    if (listing_find_run(s, text, arena, &side->run, &run_error) == 0) {
        struct rows *r = store_query(
            s, err, "SELECT c.hash FROM run r JOIN cell c ON c.id = r.cell WHERE r.key = ?", "s",
            side->run);
        if (!r)
            return -1;
        side->cell = arena_strdup(arena, rows_cell(r, 0, 0)->text);
        rows_free(r);
        return 0;
    }
    side->run = NULL;
    if (listing_find_cell(s, text, arena, &side->cell, NULL) == 0)
        return 0;
    *err = run_error;
    return -1;
}

/* Metrics of a cell are means over its runs that are done on the device of the row that stands for
 * it. */
static int take_means(struct store *s, struct side *side, struct error *err)
{
    const struct rows *wide = side->wide;
    struct rows *means = store_query(
        s, err,
        "SELECT n.name, avg(v.value) FROM cell c JOIN run r ON r.cell = c.id"
        " JOIN run_metric v ON v.run = r.id JOIN name n ON n.id = v.name"
        " WHERE c.hash = ?1 AND r.device = ?2 AND r.state = 'done' GROUP BY n.name",
        "ss", side->cell, rows_cell(wide, 0, (size_t)rows_column(wide, "device"))->text);
    for (size_t i = 0; means && i < means->count; i++) {
        int column = rows_column(wide, rows_cell(means, i, 0)->text);
        if (column >= 0)
            *rows_cell(wide, 0, (size_t)column) = *rows_cell(means, i, 1);
    }
    rows_free(means);
    return means ? 0 : -1;
}

static int read_side(struct store *s, struct side *side, struct error *err)
{
    if (side->run) {
        side->wide =
            store_query(s, err, "SELECT * FROM v_runs WHERE run = ? LIMIT 1", "s", side->run);
        side->env = store_query(s, err, "SELECT key, text FROM v_env WHERE run = ? ORDER BY key",
                                "s", side->run);
    } else {
        side->wide = store_query(
            s, err, "SELECT * FROM v_runs WHERE cell = ? ORDER BY state = 'done' DESC LIMIT 1", "s",
            side->cell);
        side->env = store_query(s, err, "SELECT key, text FROM v_env WHERE 0", "");
    }
    if (side->wide && side->env && side->wide->count == 0)
        return error_set(err, "cell %s has no run yet", side->cell);
    if (!side->wide || !side->env)
        return -1;
    return side->run ? 0 : take_means(s, side, err);
}

static int same_cell(const struct rows_cell *a, const struct rows_cell *b)
{
    if (a->type != b->type)
        return 0;
    if (a->type == ROWS_TEXT)
        return strcmp(a->text, b->text) == 0;
    if (a->type == ROWS_NULL)
        return 1;
    return rows_number(a) == rows_number(b);
}

static void copy_cell(struct rows *r, struct rows_cell *to, const struct rows_cell *from)
{
    if (from->type == ROWS_TEXT)
        rows_set_text(r, to, from->text);
    else
        *to = *from;
}

static void add_difference(struct rows *r, const char *key, const struct rows_cell *a,
                           const struct rows_cell *b)
{
    struct rows_cell *cell = rows_append(r);
    rows_set_text(r, &cell[0], key);
    copy_cell(r, &cell[1], a);
    copy_cell(r, &cell[2], b);
}

/* Columns of v_runs: first the keys (with a dot and no slash), then the metrics. */
static void diff_columns(struct rows *r, const struct side *a, const struct side *b, int metrics)
{
    int first = rows_column(a->wide, "commit_hash") + 1;
    for (size_t c = (size_t)first; c < a->wide->columns; c++) {
        int is_metric = strchr(a->wide->names[c], '/') != NULL;
        int other =
            rows_column(b->wide, a->wide->names[c]); /* a writer may have added columns between */
        if (other < 0)
            continue;
        const struct rows_cell *x = rows_cell(a->wide, 0, c),
                               *y = rows_cell(b->wide, 0, (size_t)other);
        if (is_metric == metrics && !same_cell(x, y))
            add_difference(r, a->wide->names[c], x, y);
    }
}

static void diff_env(struct rows *r, const struct rows *a, const struct rows *b)
{
    static const struct rows_cell none = {0};
    size_t i = 0, j = 0;
    while (i < a->count || j < b->count) {
        int order = i == a->count   ? 1
                    : j == b->count ? -1
                                    : strcmp(rows_cell(a, i, 0)->text, rows_cell(b, j, 0)->text);
        const struct rows_cell *x = order <= 0 ? rows_cell(a, i, 1) : &none;
        const struct rows_cell *y = order >= 0 ? rows_cell(b, j, 1) : &none;
        if (!same_cell(x, y))
            add_difference(r, order <= 0 ? rows_cell(a, i, 0)->text : rows_cell(b, j, 0)->text, x,
                           y);
        i += order <= 0;
        j += order >= 0;
    }
}

struct rows *listing_diff(struct store *s, const char *a, const char *b, struct error *err)
{
    static const char *const names[] = {"key", "a", "b"};
    struct arena arena = {0};
    struct side x = {0}, y = {0};
    struct rows *r = NULL;
    if (find_side(s, a, &arena, &x, err) == 0 && find_side(s, b, &arena, &y, err) == 0 &&
        read_side(s, &x, err) == 0 && read_side(s, &y, err) == 0) {
        r = rows_new(3, names);
        diff_columns(r, &x, &y, 0);
        diff_env(r, x.env, y.env);
        diff_columns(r, &x, &y, 1);
    }
    rows_free(x.wide);
    rows_free(y.wide);
    rows_free(x.env);
    rows_free(y.env);
    arena_release(&arena);
    return r;
}
