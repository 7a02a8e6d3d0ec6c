/* vittm merge: what other databases have and this one lacks. */
#include "cli/command.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/error.h"
#include "cli/store.h"
#include "results/maintain.h"

static const struct option_spec options[] = {OPTION_FORMAT, OPTION_DB, {0}};

static int merge_one(struct store *s, const char *path, int64_t *conflicts, struct error *err)
{
    struct merge_report r = {0};
    if (store_merge(s, path, &r, err) != 0)
        return -1;
    fprintf(stderr,
            "%s: %" PRId64 " new runs in %" PRId64 " cells, %" PRId64 " completed, %" PRId64
            " the same, %" PRId64 " conflicts\n",
            path, r.runs, r.cells, r.replaced, r.same, r.conflicts);
    if (r.differing)
        fprintf(stderr,
                "%s: the file of experiment %s%s differs there: ours is kept, with runs of both\n",
                path, r.example, r.differing > 1 ? " (and others)" : "");
    *conflicts += r.conflicts;
    return 0;
}

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_make(a, err);
    if (s == NULL)
        return -1;
    int64_t conflicts = 0;
    int rc = 0;
    for (int i = 0; i < a->n_operands && rc == 0; i++)
        rc = merge_one(s, a->operands[i], &conflicts, err);
    if (rc == 0 && conflicts > 0)
        rc = cli_print(a, store_conflicts(s, err), NULL, err);
    store_close(s);
    return rc < 0 ? -1 : conflicts > 0 ? EXIT_FAILED : EXIT_FINE;
}

const struct command command_merge = {
    .name = "merge",
    .group = "Database",
    .summary = "copy what other databases have and this one lacks",
    .operands = "OTHER.db …",
    .min_operands = 1,
    .max_operands = -1,
    .operand_kind = OPERAND_FILE,
    .options = options,
    .details =
        "Runs that are done in both with different numbers are conflicts: ours are kept, both are "
        "listed, and the exit code is 1. Times, speeds and memory differ between any two machines "
        "and are none. Experiments keep what is said of them here; the ledger gets the attempts of "
        "both. Merging twice is merging once.",
    .run = run,
};
