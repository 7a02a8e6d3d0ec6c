/* The cell that a table compares with: what the experiment says, KEY=VALUE, or an expression. */
#include "results/query.h"
#include "results/rows.h"
#include "results/store_internal.h"
#include "results/table_data.h"
#include "base/config.h"
#include "base/error.h"
#include "base/expr.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

/* A condition of the baseline: the column and the text its value must have. */
struct condition {
    const char *key, *text;
};

static size_t parse_baseline(struct table_data *d, const char *text, struct condition **list,
                             struct error *err)
{
    size_t n = 0, cap = 0;
    char *copy = arena_strdup(&d->arena, text), *rest = copy;
    for (char *item; (item = strsep(&rest, ","));) {
        char *equals = strchr(item, '=');
        if (n && !equals) { /* what follows in a list: model.memory_blocks=3,6,9 */
            item[-1] = ',';
            continue;
        }
        item += strspn(item, " ");
        if (!equals || equals == item) {
            error_set(err, "--baseline %s: write KEY=VALUE,KEY=VALUE", text);
            free(*list);
            *list = NULL;
            return 0;
        }
        *equals = 0;
        *list = mem_grow(*list, n, &cap, sizeof **list);
        (*list)[n++] = (struct condition){item, equals + 1};
    }
    return n;
}

static size_t stored_baseline(struct table_data *d, struct store *s, struct condition **list,
                              struct error *err)
{
    struct rows *r = store_query(
        s, err,
        "SELECT b.key, b.value FROM experiment_baseline b JOIN experiment e ON e.id = b.experiment"
        " WHERE e.name = ?",
        "s", d->experiment);
    if (!r)
        return 0;
    size_t n = r->count;
    *list = mem_zalloc(n, sizeof **list);
    for (size_t i = 0; i < n; i++)
        (*list)[i] = (struct condition){arena_strdup(&d->arena, rows_cell(r, i, 0)->text),
                                        table_value_text(&d->arena, rows_cell(r, i, 1))};
    rows_free(r);
    return n;
}

/* Numbers as numbers, and a list of one number is that number: so was it written. */
static int meets(struct table_data *d, const struct rows_cell *cell, const char *wanted)
{
    double here, number;
    const char *have = config_plain(&d->arena, table_value_text(&d->arena, cell));
    const char *plain = config_plain(&d->arena, wanted);
    return strcmp(have, plain) == 0 ||
           (!number_float(plain, &number) && !number_float(have, &here) && here == number);
}

/* Marks the cells of the experiment that meet all conditions. Returns how many, or -1. */
static int mark_baseline(struct table_data *d, struct store *s, const struct condition *list,
                         size_t n, struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    int marked = 0;
    strbuf_adds(&sql, "SELECT c.id");
    for (size_t i = 0; i < n; i++) {
        if (table_check_key(s, list[i].key, err)) {
            strbuf_release(&sql);
            return -1;
        }
        strbuf_addf(&sql, ", c.k%lld", (long long)table_key_id(s, list[i].key));
    }
    strbuf_adds(&sql, " FROM experiment e JOIN member_cell m ON m.experiment = e.id"
                      " JOIN cell c ON c.id = m.cell WHERE e.name = ? ORDER BY m.position, c.id");
    struct rows *r = store_query(s, err, sql.text, "s", d->experiment);
    strbuf_release(&sql);
    if (!r)
        return -1;
    for (size_t row = 0; row < r->count && row < d->count; row++) {
        int good = 1;
        for (size_t i = 0; i < n && good; i++)
            good = meets(d, rows_cell(r, row, i + 1), list[i].text);
        d->cells[row].is_baseline = good;
        marked += good;
        if (good)
            d->baseline = &d->cells[row];
    }
    rows_free(r);
    return marked;
}

/* ---- by an expression ------------------------------------------------------------------------ */

/* "model.depth == 2 and label != ViT", not "model.depth=2,model.dim=16". */
static int is_expression(const char *text)
{
    return strstr(text, "==") || strstr(text, " in ") || strpbrk(text, "!<>");
}

/* A row of the values that the expression names, in columns called so. */
struct place {
    const struct rows *r;
    size_t row;
    const struct store *s;
};

