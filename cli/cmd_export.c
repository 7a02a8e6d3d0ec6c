/* vittm export: every run of an experiment as flat rows. */
#include "cli/command.h"

#include "base/error.h"
#include "cli/store.h"
#include "results/maintain.h"

static const struct option_spec options[] = {{.name = "format",
                                              .type = OPTION_CHOICE,
                                              .value = "FORMAT",
                                              .fallback = "csv",
                                              .choice = option_format,
                                              .doc = "how to print"},
                                             OPTION_OUTPUT,
                                             OPTION_DB,
                                             {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    const char *experiment = a->n_operands > 0 ? a->operands[0] : NULL;
    int rc = cli_print_to(a, store_export(s, experiment, err), "no runs", err);
    store_close(s);
    return rc;
}

const struct command command_export = {
    .name = "export",
    .group = "Database",
    .summary = "every run with all its keys and metrics, for `vittm import` or a spreadsheet",
    .operands = "[EXPERIMENT]",
    .max_operands = 1,
    .options = options,
    .examples = "  vittm export quick -o quick.csv",
    .run = run,
};
