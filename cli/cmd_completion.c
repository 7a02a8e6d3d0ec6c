/* vittm completion: the completion script of a shell. */
#include "cli/command.h"

#include <stdio.h>

#include "base/error.h"
#include "base/strbuf.h"

static const char *const shells[] = {"bash", "zsh", "fish", NULL};

static const char *shell(int i)
{
    return shells[i];
}

static int run(const struct args *a, struct error *err)
{
    struct strbuf text = STRBUF_INIT;
    if (help_completion(&text, a->operands[0]) != 0)
        return error_set(err, "unknown shell %s (one of bash, zsh, fish)", a->operands[0]);
    fputs(text.text, stdout);
    strbuf_release(&text);
    return EXIT_FINE;
}

const struct command command_completion = {
    .name = "completion",
    .group = "About the program",
    .summary = "print the completion script of a shell",
    .operands = "bash|zsh|fish",
    .min_operands = 1,
    .max_operands = 1,
    .operand_kind = OPERAND_WORD,
    .word = shell,
    .examples = "  vittm completion bash > ~/.local/share/bash-completion/completions/vittm",
    .run = run,
};
