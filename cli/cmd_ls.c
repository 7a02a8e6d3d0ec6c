/* vittm ls: runs. */
#include "cli/command.h"

#include "base/error.h"
#include "cli/store.h"
#include "results/listing.h"

static const struct option_spec options[] = {
    {.name = "where",
     .type = OPTION_TEXT,
     .value = "SQL",
     .doc = "a condition over the columns of v_runs: \"state = 'failed'\", "
            "'\"val/top1\" > 60'; a list is the text '[3, 6]'"},
    {.name = "sort",
     .type = OPTION_TEXT,
     .value = "COLUMN",
     .doc = "column to sort by, -COLUMN downwards; several with commas"},
    {.name = "columns",
     .type = OPTION_TEXT,
     .value = "NAMES",
     .doc = "columns of v_runs, with commas"},
    {.name = "limit",
     .letter = 'n',
     .type = OPTION_INT,
     .value = "N",
     .fallback = "0",
     .min = 0,
     .max = 1e9,
     .doc = "at most so many (0: all)"},
    OPTION_FORMAT,
    OPTION_DB,
    {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct listing l = {
        .experiment = a->n_operands > 0 ? a->operands[0] : NULL,
        .where = args_text(a, "where"),
        .sort = args_text(a, "sort"),
        .columns = args_text(a, "columns"),
        .limit = (size_t)args_int(a, "limit"),
    };
    int rc = cli_print(a, listing_runs(s, &l, err), "no such runs", err);
    store_close(s);
    return rc;
}

const struct command command_ls = {
    .name = "ls",
    .group = "Results",
    .summary = "list runs",
    .operands = "[EXPERIMENT]",
    .max_operands = 1,
    .options = options,
    .examples = "  vittm ls quick --sort '-val/top1' -n 5\n"
                "  vittm ls --where \"state = 'failed'\" --columns run,message",
    .run = run,
};
