/* Shell completions, from the tables. */
#include "cli/command.h"

#include <string.h>

#include "base/strbuf.h"

/* Visible commands call each(out, c). */
static void for_commands(struct strbuf *out, void (*each)(struct strbuf *, const struct command *))
{
    for (int i = 0; command_at(i) != NULL; i++)
        if (!(command_at(i)->flags & COMMAND_HIDDEN))
            each(out, command_at(i));
}

static void add_name(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, " %s", c->name);
}

static void add_words(struct strbuf *out, const char *(*word)(int i), const char *between)
{
    for (int i = 0; word(i) != NULL; i++)
        strbuf_addf(out, "%s%s", i > 0 ? between : "", word(i));
}

/* 'single quotes' for all three shells. */
static void add_quoted(struct strbuf *out, const char *text)
{
    strbuf_addc(out, '\'');
    for (const char *p = text; *p != 0; p++) {
        if (*p == '\'')
            strbuf_adds(out, "'\\''");
        else
            strbuf_addc(out, *p);
    }
    strbuf_addc(out, '\'');
}

/* ---- bash ---- */

static void bash_choices(struct strbuf *out, const struct command *c)
{
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++) {
        const struct option_spec *o = &c->options[i];
        if (o->type != OPTION_CHOICE)
            continue;
        strbuf_addf(out, "    %s:--%s) words='", c->name, o->name);
        add_words(out, o->choice, " ");
        strbuf_adds(out, "' ;;\n");
    }
}

static void bash_operands(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, "    %s) words='--help --no-color", c->name);
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        strbuf_addf(out, " --%s", c->options[i].name);
    if (c->operand_kind == OPERAND_WORD && c->word != NULL) {
        strbuf_addc(out, ' ');
        add_words(out, c->word, " ");
    }
    strbuf_adds(out, "' ");
    if (c->operand_kind == OPERAND_MODEL)
        strbuf_adds(out, "models=1 files=1 ");
    if (c->operand_kind == OPERAND_FILE)
        strbuf_adds(out, "files=1 ");
    if (c->operand_kind == OPERAND_COMMAND)
        strbuf_adds(out, "words=\"$words $commands\" ");
    strbuf_adds(out, ";;\n");
}

static void complete_bash(struct strbuf *out)
{
    strbuf_adds(out, "# bash completion of vittm; `vittm completion bash` prints it\n"
                     "_vittm() {\n"
                     "  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}\n"
                     "  local cmd=${COMP_WORDS[1]} words= files= models= commands='");
    for_commands(out, add_name);
    strbuf_adds(out, "'\n"
                     "  if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
                     "    words=\"$commands --help --version\"\n"
                     "  else\n"
                     "    case $cmd:$prev in\n");
    for_commands(out, bash_choices);
    strbuf_adds(out, "    esac\n"
                     "    [ -n \"$words\" ] || case $cmd in\n");
    for_commands(out, bash_operands);
    strbuf_adds(
        out, "    esac\n"
             "  fi\n"
             "  [ -z \"$models\" ] || words=\"$words $(vittm list models --names 2>/dev/null)\"\n"
             "  COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))\n"
             "  [ -z \"$files\" ] || COMPREPLY+=($(compgen -f -- \"$cur\"))\n"
             "}\n"
             "complete -o filenames -F _vittm vittm\n");
}

/* ---- zsh ---- */

static void zsh_describe(struct strbuf *out, const struct command *c)
{
    struct strbuf entry = STRBUF_INIT;
    strbuf_addf(&entry, "%s:%s", c->name, c->summary);
    strbuf_adds(out, "    ");
    add_quoted(out, entry.text);
    strbuf_addc(out, '\n');
    strbuf_release(&entry);
}

/* '--name=[doc]:VALUE:action' */
static void zsh_option(struct strbuf *out, const struct option_spec *o)
{
    struct strbuf spec = STRBUF_INIT;
    if (o->type == OPTION_LIST)
        strbuf_addc(&spec, '*');
    strbuf_addf(&spec, "--%s%s[", o->name, o->type == OPTION_FLAG ? "" : "=");
    for (const char *p = o->doc; *p != 0; p++) { /* brackets and colons end a description */
        if (strchr("[]:", *p) != NULL)
            strbuf_addc(&spec, '\\');
        strbuf_addc(&spec, *p);
    }
    strbuf_addc(&spec, ']');
    if (o->type == OPTION_CHOICE) {
        strbuf_addf(&spec, ":%s:(", o->value);
        add_words(&spec, o->choice, " ");
        strbuf_addc(&spec, ')');
    } else if (o->type != OPTION_FLAG) {
        strbuf_addf(&spec, ":%s:_files", o->value);
    }
    strbuf_addc(out, ' ');
    add_quoted(out, spec.text);
    strbuf_release(&spec);
}

