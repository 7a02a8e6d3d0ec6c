/* vittm query: SQL over the documented views. */
#include "cli/command.h"

#include "base/error.h"
#include "cli/store.h"
#include "results/query.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_OUTPUT, OPTION_DB, {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    int rc = cli_print_to(a, store_query(s, err, a->operands[0], ""), "no rows", err);
    store_close(s);
    return rc;
}

const struct command command_query = {
    .name = "query",
    .group = "Results",
    .summary = "SQL over the documented views",
    .operands = "'SELECT …'",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details =
        "The database cannot be changed this way. `vittm views` lists the views; column names "
        "with a point or a slash are quoted.",
    .examples =
        "  vittm query 'SELECT \"model.rw_head\", avg(\"val/top1\") FROM v_runs GROUP BY 1'",
    .run = run,
};
