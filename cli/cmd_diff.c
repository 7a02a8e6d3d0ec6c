/* vittm diff: what differs between two runs or cells. */
#include "cli/command.h"

#include "base/error.h"
#include "cli/store.h"
#include "results/listing.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_DB, {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    int rc = cli_print(a, listing_diff(s, a->operands[0], a->operands[1], err),
                       "no difference in configuration, environment or metrics", err);
    store_close(s);
    return rc;
}

const struct command command_diff = {
    .name = "diff",
    .group = "Results",
    .summary = "what differs between two runs or cells",
    .operands = "A B",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = run,
};
