/* vittm tag: a note on a run. */
#include "cli/command.h"

#include "base/arena.h"
#include "base/error.h"
#include "cli/store.h"
#include "results/listing.h"

static const struct option_spec options[] = {OPTION_DB, {0}};

static int run(const struct args *a, struct error *err)
{
    struct store *s = cli_store_open(a, STORE_WRITE, err);
    if (s == NULL)
        return -1;
    struct arena arena = {0};
    const char *id = NULL;
    int rc = listing_find_run(s, a->operands[0], &arena, &id, err);
    if (rc == 0)
        rc = store_tag(s, id, a->operands[1], err);
    arena_release(&arena);
    store_close(s);
    return rc == 0 ? EXIT_FINE : -1;
}

const struct command command_tag = {
    .name = "tag",
    .group = "Database",
    .summary = "put a note on a run",
    .operands = "RUN TEXT",
    .min_operands = 2,
    .max_operands = 2,
    .options = options,
    .run = run,
};
