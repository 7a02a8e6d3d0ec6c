/* vittm gc: removes what belongs to no experiment, in the database and on disk. */
#include "cli/command.h"

#include <errno.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"
#include "cli/store.h"
#include "results/maintain.h"
#include "results/query.h"
#include "results/rows.h"
#include "train/checkpoint.h"

static const struct option_spec options[] = {
    {.name = "done", .doc = "also remove runs that are done"},
    {.name = "checkpoints", .doc = "also remove the checkpoints of runs that are done"},
    {.name = "dry-run", .letter = 'n', .doc = "only list what would go"},
    OPTION_FORMAT,
    OPTION_DB,
    {0}};

static int remove_entry(const char *path, const struct stat *st, int kind, struct FTW *walk)
{
    (void)st;
    (void)kind;
    (void)walk;
    return remove(path);
}

/* Only a folder that a runner made: it has a run.yaml. */
static void remove_folder(const char *path)
{
    struct strbuf mark = STRBUF_INIT;
    strbuf_addf(&mark, "%s/run.yaml", path);
    if (!file_is_folder(path))
        ; /* gone already */
    else if (!file_exists(mark.text))
        warn("%s has no run.yaml: left alone", path);
    else if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        warn("%s: cannot be removed: %s", path, strerror(errno));
    strbuf_release(&mark);
}

static void remove_folders(const struct rows *rows, const struct store *s)
{
    int column = rows_column(rows, "folder");
    for (size_t i = 0; column >= 0 && i < rows->count; i++) {
        const struct rows_cell *cell = rows_cell(rows, i, (size_t)column);
        if (cell->type != ROWS_TEXT || cell->text[0] == 0)
            continue;
        char *path = cli_run_folder(s, cell->text);
        remove_folder(path);
        free(path);
    }
}

/* Of runs that kept them (train.keep_checkpoints) or were killed before they could remove them. */
static int remove_checkpoints(struct store *s, struct error *err)
{
    struct rows *done =
        store_query(s, err, "SELECT folder FROM v_runs WHERE state = 'done' AND folder <> ''", "");
    for (size_t i = 0; done != NULL && i < done->count; i++) {
        char *path = cli_run_folder(s, rows_cell(done, i, 0)->text);
        if (file_is_folder(path))
            checkpoint_remove(path);
        free(path);
    }
    rows_free(done);
    return done != NULL ? 0 : -1;
}

static int run(const struct args *a, struct error *err)
{
    int dry = args_flag(a, "dry-run");
    struct store *s = cli_store_open(a, dry ? STORE_READ : STORE_WRITE, err);
    if (s == NULL)
        return -1;
    if (!dry && args_flag(a, "checkpoints") && remove_checkpoints(s, err)) {
        store_close(s);
        return -1;
    }
    struct rows *rows = store_gc(s, args_flag(a, "done"), dry, err);
    if (rows != NULL && !dry)
        remove_folders(rows, s);
    int rc = cli_print(a, rows, "nothing to remove", err);
    store_close(s);
    return rc;
}

const struct command command_gc = {
    .name = "gc",
    .group = "Database",
    .summary = "remove runs that belong to no experiment, with their folders",
    .options = options,
    .details =
        "Prints what went. Runs that are done stay unless --done is given. The file is compacted.",
    .run = run,
};
