/* Manual pages in roff, from the tables. */
#include "cli/command.h"

#include <string.h>

#include "base/strbuf.h"
#include "base/version.h"

/* Text with what roff would interpret escaped. */
static void escape(struct strbuf *out, const char *text)
{
    for (const char *p = text; *p != 0; p++) {
        int line_start = p == text || p[-1] == '\n';
        if (line_start && (*p == '.' || *p == '\''))
            strbuf_adds(out, "\\&");
        if (*p == '\\')
            strbuf_adds(out, "\\e");
        else if (*p == '-')
            strbuf_adds(out, "\\-");
        else
            strbuf_addc(out, *p);
    }
}

static void section(struct strbuf *out, const char *name)
{
    strbuf_addf(out, ".SH %s\n", name);
}

static void tagged(struct strbuf *out, const char *tag, const char *value, const char *text)
{
    strbuf_adds(out, ".TP\n\\fB");
    escape(out, tag);
    strbuf_adds(out, "\\fR");
    if (value != NULL) {
        strbuf_adds(out, " \\fI");
        escape(out, value);
        strbuf_adds(out, "\\fR");
    }
    strbuf_addc(out, '\n');
    escape(out, text);
    strbuf_addc(out, '\n');
}

static void add_option(struct strbuf *out, const struct option_spec *o)
{
    struct strbuf tag = STRBUF_INIT, text = STRBUF_INIT;
    if (o->letter != 0)
        strbuf_addf(&tag, "-%c, ", o->letter);
    strbuf_addf(&tag, "--%s", o->name);
    strbuf_adds(&text, o->doc);
    for (int i = 0; o->type == OPTION_CHOICE && o->choice(i) != NULL; i++)
        strbuf_addf(&text, "%s%s", i > 0 ? ", " : ": ", o->choice(i));
    if (o->fallback != NULL && o->fallback[0] != 0)
        strbuf_addf(&text, " (default: %s)", o->fallback);
    tagged(out, tag.text, o->type == OPTION_FLAG ? NULL : o->value, text.text);
    strbuf_release(&tag);
    strbuf_release(&text);
}

static void manual_of_command(struct strbuf *out, const struct command *c)
{
    strbuf_addf(out, ".TH VITTM\\-%s 1 \"\" \"vittm %s\" \"vittm manual\"\n", c->name,
                version_number());
    section(out, "NAME");
    strbuf_addf(out, "vittm\\-%s \\- ", c->name);
    escape(out, c->summary);
    strbuf_addc(out, '\n');
    section(out, "SYNOPSIS");
    strbuf_addf(out, "\\fBvittm %s\\fR%s ", c->name, c->options != NULL ? " [options]" : "");
    escape(out, c->operands != NULL ? c->operands : "");
    strbuf_addc(out, '\n');
    if (c->details != NULL) {
        section(out, "DESCRIPTION");
        escape(out, c->details);
        strbuf_addc(out, '\n');
    }
    section(out, "OPTIONS");
    for (int i = 0; c->options != NULL && c->options[i].name != NULL; i++)
        add_option(out, &c->options[i]);
    tagged(out, "--no-color", NULL, "no colours");
    tagged(out, "-h, --help", NULL, "a shorter form of this page");
    if (c->examples != NULL) {
        section(out, "EXAMPLES");
        strbuf_adds(out, ".nf\n");
        escape(out, c->examples);
        strbuf_adds(out, "\n.fi\n");
    }
    section(out, "SEE ALSO");
    strbuf_adds(out, "\\fBvittm\\fR(1)\n");
}

static void manual_of_program(struct strbuf *out)
{
    strbuf_addf(out, ".TH VITTM 1 \"\" \"vittm %s\" \"vittm manual\"\n", version_number());
    section(out, "NAME");
    strbuf_adds(out, "vittm \\- ablations of efficient Vision Transformers\n");
    section(out, "SYNOPSIS");
    strbuf_adds(out, "\\fBvittm\\fR \\fICOMMAND\\fR [options] [arguments]\n");
    section(out, "DESCRIPTION");
    strbuf_adds(out, "Turns a YAML grid of Vision Transformer designs into trained, evaluated and "
                     "timed cells, keeps every number in one SQLite file, and draws tables and "
                     "figures from it.\n");
    section(out, "COMMANDS");
    for (int i = 0; command_at(i) != NULL; i++)
        if (!(command_at(i)->flags & COMMAND_HIDDEN))
            tagged(out, command_at(i)->name, command_at(i)->operands, command_at(i)->summary);
    section(out, "ENVIRONMENT");
    tagged(out, "VITTM_DB", NULL, "the result database where --db is not given");
    tagged(out, "VITTM_DATA", NULL, "the folder with data sets; else ~/.cache/vittm");
    tagged(
        out, "XDG_CACHE_HOME", NULL,
        "its folder vittm in place of ~/.cache/vittm: data sets, and what was measured of a GPU");
    tagged(out, "NO_COLOR", NULL, "no colours where it is set and not empty");
    section(out, "EXIT STATUS");
    tagged(out, "0", NULL, "all well");
    tagged(out, "1", NULL, "something ran and failed");
    tagged(out, "2", NULL, "usage or configuration error");
    tagged(out, "3", NULL, "the environment lacks something: data, a device, a program");
    tagged(out, "75", NULL, "interrupted: the same command again resumes");
    tagged(out, "130", NULL, "stopped by Ctrl-C");
}

void help_manual(struct strbuf *out, const struct command *c)
{
    if (c != NULL)
        manual_of_command(out, c);
    else
        manual_of_program(out);
}
