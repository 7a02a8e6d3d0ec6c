/* What a paper printed beside what was measured here: two columns, never one number. */
#include "results/query.h"
#include "results/rows.h"
#include "results/table.h"
#include "results/table_data.h"
#include "base/error.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <math.h>
#include <string.h>

struct beside {
    const struct table_data *d;
    struct rows *published;          /* of v_published, in the order of the file */
    struct rows *measured;           /* cell, metric, n, mean, std */
    const struct table_cell **cells; /* of each published number, or NULL */
    const char **notes;              /* distinct ones, in order of appearance */
    size_t note_count;
};

static const struct rows_cell *field(const struct rows *r, size_t row, const char *column)
{
    static const struct rows_cell none = {.type = ROWS_NULL};
    int i = rows_column(r, column);
    return i >= 0 ? rows_cell(r, row, (size_t)i) : &none;
}

/* ---- which cell is the paper's row ----------------------------------------------------------- */

/* Numbers as numbers: 0.5 is .5. Lists as they are stored or as people write them. */
static int same_value(const struct rows_cell *published, const struct table_cell *c, size_t k)
{
    double value, number = rows_number(published);
    if (published->type == ROWS_TEXT)
        return strcmp(published->text, c->keys[k]) == 0 ||
               (c->typed[k].type == ROWS_TEXT && strcmp(published->text, c->typed[k].text) == 0);
    return isfinite(number) && number_float(c->keys[k], &value) == 0 && value == number;
}

static int has_axes_of(const struct beside *b, const struct table_cell *c, size_t row)
{
    for (size_t k = 0; k < b->d->key_count; k++)
        if (!same_value(field(b->published, row, b->d->keys[k]), c, k))
            return 0;
    return b->d->key_count > 0;
}

/* By the map that names the cell, by the row's name, or by every key that varies. */
static int is_row(const struct beside *b, const struct table_cell *c, size_t row)
{
    const char *mapped = rows_text_of(b->published, row, "cell");
    if (*mapped)
        return strcmp(mapped, c->label) == 0;
    return strcmp(rows_text_of(b->published, row, "row"), c->label) == 0 || has_axes_of(b, c, row);
}

/* NULL where no cell, or more than one, is the row. */
static const struct table_cell *find_cell(const struct beside *b, size_t row)
{
    const struct table_cell *found = NULL;
    for (size_t i = 0; i < b->d->count; i++)
        if (is_row(b, &b->d->cells[i], row)) {
            if (found)
                return NULL;
            found = &b->d->cells[i];
        }
    return found;
}

/* Whether a map gives the same published number to another cell too. */
static int is_shared(const struct beside *b, size_t row)
{
    static const char *const columns[] = {"row", "metric", "table", "source"};
    for (size_t i = 0; i < b->published->count; i++) {
        int same = i != row && *rows_text_of(b->published, i, "cell") &&
                   strcmp(rows_text_of(b->published, i, "cell"),
                          rows_text_of(b->published, row, "cell")) != 0;
        for (size_t k = 0; same && k < sizeof columns / sizeof *columns; k++)
            same = strcmp(rows_text_of(b->published, i, columns[k]),
                          rows_text_of(b->published, row, columns[k])) == 0;
        if (same)
            return 1;
    }
    return 0;
}

static int any_shared(const struct beside *b)
{
    for (size_t i = 0; i < b->published->count; i++)
        if (is_shared(b, i))
            return 1;
    return 0;
}

/* "ViT-S and ViT-S, long": the cells that could all be the row; NULL where one is, or none. */
static const char *rivals(const struct beside *b, size_t row, struct arena *a)
{
    const char *names = NULL;
    int n = 0;
    for (size_t i = 0; i < b->d->count; i++) {
        const char *label = b->d->cells[i].label;
        if (is_row(b, &b->d->cells[i], row))
            names = n++ ? arena_printf(a, "%s and %s", names, label) : label;
    }
    return n > 1 ? names : NULL;
}

struct measurement {
    double mean, std;
    int64_t n; /* seeds; 0: a cost, which has none */
};

static int find_measurement(const struct beside *b, size_t row, struct measurement *m)
{
    const struct rows *r = b->measured;
    const struct table_cell *c = b->cells[row];
    for (size_t i = 0; c && i < r->count; i++) {
        if (strcmp(rows_text_of(r, i, "cell"), c->hash) != 0 ||
            strcmp(rows_text_of(r, i, "metric"), rows_text_of(b->published, row, "metric")) != 0)
            continue;
        *m = (struct measurement){rows_number(field(r, i, "mean")), rows_number(field(r, i, "std")),
                                  (int64_t)rows_number(field(r, i, "n"))};
        return 1;
    }
    return 0;
}

/* ---- notes ----------------------------------------------------------------------------------- */

static const char printed_as[] = "printed as ";

