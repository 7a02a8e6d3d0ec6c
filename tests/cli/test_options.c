/* The option table parses every form of an option, and refuses what it does not know. */
#include "cli/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/strbuf.h"

static const char *color(int i)
{
    static const char *const names[] = {"red", "green", NULL};
    return names[i];
}

static const struct option_spec options[] = {
    {.name = "dry-run", .letter = 'd', .doc = "only say it"},
    {.name = "output", .letter = 'o', .type = OPTION_TEXT, .value = "FILE", .doc = "where to"},
    {.name = "jobs",
     .letter = 'j',
     .type = OPTION_INT,
     .value = "N",
     .fallback = "2",
     .min = 1,
     .max = 64,
     .doc = "at a time"},
    {.name = "rate", .type = OPTION_FLOAT, .value = "X", .fallback = "0.5", .doc = "a number"},
    {.name = "color", .type = OPTION_CHOICE, .value = "C", .choice = color, .doc = "which"},
    {.name = "tag", .type = OPTION_LIST, .value = "T", .doc = "notes"},
    {0}};

static const struct command command = {
    .name = "try",
    .group = "Tests",
    .summary = "a command of this test",
    .operands = "A B [key=value …]",
    .min_operands = 0,
    .max_operands = 2,
    .flags = COMMAND_OVERRIDES,
    .options = options,
};

enum { MAX_WORDS = 16 };

/* Splits words at blanks and parses them. The text stays alive until release. */
struct line {
    char text[256];
    char *argv[MAX_WORDS];
    int argc;
    struct args a;
    struct error err;
    int rc;
};

static void parse(struct line *l, const char *words)
{
    memset(l, 0, sizeof *l);
    assert_true(strlen(words) < sizeof l->text - 16);
    strncat(l->text, "vittm try ", sizeof l->text - 1);
    strncat(l->text, words, sizeof l->text - strlen(l->text) - 1);
    char *rest = l->text, *save = NULL, *word;
    while ((word = strtok_r(rest, " ", &save)) != NULL && l->argc < MAX_WORDS) {
        l->argv[l->argc++] = word;
        rest = NULL;
    }
    l->rc = args_parse(&l->a, &command, l->argc, l->argv, &l->err);
}

static void test_defaults(void **state)
{
    (void)state;
    struct line l;
    parse(&l, "");
    assert_int_equal(l.rc, 0);
    assert_int_equal(args_int(&l.a, "jobs"), 2);
    assert_true(args_float(&l.a, "rate") == 0.5);
    assert_null(args_text(&l.a, "output"));
    assert_null(args_text(&l.a, "color"));
    assert_int_equal(args_flag(&l.a, "dry-run"), 0);
    assert_int_equal(args_given(&l.a, "jobs"), 0);
    args_release(&l.a);
}

static void test_forms(void **state)
{
    (void)state;
    static const char *const forms[] = {
        "--jobs 8 --output out.txt --dry-run",
        "--jobs=8 --output=out.txt -d",
        "-j 8 -o out.txt -d",
        "-j8 -oout.txt --dry-run",
        "--jobs 1 --jobs 8 -o other --output out.txt -d -d",
    };
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct line l;
        parse(&l, forms[i]);
        assert_int_equal(l.rc, 0);
        assert_int_equal(args_int(&l.a, "jobs"), 8);
        assert_string_equal(args_text(&l.a, "output"), "out.txt");
        assert_int_equal(args_flag(&l.a, "dry-run"), 1);
        args_release(&l.a);
    }
}

static void test_operands_and_overrides(void **state)
{
    (void)state;
    struct line l;
    parse(&l, "first model.dim=64,96 --jobs 3 - train.lr=1e-3");
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.a.n_operands, 2);
    assert_string_equal(l.a.operands[0], "first");
    assert_string_equal(l.a.operands[1], "-");
    assert_int_equal(l.a.n_overrides, 2);
    assert_string_equal(l.a.overrides[0], "model.dim=64,96");
    assert_string_equal(l.a.overrides[1], "train.lr=1e-3");
    args_release(&l.a);

    parse(&l, "first jobs=3 model.jobs=4 tag=a");
    assert_int_equal(l.rc, 0);
    assert_int_equal(args_int(&l.a, "jobs"), 3);
    assert_int_equal(l.a.n_overrides, 1);
    assert_string_equal(l.a.overrides[0], "model.jobs=4");
    args_release(&l.a);

    parse(&l, "first jobs=many");
    assert_int_equal(l.rc, -1);
    assert_non_null(strstr(l.err.msg, "many is not an integer"));
    args_release(&l.a);

    parse(&l, "-- --jobs -d");
    assert_int_equal(l.rc, 0);
    assert_int_equal(l.a.n_operands, 2);
    assert_string_equal(l.a.operands[0], "--jobs");
    assert_int_equal(args_flag(&l.a, "dry-run"), 0);
    args_release(&l.a);
}

