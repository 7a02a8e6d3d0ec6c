#include "cli/table_fit.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "results/rows.h"

static size_t text_width(const char *text)
{
    return utf8_columns(text, strlen(text));
}

static size_t column_width(const struct rows *r, size_t column)
{
    size_t widest = text_width(r->names[column]);
    for (size_t i = 0; i < r->count; i++) {
        const struct rows_cell *cell = rows_cell(r, i, column);
        size_t n = cell->type == ROWS_TEXT ? text_width(cell->text) : 8;
        widest = n > widest ? n : widest;
    }
    return widest;
}

/* How many columns from the left fit whole; at least two. */
static size_t columns_that_fit(const struct rows *r, size_t width)
{
    size_t used = 0;
    for (size_t i = 0; i < r->columns; i++) {
        used += column_width(r, i) + (i > 0 ? 2 : 0);
        if (used > width && i >= 2)
            return i;
    }
    return r->columns;
}

static struct rows *first_columns(const struct rows *r, size_t n)
{
    struct rows *out = rows_new(n, r->names);
    for (size_t i = 0; i < r->count; i++) {
        const struct rows_cell *from = rows_cell(r, i, 0);
        struct rows_cell *to = rows_append(out);
        for (size_t k = 0; k < n; k++) {
            to[k] = from[k];
            if (from[k].type == ROWS_TEXT)
                rows_set_text(out, &to[k], from[k].text);
            to[k].strong = from[k].strong;
        }
    }
    if (r->caption != NULL)
        out->caption = arena_strdup(&out->arena, r->caption);
    return out;
}

/* The " (n=3)" at the end of a figure, or NULL. */
static const char *count_of(const struct rows_cell *cell)
{
    const char *at = cell->type == ROWS_TEXT ? strstr(cell->text, " (n=") : NULL;
    return at != NULL && strchr(at, ')') == at + strlen(at) - 1 ? at : NULL;
}

static int is_figure(const struct rows_cell *cell)
{
    return cell->type == ROWS_TEXT && strstr(cell->text, " (n=") != NULL;
}

/* What every figure ends in, or NULL where they differ: failures must stay visible. */
static const char *common_count(const struct rows *r)
{
    const char *common = NULL;
    for (size_t i = 0; i < r->count * r->columns; i++) {
        const char *n = count_of(&r->cells[i]);
        if (is_figure(&r->cells[i]) && (n == NULL || (common != NULL && strcmp(n, common) != 0)))
            return NULL;
        common = n != NULL ? n : common;
    }
    return common;
}

static void drop_count(struct rows *r)
{
    for (size_t i = 0; common_count(r) != NULL && i < r->count * r->columns; i++) {
        const char *n = count_of(&r->cells[i]);
        if (n != NULL)
            rows_set_format(r, &r->cells[i], "%.*s", (int)(n - r->cells[i].text), r->cells[i].text);
    }
}

static void shorten_names(struct rows *r)
{
    static const char *const names[][2] = {{"params (M)", "M params"},
                                           {"MACs (M)", "M MACs"},
                                           {"latency (ms)", "ms"},
                                           {"images/s", "img/s"},
                                           {"memory (MB)", "MB"}};
    for (size_t c = 0; c < r->columns; c++)
        for (size_t i = 0; i < sizeof names / sizeof *names; i++)
            if (strcmp(r->names[c], names[i][0]) == 0)
                r->names[c] = names[i][1];
}

static void say_what_is_left_out(const struct rows *r, size_t from, size_t width)
{
    struct strbuf text = STRBUF_INIT, lines = STRBUF_INIT;
    strbuf_addf(&text, "at %zu columns without", width);
    for (size_t i = from; i < r->columns; i++)
        strbuf_addf(&text, "%s %s", i > from ? "," : "", r->names[i]);
    strbuf_adds(&text, " (--format csv has all)");
    help_wrap(&lines, text.text);
    fputs(lines.text, stderr);
    strbuf_release(&text);
    strbuf_release(&lines);
}

struct rows *table_fit(struct rows *r, size_t width)
{
    if (r != NULL && columns_that_fit(r, width) < r->columns)
        drop_count(r);
    if (r != NULL && columns_that_fit(r, width) < r->columns)
        shorten_names(r);
    size_t n = r != NULL ? columns_that_fit(r, width) : 0;
    if (r == NULL || n == r->columns)
        return r;
    say_what_is_left_out(r, n, width);
    struct rows *out = first_columns(r, n);
    rows_free(r);
    return out;
}
