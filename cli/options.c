/* Parses a command line against a command's option table. */
#include "cli/command.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/config.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "results/rows.h"

/* One table slot's occurrences on the command line. */
struct value {
    const char **texts;
    size_t count, cap;
};

struct args_values {
    struct value *of; /* parallel to the command's option table */
    size_t options;
    const char **operands, **overrides;
    size_t operand_cap, override_cap;
};

const char *option_format(int i)
{
    return i < ROWS_FORMATS ? rows_format_name((enum rows_format)i) : NULL;
}

static size_t count_options(const struct command *c)
{
    size_t n = 0;
    while (c->options != NULL && c->options[n].name != NULL)
        n++;
    return n;
}

/* The command's options, then those that every command has. */
static const char *option_name(const void *ctx, int i)
{
    static const char *const everywhere[] = {"help", "no-color", NULL};
    const struct command *c = ctx;
    int own = (int)count_options(c);
    return i < own ? c->options[i].name : everywhere[i - own];
}

static int unknown_option(const struct command *c, const char *typed, struct error *err)
{
    const char *near = config_nearest(typed, option_name, c);
    if (near != NULL)
        return error_set(err, "unknown option --%s (did you mean --%s?)", typed, near);
    if ((c->flags & COMMAND_OVERRIDES) && strchr(typed, '.') != NULL)
        return error_set(err, "unknown option --%s (keys have no dashes: %s=…)", typed, typed);
    return error_set(err, "unknown option --%s (`vittm help %s` lists the options)", typed,
                     c->name);
}

static int find_long(const struct command *c, const char *name, size_t len)
{
    for (size_t i = 0; i < count_options(c); i++)
        if (strlen(c->options[i].name) == len && memcmp(c->options[i].name, name, len) == 0)
            return (int)i;
    return -1;
}

static int find_letter(const struct command *c, char letter)
{
    for (size_t i = 0; i < count_options(c); i++)
        if (c->options[i].letter == letter && letter != 0)
            return (int)i;
    return -1;
}

static int check_choice(const struct option_spec *o, const char *text, struct error *err)
{
    struct strbuf known = STRBUF_INIT;
    for (int i = 0; o->choice(i) != NULL; i++) {
        if (strcmp(o->choice(i), text) == 0) {
            strbuf_release(&known);
            return 0;
        }
        strbuf_addf(&known, "%s%s", i > 0 ? ", " : "", o->choice(i));
    }
    error_set(err, "--%s: unknown %s %s (one of %s)", o->name, o->name, text, known.text);
    strbuf_release(&known);
    return -1;
}

static int check_number(const struct option_spec *o, const char *text, struct error *err)
{
    int64_t integer;
    double value;
    if (o->type == OPTION_INT) {
        if (number_int(text, &integer) != 0)
            return error_set(err, "--%s: %s is not an integer", o->name, text);
        value = (double)integer;
    } else if (number_float(text, &value) != 0) {
        return error_set(err, "--%s: %s is not a number", o->name, text);
    }
    if (o->max > o->min && (value < o->min || value > o->max))
        return error_set(err, "--%s: %s is out of range (%.15g to %.15g)", o->name, text, o->min,
                         o->max);
    return 0;
}

static int check_value(const struct option_spec *o, const char *text, struct error *err)
{
    if (o->type == OPTION_CHOICE)
        return check_choice(o, text, err);
    if (o->type == OPTION_INT || o->type == OPTION_FLOAT)
        return check_number(o, text, err);
    return 0;
}

static int add_value(struct args *a, int option, const char *text, struct error *err)
{
    struct value *v = &a->values->of[option];
    if (check_value(&a->command->options[option], text, err) != 0)
        return -1;
    v->texts = mem_grow(v->texts, v->count, &v->cap, sizeof *v->texts);
    v->texts[v->count++] = text;
    return 0;
}

