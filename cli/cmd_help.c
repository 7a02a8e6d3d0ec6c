/* vittm help: the overview, a command's help, the manual pages. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/file.h"
#include "base/strbuf.h"

static const struct option_spec options[] = {
    {.name = "man",
     .type = OPTION_TEXT,
     .value = "FOLDER",
     .doc = "write a manual page for every command into this folder"},
    {0}};

static int write_page(const char *folder, const struct command *c, struct error *err)
{
    struct strbuf path = STRBUF_INIT, text = STRBUF_INIT;
    strbuf_addf(&path, "%s/vittm%s%s.1", folder, c != NULL ? "-" : "", c != NULL ? c->name : "");
    help_manual(&text, c);
    int rc = file_write(path.text, text.text, text.len, err);
    strbuf_release(&path);
    strbuf_release(&text);
    return rc;
}

static int write_manual(const char *folder, struct error *err)
{
    if (file_make_folder(folder, err) != 0 || write_page(folder, NULL, err) != 0)
        return -1;
    for (int i = 0; command_at(i) != NULL; i++)
        if (!(command_at(i)->flags & COMMAND_HIDDEN) && write_page(folder, command_at(i), err) != 0)
            return -1;
    return EXIT_FINE;
}

static int unknown(const char *name, struct error *err)
{
    const char *near = command_nearest(name);
    if (near != NULL)
        return error_set(err, "unknown command %s (did you mean %s?)", name, near);
    return error_set(err, "unknown command %s (`vittm help` lists the commands)", name);
}

static int run(const struct args *a, struct error *err)
{
    if (args_text(a, "man") != NULL)
        return write_manual(args_text(a, "man"), err);
    struct strbuf text = STRBUF_INIT;
    const struct command *c = a->n_operands > 0 ? command_find(a->operands[0]) : NULL;
    if (a->n_operands > 0 && c == NULL)
        return unknown(a->operands[0], err);
    if (c != NULL)
        help_command(&text, c);
    else
        help_overview(&text);
    fputs(text.text, stdout);
    strbuf_release(&text);
    return EXIT_FINE;
}

const struct command command_help = {
    .name = "help",
    .group = "About the program",
    .summary = "explain a command",
    .operands = "[COMMAND]",
    .max_operands = 1,
    .operand_kind = OPERAND_COMMAND,
    .options = options,
    .run = run,
};