static struct expr_value lookup(void *ctx, const char *name)
{
    const struct place *p = ctx;
    int column = rows_column(p->r, name);
    if (column < 0)
        return (struct expr_value){EXPR_UNKNOWN, 0, NULL};
    const struct rows_cell *c = rows_cell(p->r, p->row, (size_t)column);
    if (c->type == ROWS_NULL)
        return (struct expr_value){EXPR_MISSING, 0, NULL};
    if (c->type != ROWS_TEXT)
        return (struct expr_value){EXPR_NUMBER, rows_number(c), NULL};
    if (!strcmp(c->text, "true") || !strcmp(c->text, "false"))
        return (struct expr_value){EXPR_BOOL, *c->text == 't', NULL};
    if (*c->text == '[')
        return expr_list(c->text);
    return (struct expr_value){EXPR_STRING, 0, c->text};
}

static const char *suggest(void *ctx, const char *name)
{
    return table_near_key(((const struct place *)ctx)->s, name);
}

/* The cells' labels and those of their keys that the expression names; bare words are text. */
static struct rows *named_values(struct table_data *d, struct store *s, const struct expr *e,
                                 struct error *err)
{
    struct strbuf sql = STRBUF_INIT;
    const char *name;
    strbuf_adds(&sql, "SELECT m.label AS label");
    for (int i = 0; (name = expr_name(e, i)); i++) {
        if (!strchr(name, '.'))
            continue;
        if (table_check_key(s, name, err)) {
            strbuf_release(&sql);
            return NULL;
        }
        strbuf_addf(&sql, ", c.k%lld AS ", (long long)table_key_id(s, name));
        sql_quote(&sql, name);
    }
    strbuf_adds(&sql, " FROM experiment e JOIN member_cell m ON m.experiment = e.id"
                      " JOIN cell c ON c.id = m.cell WHERE e.name = ? ORDER BY m.position, c.id");
    struct rows *r = store_query(s, err, sql.text, "s", d->experiment);
    strbuf_release(&sql);
    return r;
}

static int too_few_or_many(const struct table_data *d, int marked, struct error *err)
{
    return error_set(err, "the baseline is %s of %s: %s", marked > 1 ? "several cells" : "no cell",
                     d->experiment,
                     marked > 1 ? "name more keys in --baseline" : "see `vittm plan`");
}

/* Returns 1 where exactly one cell fits, or -1. */
static int mark_by_expression(struct table_data *d, struct store *s, const char *text,
                              struct error *err)
{
    const struct expr *e = expr_parse(&d->arena, text, err);
    struct rows *r = e ? named_values(d, s, e, err) : NULL;
    struct place place = {r, 0, s};
    const struct expr_scope scope = {lookup, suggest, &place};
    int marked = 0, rc = r ? 0 : -1;
    for (; !rc && place.row < r->count && place.row < d->count; place.row++) {
        int holds;
        rc = expr_test(e, &scope, &holds, err);
        if (rc || !holds)
            continue;
        d->cells[place.row].is_baseline = 1;
        d->baseline = &d->cells[place.row];
        marked++;
    }
    rows_free(r);
    if (rc)
        return error_prefix(err, "--baseline");
    return marked == 1 ? 1 : too_few_or_many(d, marked, err);
}

/* ---- which it is ----------------------------------------------------------------------------- */

int table_baseline(struct table_data *d, struct store *s, const struct table_options *o,
                   struct error *err)
{
    if (o->baseline && is_expression(o->baseline))
        return mark_by_expression(d, s, o->baseline, err) == 1 ? 0 : -1;
    struct condition *list = NULL;
    size_t n = o->baseline ? parse_baseline(d, o->baseline, &list, err)
                           : stored_baseline(d, s, &list, err);
    int needed = o->baseline || o->test == TABLE_PAIRED;
    int marked = n ? mark_baseline(d, s, list, n, needed ? err : NULL) : 0;
    free(list);
    if (n && marked == 1)
        return 0;
    d->baseline = NULL;
    for (size_t i = 0; i < d->count; i++)
        d->cells[i].is_baseline = 0;
    if (!needed)
        return 0;
    if (o->baseline && (!n || marked < 0))
        return -1;
    if (!n)
        return error_set(err, "%s has no baseline to test against: give --baseline KEY=VALUE,…",
                         d->experiment);
    return too_few_or_many(d, marked, err);
}
