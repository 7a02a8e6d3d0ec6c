/* vittm report: one HTML page about experiments. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/error.h"
#include "base/strbuf.h"
#include "base/version.h"
#include "cli/store.h"
#include "plots/data.h"
#include "plots/report.h"

static const struct option_spec options[] = {
    {.name = "no-figures", .doc = "tables and sentences only (does not need gnuplot)"},
    {.name = "no-date", .doc = "the same data give the same bytes"},
    OPTION_OUTPUT,
    OPTION_DB,
    {0}};

/* The command line as it was typed, with quotes where a shell needs them. */
static void command_line(const struct args *a, struct strbuf *out)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=,:+@%";
    for (int i = 0; i < a->argc; i++) {
        const char *word = a->argv[i];
        strbuf_adds(out, i > 0 ? " " : "");
        if (word[0] != 0 && word[strspn(word, plain)] == 0) {
            strbuf_adds(out, word);
            continue;
        }
        strbuf_addc(out, '\'');
        for (const char *c = word; *c != 0; c++)
            if (*c == '\'')
                strbuf_adds(out, "'\\''");
            else
                strbuf_addc(out, *c);
        strbuf_addc(out, '\'');
    }
}

static void today(char *text, size_t size)
{
    time_t now = time(NULL);
    struct tm parts;
    gmtime_r(&now, &parts);
    strftime(text, size, "%Y-%m-%d %H:%M UTC", &parts);
}

static int write_page(const struct args *a, struct plot_data *d, struct error *err)
{
    struct strbuf command = STRBUF_INIT, version = STRBUF_INIT;
    char date[32];
    command_line(a, &command);
    strbuf_addf(&version, "vittm %s (%.12s%s)", version_number(), version_commit(),
                version_dirty() ? ", modified" : "");
    today(date, sizeof date);
    struct report_options o = {.command = command.text,
                               .database = args_db(a),
                               .version = version.text,
                               .date = args_flag(a, "no-date") ? NULL : date,
                               .figures = !args_flag(a, "no-figures")};
    int rc = report_write(d, &o, args_text(a, "output"), err);
    strbuf_release(&command);
    strbuf_release(&version);
    return rc;
}

static int run(const struct args *a, struct error *err)
{
    const char *path = args_text(a, "output");
    if (path == NULL)
        return error_set(err, "say where to: -o report.html");
    struct store *s = cli_store_open(a, STORE_READ, err);
    if (s == NULL)
        return -1;
    struct plot_data d = {0};
    int rc = data_load(&d, s, a->operands, (size_t)a->n_operands, err);
    store_close(s);
    if (rc == 0 && d.n_cells == 0)
        rc = error_code(err, EXIT_FAILED, "the database has no runs of it yet: nothing to report");
    if (rc == 0)
        rc = write_page(a, &d, err);
    data_release(&d);
    if (rc == 0)
        fprintf(stderr, "wrote %s\n", path);
    return rc == 0 ? EXIT_FINE : -1;
}

const struct command command_report = {
    .name = "report",
    .group = "Results",
    .summary = "one self-contained HTML page: tables, figures, configuration, provenance",
    .operands = "[EXPERIMENT …]",
    .max_operands = -1,
    .operand_kind = OPERAND_NONE,
    .options = options,
    .details =
        "The page reads no network and no other file, sorts its tables, and can be printed. Its "
        "sentences are computed: what was run, the best cell, the Pareto front, what the seeds can "
        "and cannot decide, compute with failed runs, and a reproducibility checklist. Without an "
        "experiment all runs are reported.",
    .examples = "  vittm report quick -o out/quick/report.html",
    .run = run,
};
