/* vittm table: the ablation table of an experiment. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "results/table.h"

static const char *error_choice(int i)
{
    return i < TABLE_ERRORS ? table_error_name((enum table_error)i) : NULL;
}

static const char *test_choice(int i)
{
    return i == 0 ? "paired" : NULL;
}

static const struct option_spec options[] = {
    {.name = "rows", .type = OPTION_TEXT, .value = "KEY", .doc = "configuration key of the rows"},
    {.name = "cols",
     .type = OPTION_TEXT,
     .value = "KEY",
     .doc = "configuration key of the columns"},
    {.name = "metric",
     .type = OPTION_TEXT,
     .value = "NAME",
     .doc = "metric of the cells (default: the first objective, else val/top1)"},
    {.name = "error",
     .type = OPTION_CHOICE,
     .value = "KIND",
     .fallback = "std",
     .choice = error_choice,
     .doc = "what stands behind ±"},
    {.name = "baseline",
     .type = OPTION_TEXT,
     .value = "KEY=VALUE,…",
     .doc = "the cell to compare with (default: the experiment's)"},
    {.name = "test",
     .type = OPTION_CHOICE,
     .value = "KIND",
     .choice = test_choice,
     .doc = "test against the baseline over common seeds"},
    {.name = "device", .type = OPTION_TEXT, .value = "CLASS", .doc = "only runs of this device"},
    OPTION_FORMAT,
    OPTION_OUTPUT,
    OPTION_DB,
    {0}};

static int is_machine_format(const char *format)
{
    return strcmp(format, "csv") == 0 || strcmp(format, "json") == 0 ||
           strcmp(format, "jsonl") == 0;
}

/* Columns of a text (each character of ours is one wide). */
static size_t text_width(const char *text)
{
    size_t n = 0;
    for (; *text != 0; text++)
        n += ((unsigned char)*text & 0xC0) != 0x80;
    return n;
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

/* For people: rather fewer columns than cells cut short. Takes r over. */
static struct rows *fit_width(struct rows *r, size_t width)
{
    size_t n = r != NULL ? columns_that_fit(r, width) : 0;
    if (r == NULL || n == r->columns)
        return r;
    fprintf(stderr, "at %zu columns without", width);
    for (size_t i = n; i < r->columns; i++)
        fprintf(stderr, "%s %s", i > n ? "," : "", r->names[i]);
    fprintf(stderr, " (--format csv has all)\n");
    struct rows *out = first_columns(r, n);
    rows_free(r);
    return out;
}

static int run(const struct args *a, struct error *err)
{
    int kind = table_error_find(args_text(a, "error"), err);
    struct store *s = kind < 0 ? NULL : cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct table_options o = {
        .experiment = a->operands[0],
        .rows = args_text(a, "rows"),
        .cols = args_text(a, "cols"),
        .metric = args_text(a, "metric"),
        .error = (enum table_error)kind,
        .baseline = args_text(a, "baseline"),
        .test = args_text(a, "test") != NULL ? TABLE_PAIRED : TABLE_NO_TEST,
        .device = args_text(a, "device"),
        .machine = is_machine_format(args_text(a, "format")),
    };
    struct strbuf warnings = STRBUF_INIT;
    struct rows *table = table_build(s, &o, &warnings, err);
    if (strcmp(args_text(a, "format"), "table") == 0 && args_text(a, "output") == NULL)
        table = fit_width(table, (size_t)cli_width());
    int rc = cli_print_to(a, table, "the experiment has no cells", err);
    fputs(warnings.text, stderr);
    strbuf_release(&warnings);
    store_close(s);
    return rc;
}

const struct command command_table = {
    .name = "table",
    .group = "Results",
    .summary = "the ablation table of an experiment: mean ± error over seeds",
    .operands = "EXPERIMENT",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details = "With --rows and --cols the table is pivoted over two configuration keys; without, "
               "it has a row a cell with its costs.",
    .examples = "  vittm table quick --rows model.rw_head --cols model.fusion\n"
                "  vittm table quick --test paired --format latex -o table.tex",
    .run = run,
};