/* The part of a note that says how the number was printed: "1.86 GFLOPs"; its length 0 for none. */
static const char *printed(const char *note, size_t *length)
{
    const char *at = strstr(note, printed_as);
    *length = 0;
    if (!at)
        return "";
    at += strlen(printed_as);
    *length = strcspn(at, ";,");
    return at;
}

/* What a note says besides. */
static const char *remark(const char *note)
{
    size_t length;
    const char *as = printed(note, &length);
    if (as != note + strlen(printed_as))
        return note;
    as += length;
    return as + strspn(as, ";, ");
}

/* Number of the remark in the list, from 1, added where it is new; 0 for none. */
static size_t note_number(struct beside *b, const char *says)
{
    for (size_t i = 0; i < b->note_count; i++)
        if (strcmp(b->notes[i], says) == 0)
            return i + 1;
    if (*says == 0)
        return 0;
    b->notes[b->note_count] = says;
    return ++b->note_count;
}

static void put_caption(struct rows *r, const struct beside *b)
{
    struct strbuf s = STRBUF_INIT;
    strbuf_addf(
        &s,
        "%s: what was published beside what was measured here, with this experiment's data, "
        "sizes and recipe, mean ± standard deviation (n-1) over n seeds; costs are exact.",
        *b->d->title ? b->d->title : b->d->experiment);
    for (size_t i = 0; i < b->note_count; i++)
        strbuf_addf(&s, " [%zu] %s.", i + 1, b->notes[i]);
    r->caption = arena_strdup(&r->arena, s.text);
    r->label = arena_printf(&r->arena, "tab:%s-published", b->d->experiment);
    strbuf_release(&s);
}

/* ---- for people ------------------------------------------------------------------------------ */

/* Counts and bytes by thousands, everything else as it is: 7.096 G, 37.92 M, 76.26. */
static void put_number(struct strbuf *out, const char *metric, double value, double spread)
{
    static const char *const prefixes[] = {"", " k", " M", " G", " T"};
    int counts = strncmp(metric, "cost/", 5) == 0 || strstr(metric, "bytes") != NULL, p = 0;
    for (; counts && fabs(value) >= 999.95 && p < 4; p++) {
        value /= 1000;
        spread /= 1000;
    }
    int decimals = p == 0 ? 2 : fabs(value) < 9.9995 ? 3 : fabs(value) < 99.995 ? 2 : 1;
    strbuf_addf(out, "%.*f", decimals, value);
    if (isfinite(spread))
        strbuf_addf(out, " ± %.*f", decimals, spread);
    strbuf_adds(out, prefixes[p]);
}

static void put_published(struct rows *r, struct rows_cell *cell, const struct rows *p, size_t row)
{
    size_t length;
    struct strbuf s = STRBUF_INIT;
    const char *as = printed(rows_text_of(p, row, "note"), &length);
    if (length)
        strbuf_add(&s, as, length);
    else
        put_number(&s, rows_text_of(p, row, "metric"), rows_number_of(p, row, "value"), NAN);
    rows_set_text(r, cell, s.text);
    strbuf_release(&s);
}

static void put_measured(struct rows *r, struct rows_cell *cell, const struct measurement *m,
                         const char *metric)
{
    struct strbuf s = STRBUF_INIT;
    put_number(&s, metric, m->mean, m->n > 1 ? m->std : NAN);
    if (m->n > 0 && strncmp(metric, "cost/", 5) != 0)
        strbuf_addf(&s, " (n=%lld)", (long long)m->n);
    rows_set_text(r, cell, s.text);
    strbuf_release(&s);
}

static int has_several_tables(const struct rows *p)
{
    for (size_t i = 1; i < p->count; i++)
        if (strcmp(rows_text_of(p, i, "table"), rows_text_of(p, 0, "table")) != 0)
            return 1;
    return 0;
}

/* "3: ViTTM-B (16,64)" where there are several numbered tables. */
static void put_row_name(struct rows *r, struct rows_cell *cell, const struct rows *p, size_t row,
                         size_t several)
{
    const char *table = rows_text_of(p, row, "table");
    several &= *table >= '0' && *table <= '9';
    rows_set_format(r, cell, "%s%s%s", several ? table : "", several ? ": " : "",
                    rows_text_of(p, row, "row"));
}

/* "[2] [3]": what the paper's number needs said, and where it is unclear which cell it is. */
static void put_notes(struct rows *r, struct rows_cell *cell, struct beside *b, size_t row)
{
    const char *several = rivals(b, row, &r->arena);
    size_t own = note_number(b, remark(rows_text_of(b->published, row, "note"))), more = 0;
    if (several)
        more = note_number(b, arena_printf(&r->arena,
                                           "%s could each be this row: a map of cells says which",
                                           several));
    if (own && more)
        rows_set_format(r, cell, "[%zu] [%zu]", own, more);
    else if (own || more)
        rows_set_format(r, cell, "[%zu]", own + more);
}