/* --name, --name=value, --name value. Returns how many further arguments were used, or -1. */
static int parse_long(struct args *a, char **rest, int n_rest, struct error *err)
{
    const char *name = rest[0] + 2;
    const char *equals = strchr(name, '=');
    size_t len = equals != NULL ? (size_t)(equals - name) : strlen(name);
    int option = find_long(a->command, name, len);
    if (option < 0) {
        struct strbuf typed = STRBUF_INIT;
        strbuf_add(&typed, name, len);
        unknown_option(a->command, typed.text, err);
        strbuf_release(&typed);
        return -1;
    }
    const struct option_spec *o = &a->command->options[option];
    if (o->type == OPTION_FLAG) {
        if (equals != NULL)
            return error_set(err, "--%s takes no value", o->name);
        return add_value(a, option, "", err);
    }
    if (equals != NULL)
        return add_value(a, option, equals + 1, err);
    if (n_rest < 2)
        return error_set(err, "--%s needs a value: --%s %s", o->name, o->name, o->value);
    return add_value(a, option, rest[1], err) != 0 ? -1 : 1;
}

/* -x, -x value, -xvalue. Returns how many further arguments were used, or -1. */
static int parse_short(struct args *a, char **rest, int n_rest, struct error *err)
{
    int option = find_letter(a->command, rest[0][1]);
    if (option < 0)
        return error_set(err, "unknown option %s (`vittm help %s` lists the options)", rest[0],
                         a->command->name);
    const struct option_spec *o = &a->command->options[option];
    if (o->type == OPTION_FLAG) {
        if (rest[0][2] != 0)
            return error_set(err, "-%c takes no value", o->letter);
        return add_value(a, option, "", err);
    }
    if (rest[0][2] != 0)
        return add_value(a, option, rest[0] + 2, err);
    if (n_rest < 2)
        return error_set(err, "-%c needs a value: -%c %s", o->letter, o->letter, o->value);
    return add_value(a, option, rest[1], err) != 0 ? -1 : 1;
}

/* model.dim=64: letters, digits, underscores and points before the equals sign. */
static int is_override(const char *text)
{
    size_t n = strspn(text, "abcdefghijklmnopqrstuvwxyz0123456789_.");
    return n > 0 && text[n] == '=';
}

/* The option that KEY=VALUE names: device=sim is --device=sim. Keys of configurations have a point
 * in their names. -1: none. */
static int option_of(const struct command *c, const char *text)
{
    int option = find_long(c, text, strcspn(text, "="));
    return option >= 0 && c->options[option].type != OPTION_FLAG ? option : -1;
}

static int add_operand(struct args *a, const char *text, struct error *err)
{
    struct args_values *v = a->values;
    if ((a->command->flags & COMMAND_OVERRIDES) && is_override(text)) {
        int option = option_of(a->command, text);
        if (option >= 0)
            return add_value(a, option, strchr(text, '=') + 1, err);
        v->overrides =
            mem_grow(v->overrides, (size_t)a->n_overrides, &v->override_cap, sizeof *v->overrides);
        v->overrides[a->n_overrides++] = text;
        a->overrides = v->overrides;
        return 0;
    }
    v->operands =
        mem_grow(v->operands, (size_t)a->n_operands, &v->operand_cap, sizeof *v->operands);
    v->operands[a->n_operands++] = text;
    a->operands = v->operands;
    return 0;
}

/* With the words that the first operand may be, where the usage does not have them. */
static int too_few(const struct command *c, const char *usage, struct error *err)
{
    struct strbuf words = STRBUF_INIT;
    int said = c->word == NULL || strstr(usage, c->word(0)) != NULL;
    for (int i = 0; !said && c->word(i) != NULL; i++)
        strbuf_addf(&words, "%s%s", i > 0 ? ", " : " (one of ", c->word(i));
    error_set(err, "too few arguments: vittm %s %s%s%s", c->name, usage, words.text,
              words.len > 0 ? ")" : "");
    strbuf_release(&words);
    return -1;
}