static void test_list(void **state)
{
    (void)state;
    struct line l;
    parse(&l, "--tag one --tag=two");
    assert_int_equal(args_given(&l.a, "tag"), 2);
    assert_string_equal(args_nth(&l.a, "tag", 0), "one");
    assert_string_equal(args_nth(&l.a, "tag", 1), "two");
    assert_null(args_nth(&l.a, "tag", 2));
    args_release(&l.a);
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct {
        const char *words, *message;
    } cases[] = {
        {"--jbos 3", "unknown option --jbos (did you mean --jobs?)"},
        {"--zzzzzzzz", "unknown option --zzzzzzzz (`vittm help try` lists the options)"},
        {"--jobs=x", "--jobs: x is not an integer"},
        {"--jobs 0", "--jobs: 0 is out of range (1 to 64)"},
        {"--jobs 65", "--jobs: 65 is out of range (1 to 64)"},
        {"--rate fast", "--rate: fast is not a number"},
        {"--rate nan", "--rate: nan is not a number"},
        {"--color blue", "--color: unknown color blue (one of red, green)"},
        {"--dry-run=yes", "--dry-run takes no value"},
        {"--output", "--output needs a value: --output FILE"},
        {"-o", "-o needs a value: -o FILE"},
        {"-x", "unknown option -x (`vittm help try` lists the options)"},
        {"-dx", "-d takes no value"},
        {"a b c", "unexpected argument c: vittm try A B [key=value …]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct line l;
        parse(&l, cases[i].words);
        assert_int_equal(l.rc, -1);
        assert_string_equal(l.err.msg, cases[i].message);
        assert_int_equal(l.err.code, EXIT_USAGE);
        args_release(&l.a);
    }
}

static void test_help_mentions_every_option(void **state)
{
    (void)state;
    struct strbuf help = STRBUF_INIT, manual = STRBUF_INIT;
    help_command(&help, &command);
    help_manual(&manual, &command);
    for (int i = 0; options[i].name != NULL; i++) {
        assert_non_null(strstr(help.text, options[i].name));
        assert_non_null(strstr(help.text, options[i].doc));
        assert_non_null(strstr(manual.text, options[i].doc));
    }
    assert_non_null(strstr(help.text, "red, green"));
    assert_non_null(strstr(help.text, "[2]"));
    strbuf_release(&help);
    strbuf_release(&manual);
}

/* What the tables of the real commands must hold. */
static void test_every_command(void **state)
{
    (void)state;
    for (int i = 0; command_at(i) != NULL; i++) {
        const struct command *c = command_at(i);
        assert_ptr_equal(command_find(c->name), c);
        assert_non_null(c->summary);
        assert_non_null(c->group);
        assert_non_null(c->run);
        for (int k = 0; c->options != NULL && c->options[k].name != NULL; k++) {
            const struct option_spec *o = &c->options[k];
            assert_non_null(o->doc);
            if (o->type != OPTION_FLAG)
                assert_non_null(o->value);
            if (o->type == OPTION_CHOICE)
                assert_non_null(o->choice);
        }
    }
    for (const char *const *shell = (const char *const[]){"bash", "zsh", "fish", NULL}; *shell;
         shell++) {
        struct strbuf text = STRBUF_INIT;
        assert_int_equal(help_completion(&text, *shell), 0);
        for (int i = 0; command_at(i) != NULL; i++)
            if (!(command_at(i)->flags & COMMAND_HIDDEN))
                assert_non_null(strstr(text.text, command_at(i)->name));
        strbuf_release(&text);
    }
    struct strbuf text = STRBUF_INIT;
    assert_int_equal(help_completion(&text, "tcsh"), -1);
    strbuf_release(&text);
}

static void test_wants_help(void **state)
{
    (void)state;
    assert_int_equal(args_wants_help(3, (char *[]){"vittm", "ls", "--help"}), 1);
    assert_int_equal(args_wants_help(3, (char *[]){"vittm", "ls", "-h"}), 1);
    assert_int_equal(args_wants_help(4, (char *[]){"vittm", "ls", "--", "--help"}), 0);
    assert_int_equal(args_wants_help(2, (char *[]){"vittm", "ls"}), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),
        cmocka_unit_test(test_forms),
        cmocka_unit_test(test_operands_and_overrides),
        cmocka_unit_test(test_list),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_help_mentions_every_option),
        cmocka_unit_test(test_every_command),
        cmocka_unit_test(test_wants_help),
    };
    return cmocka_run_group_tests_name("cli/options", tests, NULL, NULL);
}