/* Which cell a row is shows where several are the same one. */
static struct rows *for_people(struct beside *b)
{
    static const char *const all[] = {"row", "cell", "metric", "published", "measured", "note"};
    const char *names[6];
    size_t n = 0, cells = any_shared(b), several = (size_t)has_several_tables(b->published);
    for (size_t i = 0; i < 6; i++)
        if (i != 1 || cells)
            names[n++] = all[i];
    struct rows *r = rows_new(n, names);
    for (size_t i = 0; i < b->published->count; i++) {
        struct measurement m;
        const char *metric = rows_text_of(b->published, i, "metric");
        struct rows_cell *cell = rows_append(r);
        put_row_name(r, cell++, b->published, i, several);
        if (cells)
            rows_set_text(r, cell++, is_shared(b, i) ? rows_text_of(b->published, i, "cell") : "");
        rows_set_text(r, cell++, metric);
        put_published(r, cell++, b->published, i);
        if (find_measurement(b, i, &m))
            put_measured(r, cell++, &m, metric);
        else
            rows_set_text(r, cell++, "—");
        put_notes(r, cell, b, i);
    }
    put_caption(r, b);
    return r;
}

/* ---- for machines ---------------------------------------------------------------------------- */

static struct rows *for_machines(const struct beside *b)
{
    static const char *const copied[] = {"source", "table",      "row",      "metric",
                                         "unit",   "convention", "device",   "precision",
                                         "batch",  "note",       "published"};
    static const char *const own[] = {"cell", "label", "n", "mean", "std"};
    enum { COPIED = sizeof copied / sizeof *copied, OWN = sizeof own / sizeof *own };
    const char *names[COPIED + OWN];
    for (int i = 0; i < COPIED + OWN; i++)
        names[i] = i < COPIED ? copied[i] : own[i - COPIED];
    struct rows *r = rows_new(COPIED + OWN, names);
    for (size_t i = 0; i < b->published->count; i++) {
        struct measurement m;
        struct rows_cell *cell = rows_append(r);
        for (int k = 0; k < COPIED; k++) {
            const char *column = k == COPIED - 1 ? "value" : copied[k];
            const struct rows_cell *from = field(b->published, i, column);
            cell[k] = *from;
            if (from->type == ROWS_TEXT)
                rows_set_text(r, &cell[k], from->text);
        }
        if (!find_measurement(b, i, &m))
            continue;
        rows_set_text(r, &cell[COPIED], b->cells[i]->hash);
        rows_set_text(r, &cell[COPIED + 1], b->cells[i]->label);
        rows_set_integer(&cell[COPIED + 2], m.n);
        rows_set_real(&cell[COPIED + 3], m.mean);
        rows_set_real(&cell[COPIED + 4], m.std);
    }
    return r;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static int load(struct beside *b, struct store *s, const char *device, const char *metric,
                struct arena *a, struct error *err)
{
    const char *experiment = b->d->experiment;
    if (b->d->devices > 1 && !device)
        return error_set(err, "%s has runs of %zu device classes: choose one with --device",
                         experiment, b->d->devices);
    b->published = store_query(
        s, err,
        "SELECT p.* FROM v_published p JOIN v_experiments e ON e.experiment = ?1"
        " AND (e.published = p.file || '.csv' OR e.published LIKE '%/' || p.file || '.csv')"
        " WHERE ?2 IS NULL OR p.metric = ?2 ORDER BY p.line",
        "ss", experiment, metric);
    b->measured = store_query(s, err,
                              "SELECT cell, metric, n, mean, std FROM v_cells WHERE experiment = ?1"
                              " AND (?2 IS NULL OR device IS NULL OR device = ?2)",
                              "ss", experiment, device);
    if (!b->published || !b->measured)
        return -1;
    if (!b->published->count)
        return error_set(
            err, "%s names no published numbers%s%s (published: FILE.csv in the experiment)",
            experiment, metric ? " of " : "", metric ? metric : "");
    b->cells = ARENA_ARRAY(a, const struct table_cell *, b->published->count);
    for (size_t i = 0; i < b->published->count; i++)
        b->cells[i] = find_cell(b, i);
    return 0;
}

struct rows *table_published(struct store *s, const struct table_options *o, struct error *err)
{
    struct arena a = {0};
    struct table_data d = {.arena = {0}};
    struct rows *r = NULL;
    if (table_load(&d, s, o, err))
        return NULL;
    struct beside b = {.d = &d};
    if (load(&b, s, o->device, o->metric, &a, err) == 0) {
        b.notes = ARENA_ARRAY(&a, const char *, 2 * b.published->count + 1);
        r = o->machine ? for_machines(&b) : for_people(&b);
    }
    rows_free(b.published);
    rows_free(b.measured);
    table_release(&d);
    arena_release(&a);
    return r;
}
