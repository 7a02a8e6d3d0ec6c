/* vittm show: one run. */
#include "cli/command.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "cli/store.h"
#include "results/listing.h"

static const struct option_spec options[] = {
    {.name = "config", .doc = "its complete configuration (YAML)"},
    {.name = "log", .doc = "the last lines of its log"},
    {.name = "env", .doc = "what it ran on: commit, binary, machine, libraries"},
    {.name = "curves", .doc = "every metric by epoch"},
    OPTION_FORMAT,
    OPTION_DB,
    {0}};

typedef int text_of_run(struct store *s, const char *run, struct arena *arena, const char **text,
                        struct error *err);

static int print_text(struct store *s, const char *run, text_of_run *text_of, const char *nothing,
                      struct error *err)
{
    struct arena arena = {0};
    const char *text = "";
    int rc = text_of(s, run, &arena, &text, err);
    if (rc == 0 && text[0] == 0)
        fprintf(stderr, "%s\n", nothing);
    if (rc == 0) {
        fputs(text, stdout);
        if (text[0] != 0 && text[strlen(text) - 1] != '\n')
            putchar('\n');
    }
    arena_release(&arena);
    return rc == 0 ? EXIT_FINE : -1;
}

/* The folder as a path from here: the database has it from its own folder on. */
static struct rows *with_path(struct store *s, struct rows *r)
{
    for (size_t i = 0; r != NULL && i < r->count; i++) {
        struct rows_cell *cell = rows_cell(r, i, 0);
        if (strcmp(cell[0].text, "folder") != 0)
            continue;
        char *path = cli_run_folder(s, cell[1].text);
        rows_set_text(r, &cell[1], path);
        free(path);
    }
    return r;
}

static int show(const struct args *a, struct store *s, const char *id, struct error *err)
{
    if (args_flag(a, "config"))
        return print_text(s, id, listing_config, "no configuration is stored", err);
    if (args_flag(a, "log"))
        return print_text(s, id, listing_log, "no log is stored", err);
    if (args_flag(a, "env"))
        return cli_print(a, listing_env(s, id, err), "no environment is stored", err);
    if (args_flag(a, "curves"))
        return cli_print(a, listing_curves(s, id, err), "no curves are stored", err);
    return cli_print(a, with_path(s, listing_show(s, id, err)), NULL, err);
}

static int run(const struct args *a, struct error *err)
{
    if (args_flag(a, "config") + args_flag(a, "log") + args_flag(a, "env") +
            args_flag(a, "curves") >
        1)
        return error_set(err, "--config, --log, --env and --curves exclude each other");
    if ((args_flag(a, "config") || args_flag(a, "log")) && args_given(a, "format"))
        return error_set(err, "--config is YAML and --log text, whatever the format (`vittm show "
                              "RUN --format json` has the configuration too)");
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct arena arena = {0};
    const char *id = NULL;
    int rc = listing_find_run(s, a->operands[0], &arena, &id, err);
    if (rc == 0)
        rc = show(a, s, id, err);
    arena_release(&arena);
    store_close(s);
    return rc;
}

const struct command command_show = {
    .name = "show",
    .group = "Results",
    .summary = "everything about one run",
    .operands = "RUN",
    .min_operands = 1,
    .max_operands = 1,
    .options = options,
    .details = "RUN is an id as `vittm ls` prints it, or its beginning where that is unique.",
    .examples = "  vittm show 3fa2c1d0-s0-cpu --curves --format csv",
    .run = run,
};
