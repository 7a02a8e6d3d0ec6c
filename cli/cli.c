/* The table of commands and their dispatch. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/config.h"
#include "base/error.h"
#include "base/strbuf.h"
#include "base/version.h"

#define COMMAND(name) extern const struct command command_##name;
#include "cli/commands.def"
#undef COMMAND

static const struct command *const commands[] = {
#define COMMAND(name) &command_##name,
#include "cli/commands.def"
#undef COMMAND
    NULL,
};

const struct command *command_at(int i)
{
    return commands[i];
}

const struct command *command_find(const char *name)
{
    for (int i = 0; commands[i] != NULL; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static const char *visible_name(const void *ctx, int i)
{
    (void)ctx;
    for (int k = 0; commands[k] != NULL; k++)
        if (!(commands[k]->flags & COMMAND_HIDDEN) && i-- == 0)
            return commands[k]->name;
    return NULL;
}

const char *command_nearest(const char *name)
{
    return config_nearest(name, visible_name, NULL);
}

static int finish(const char *command, int rc, const struct error *err)
{
    if ((fflush(stdout) != 0 || ferror(stdout)) && rc == EXIT_FINE) {
        fprintf(stderr, "vittm %s: standard output cannot be written\n", command);
        return EXIT_ENVIRONMENT;
    }
    if (rc >= 0)
        return rc;
    fprintf(stderr, "vittm %s: %s\n", command, err->msg);
    return err->code != 0 ? err->code : EXIT_FAILED;
}

static int unknown_command(const char *name)
{
    const char *near = command_nearest(name);
    if (name[0] == '-')
        fprintf(stderr, "vittm: unknown option %s (`vittm help` shows how it is used)\n", name);
    else if (near != NULL)
        fprintf(stderr, "vittm: unknown command %s (did you mean %s?)\n", name, near);
    else
        fprintf(stderr, "vittm: unknown command %s (`vittm help` lists the commands)\n", name);
    return EXIT_USAGE;
}

static int print_help(const struct command *c)
{
    struct strbuf text = STRBUF_INIT;
    struct error err = {0};
    if (c != NULL)
        help_command(&text, c);
    else
        help_overview(&text);
    fputs(text.text, stdout);
    strbuf_release(&text);
    return finish("help", EXIT_FINE, &err);
}

static int print_version(void)
{
    printf("vittm %s (%.12s%s), %s\n", version_number(), version_commit(),
           version_dirty() ? ", modified" : "", version_compiler());
    return finish("--version", EXIT_FINE, &(struct error){0});
}

int cli_main(int argc, char **argv)
{
    if (argc > 2 && strcmp(argv[1], "--no-color") == 0) { /* it may stand before the command */
        char *first = argv[1];
        argv[1] = argv[2];
        argv[2] = first;
    }
    const char *name = argc > 1 ? argv[1] : "";
    if (strcmp(name, "--version") == 0)
        return print_version();
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(NULL);
    if (argc < 2) {
        struct strbuf text = STRBUF_INIT;
        help_overview(&text);
        fputs(text.text, stderr);
        strbuf_release(&text);
        return EXIT_USAGE;
    }
    const struct command *c = command_find(name);
    if (c == NULL)
        return unknown_command(name);
    if (args_wants_help(argc, argv))
        return print_help(c);

    struct args a;
    struct error err = {0};
    int rc = args_parse(&a, c, argc, argv, &err);
    if (rc == 0)
        rc = c->run(&a, &err);
    args_release(&a);
    return finish(name, rc, &err);
}
