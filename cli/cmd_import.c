/* vittm import: runs from a CSV file. */
#include "cli/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/store.h"
#include "results/maintain.h"

static const struct option_spec options[] = {OPTION_DB, {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_make(a, err);
    if (s == NULL)
        return -1;
    int64_t runs = 0;
    int rc = store_import(s, a->operands[0], &runs, err);
    if (rc == 0)
        fprintf(stderr, "%" PRId64 " run%s added\n", runs, runs == 1 ? "" : "s");
    store_close(s);
    return rc == 0 ? EXIT_FINE : -1;
}

const struct command command_import = {
    .name = "import",
    .group = "Database",
    .summary = "read runs from a CSV file as `vittm export` writes it",
    .operands = "FILE.csv",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_FILE,
    .options = options,
    .details =
        "Columns: cell, seed, device, state, label, configuration keys (with a point), metrics "
        "(with a slash). Runs that are done here are kept.",
    .run = run,
};