static int check_operands(const struct args *a, struct error *err)
{
    const struct command *c = a->command;
    const char *usage = c->operands != NULL ? c->operands : "";
    if (a->n_operands < c->min_operands)
        return too_few(c, usage, err);
    if (c->max_operands < 0 || a->n_operands <= c->max_operands)
        return 0;
    for (int i = 0; i < a->n_operands; i++)
        if (a->operands[i][0] != 0 && a->operands[i][strspn(a->operands[i], "=<>!*")] == 0)
            return error_set(err,
                             "unexpected argument %s: quote what has blanks, and write "
                             "key=value without",
                             a->operands[i]);
    return error_set(err, "unexpected argument %s: vittm %s %s", a->operands[c->max_operands],
                     c->name, usage);
}

/* Also for what prints progress on stderr, which sees the environment alone. */
static void refuse_color(struct args *a)
{
    a->color = 0;
    setenv("NO_COLOR", "1", 1);
}

int args_parse(struct args *a, const struct command *c, int argc, char **argv, struct error *err)
{
    *a = (struct args){.command = c, .argc = argc, .argv = argv};
    a->values = mem_zalloc(1, sizeof *a->values);
    a->values->options = count_options(c);
    a->values->of = mem_zalloc(a->values->options + 1, sizeof *a->values->of);
    const char *no_color = getenv("NO_COLOR");
    a->color = isatty(STDOUT_FILENO) && (no_color == NULL || no_color[0] == 0);

    int options_end = 0;
    for (int i = 2; i < argc; i++) {
        int used = 0;
        if (options_end || argv[i][0] != '-' || argv[i][1] == 0)
            used = add_operand(a, argv[i], err);
        else if (strcmp(argv[i], "--") == 0)
            options_end = 1;
        else if (strcmp(argv[i], "--no-color") == 0)
            refuse_color(a);
        else if (argv[i][1] == '-')
            used = parse_long(a, argv + i, argc - i, err);
        else
            used = parse_short(a, argv + i, argc - i, err);
        if (used < 0)
            return -1;
        i += used;
    }
    return check_operands(a, err);
}

void args_release(struct args *a)
{
    if (a->values == NULL)
        return;
    for (size_t i = 0; i < a->values->options; i++)
        free(a->values->of[i].texts);
    free(a->values->of);
    free(a->values->operands);
    free(a->values->overrides);
    free(a->values);
    a->values = NULL;
}

int args_wants_help(int argc, char **argv)
{
    for (int i = 1; i < argc && strcmp(argv[i], "--") != 0; i++)
        if (strcmp(argv[i], "--help") == 0 || strcmp(argv[i], "-h") == 0)
            return 1;
    return 0;
}

static int find_declared(const struct args *a, const char *name)
{
    int i = find_long(a->command, name, strlen(name));
    if (i < 0)
        BUG("command %s declares no option --%s", a->command->name, name);
    return i;
}

int args_given(const struct args *a, const char *name)
{
    return (int)a->values->of[find_declared(a, name)].count;
}

int args_flag(const struct args *a, const char *name)
{
    return args_given(a, name) > 0;
}

const char *args_text(const struct args *a, const char *name)
{
    int i = find_declared(a, name);
    const struct value *v = &a->values->of[i];
    return v->count > 0 ? v->texts[v->count - 1] : a->command->options[i].fallback;
}

const char *args_nth(const struct args *a, const char *name, int i)
{
    const struct value *v = &a->values->of[find_declared(a, name)];
    return i >= 0 && (size_t)i < v->count ? v->texts[i] : NULL;
}

int64_t args_int(const struct args *a, const char *name)
{
    int64_t value = 0;
    const char *text = args_text(a, name);
    if (text == NULL || number_int(text, &value) != 0)
        BUG("option --%s of %s has no integer value or default", name, a->command->name);
    return value;
}

double args_float(const struct args *a, const char *name)
{
    double value = 0;
    const char *text = args_text(a, name);
    if (text == NULL || number_float(text, &value) != 0)
        BUG("option --%s of %s has no number value or default", name, a->command->name);
    return value;
}

const char *args_db(const struct args *a)
{
    const char *path = args_text(a, "db");
    if (path == NULL)
        path = getenv("VITTM_DB");
    return path != NULL && path[0] != 0 ? path : "out/vittm.db";
}
