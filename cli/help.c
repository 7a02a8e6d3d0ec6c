/* --help, from the tables. Everything fits 80 columns. */
#include "cli/command.h"

#include <stdio.h>
#include <string.h>

#include "base/strbuf.h"
#include "base/utf8.h"

enum { WIDTH = 79, INDENT = 27 };

static int columns(const char *text, size_t len)
{
    return (int)utf8_columns(text, len);
}

/* Adds text from column `at`, broken at spaces before WIDTH, further lines indented. */
static void wrap(struct strbuf *out, const char *text, int at, int indent)
{
    while (*text != 0) {
        size_t len = strcspn(text, " \n");
        int width = columns(text, len);
        if (at > indent && at + 1 + width > WIDTH) {
            strbuf_addf(out, "\n%*s", indent, "");
            at = indent;
        } else if (at > indent) {
            strbuf_addc(out, ' ');
            at++;
        }
        strbuf_add(out, text, len);
        at += width;
        text += len;
        if (*text == '\n') { /* written line breaks stay */
            strbuf_addf(out, "\n%*s", indent, "");
            at = indent;
        }
        text += *text != 0;
    }
    strbuf_addc(out, '\n');
}

void help_columns(struct strbuf *out, const char *left, const char *right, int indent)
{
    int width = 2 + columns(left, strlen(left));
    strbuf_addf(out, "  %s", left);
    if (width + 1 >= indent)
        strbuf_addf(out, "\n%*s", indent, "");
    else
        strbuf_addf(out, "%*s", indent - width, "");
    wrap(out, right, indent, indent);
}

void help_wrap(struct strbuf *out, const char *text)
{
    wrap(out, text, 0, 0);
}

void help_overview(struct strbuf *out)
{
    strbuf_adds(out,
                "vittm: ablations of efficient Vision Transformers, from a YAML grid to figures\n\n"
                "usage: vittm COMMAND [options] [arguments]\n");
    const char *group = "";
    for (int i = 0; command_at(i) != NULL; i++) {
        const struct command *c = command_at(i);
        if (c->flags & COMMAND_HIDDEN)
            continue;
        if (strcmp(group, c->group) != 0)
            strbuf_addf(out, "\n%s\n", c->group);
        group = c->group;
        help_columns(out, c->name, c->summary, 14);
    }
    strbuf_adds(out, "\n`vittm help COMMAND` or `vittm COMMAND --help` tells more. --version says\n"
                     "what was built; --no-color or NO_COLOR=1 turns colours off.\n");
}

static void option_left(struct strbuf *left, const struct option_spec *o)
{
    if (o->letter != 0)
        strbuf_addf(left, "-%c, ", o->letter);
    strbuf_addf(left, "--%s", o->name);
    if (o->type != OPTION_FLAG)
        strbuf_addf(left, " %s", o->value);
}

static void option_right(struct strbuf *right, const struct option_spec *o)
{
    strbuf_adds(right, o->doc);
    if (o->type == OPTION_CHOICE) {
        strbuf_adds(right, ": ");
        for (int i = 0; o->choice(i) != NULL; i++)
            strbuf_addf(right, "%s%s", i > 0 ? ", " : "", o->choice(i));
    }
    if (o->type == OPTION_LIST)
        strbuf_adds(right, " (may be given several times)");
    if (o->fallback != NULL && o->fallback[0] != 0)
        strbuf_addf(right, " [%s]", o->fallback);
}

static void add_option(struct strbuf *out, const struct option_spec *o)
{
    struct strbuf left = STRBUF_INIT, right = STRBUF_INIT;
    option_left(&left, o);
    option_right(&right, o);
    help_columns(out, left.text, right.text, INDENT);
    strbuf_release(&left);
    strbuf_release(&right);
}

void help_command(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, "vittm %s:", c->name);
    wrap(out, c->summary, 7 + (int)strlen(c->name), 0);
    strbuf_addf(out, "\nusage: vittm %s%s%s%s\n", c->name, c->options != NULL ? " [options]" : "",
                c->operands != NULL ? " " : "", c->operands != NULL ? c->operands : "");
    if (c->details != NULL) {
        strbuf_addc(out, '\n');
        wrap(out, c->details, 0, 0);
    }
    if (c->word != NULL) {
        strbuf_addc(out, '\n');
        struct strbuf words = STRBUF_INIT;
        for (int i = 0; c->word(i) != NULL; i++)
            strbuf_addf(&words, "%s%s", i > 0 ? ", " : "one of: ", c->word(i));
        wrap(out, words.text, 0, 0);
        strbuf_release(&words);
    }
    strbuf_adds(out, "\noptions\n");
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        add_option(out, &c->options[i]);
    help_columns(out, "--no-color", "no colours (also NO_COLOR=1)", INDENT);
    help_columns(out, "-h, --help", "this text", INDENT);
    if (c->examples != NULL)
        strbuf_addf(out, "\nexamples\n%s\n", c->examples);
}