static void zsh_command(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, "    %s) _arguments '--help[help]' '--no-color[no colours]'", c->name);
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        zsh_option(out, &c->options[i]);
    if (c->operand_kind == OPERAND_WORD && c->word != NULL) {
        strbuf_adds(out, " '*:word:(");
        add_words(out, c->word, " ");
        strbuf_adds(out, ")'");
    } else if (c->operand_kind == OPERAND_MODEL) {
        strbuf_adds(out, " '*:model:{ compadd $(vittm list models --names 2>/dev/null); _files }'");
    } else if (c->operand_kind == OPERAND_COMMAND) {
        strbuf_adds(out, " '*:command:compadd -a names'");
    } else if (c->operand_kind == OPERAND_FILE) {
        strbuf_adds(out, " '*:file:_files'");
    }
    strbuf_adds(out, " ;;\n");
}

static void complete_zsh(struct strbuf *out)
{
    strbuf_adds(out, "#compdef vittm\n"
                     "# zsh completion of vittm; `vittm completion zsh` prints it\n"
                     "_vittm() {\n"
                     "  local -a commands names\n"
                     "  commands=(\n");
    for_commands(out, zsh_describe);
    strbuf_adds(out, "  )\n"
                     "  names=(${commands%%:*})\n"
                     "  if (( CURRENT == 2 )); then\n"
                     "    _describe command commands\n"
                     "    return\n"
                     "  fi\n"
                     "  local command=$words[2]\n"
                     "  shift words; (( CURRENT-- ))\n"
                     "  case $command in\n");
    for_commands(out, zsh_command);
    strbuf_adds(
        out,
        "  esac\n"
        "}\n"
        "if [ \"$funcstack[1]\" = _vittm ]; then _vittm \"$@\"; else compdef _vittm vittm; fi\n");
}

/* ---- fish ---- */

static void fish_command(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, "complete -c vittm -n __fish_use_subcommand -f -a %s -d ", c->name);
    add_quoted(out, c->summary);
    strbuf_addc(out, '\n');
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++) {
        const struct option_spec *o = &c->options[i];
        strbuf_addf(out, "complete -c vittm -n '__fish_seen_subcommand_from %s' -l %s", c->name,
                    o->name);
        if (o->letter != 0)
            strbuf_addf(out, " -s %c", o->letter);
        if (o->type != OPTION_FLAG)
            strbuf_adds(out, " -r");
        if (o->type == OPTION_CHOICE) {
            strbuf_adds(out, " -f -a '");
            add_words(out, o->choice, " ");
            strbuf_addc(out, '\'');
        }
        strbuf_adds(out, " -d ");
        add_quoted(out, o->doc);
        strbuf_addc(out, '\n');
    }
    if (c->operand_kind == OPERAND_WORD && c->word != NULL) {
        strbuf_addf(out, "complete -c vittm -n '__fish_seen_subcommand_from %s' -f -a '", c->name);
        add_words(out, c->word, " ");
        strbuf_adds(out, "'\n");
    }
    if (c->operand_kind == OPERAND_MODEL)
        strbuf_addf(out,
                    "complete -c vittm -n '__fish_seen_subcommand_from %s' -a "
                    "'(vittm list models --names 2>/dev/null)'\n",
                    c->name);
}

static void complete_fish(struct strbuf *out)
{
    strbuf_adds(out, "# fish completion of vittm; `vittm completion fish` prints it\n"
                     "complete -c vittm -n __fish_use_subcommand -l version -d 'what was built'\n"
                     "complete -c vittm -l help -s h -d 'help'\n"
                     "complete -c vittm -l no-color -d 'no colours'\n");
    for_commands(out, fish_command);
}

int help_completion(struct strbuf *out, const char *shell)
{
    static const struct {
        const char *name;
        void (*write)(struct strbuf *out);
    } shells[] = {{"bash", complete_bash}, {"zsh", complete_zsh}, {"fish", complete_fish}};
    for (size_t i = 0; i < sizeof shells / sizeof shells[0]; i++) {
        if (strcmp(shells[i].name, shell) == 0) {
            shells[i].write(out);
            return 0;
        }
    }
    return -1;
}
