/* vittm table: the ablation table of an experiment. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "cli/table_fit.h"
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
     .value = "EXPR",
     .doc = "the cell to compare with: KEY=VALUE,… or \"label == ViT\" (default: the "
            "experiment's)"},
    {.name = "test",
     .type = OPTION_CHOICE,
     .value = "KIND",
     .choice = test_choice,
     .doc = "test against the baseline over common seeds"},
    {.name = "effects",
     .type = OPTION_FLAG,
     .doc = "main effects and two-way interactions of a full grid instead"},
    {.name = "published",
     .type = OPTION_FLAG,
     .doc = "what the papers printed beside what was measured here instead"},
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

/* Tables of another kind, which have neither rows and columns of one's choice nor a baseline. */
struct kind {
    const char *flag, *why;
    struct rows *(*build)(struct store *s, const struct table_options *o, struct error *err);
};

static const struct kind kinds[] = {
    {"effects", "averages over all axes of the grid", table_effects},
    {"published", "has a row a published number", table_published},
};

static int check_kind(const struct args *a, const struct kind *k, struct error *err)
{
    static const char *const others[] = {"rows", "cols", "baseline", "test"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (args_text(a, others[i]) != NULL)
            return error_set(err, "--%s %s: it does not go with --%s", k->flag, k->why, others[i]);
    return 0;
}

/* The kind that was asked for, or NULL for the usual table. */
static int find_kind(const struct args *a, const struct kind **kind, struct error *err)
{
    *kind = NULL;
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
        if (!args_flag(a, kinds[i].flag))
            continue;
        if (*kind != NULL)
            return error_set(err, "--%s and --%s are two tables: ask for one at a time",
                             (*kind)->flag, kinds[i].flag);
        *kind = &kinds[i];
    }
    return *kind != NULL ? check_kind(a, *kind, err) : 0;
}

static int run(const struct args *a, struct error *err)
{
    const struct kind *other;
    if (find_kind(a, &other, err))
        return -1;
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
    struct rows *table =
        other != NULL ? other->build(s, &o, err) : table_build(s, &o, &warnings, err);
    if (strcmp(args_text(a, "format"), "table") == 0 && args_text(a, "output") == NULL)
        table = table_fit(table, (size_t)cli_width());
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
               "it has a row a cell with its costs. --effects says how far each value of an axis "
               "moves the mean, and what two axes together add to that. --published puts the "
               "numbers that the experiment's paper printed beside those of its cells.",
    .examples = "  vittm table quick --rows model.rw_head --cols model.fusion\n"
                "  vittm table quick --effects\n"
                "  vittm table small-table1 --published\n"
                "  vittm table quick --test paired --format latex -o table.tex",
    .run = run,
};
