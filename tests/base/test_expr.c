/* Expressions: every operator, precedence, missing values, and every refusal with its message. */
#include "base/expr.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/arena.h"
#include "base/error.h"

static struct expr_value lookup(void *ctx, const char *name)
{
    (void)ctx;
    if (!strcmp(name, "model.rw_head"))
        return (struct expr_value){EXPR_STRING, 0, "linear"};
    if (!strcmp(name, "model.dim"))
        return (struct expr_value){EXPR_NUMBER, 96, NULL};
    if (!strcmp(name, "cost.macs"))
        return (struct expr_value){EXPR_NUMBER, 40e6, NULL};
    if (!strcmp(name, "val/top1"))
        return (struct expr_value){EXPR_NUMBER, 70.5, NULL};
    if (!strcmp(name, "model.bias"))
        return (struct expr_value){EXPR_BOOL, 1, NULL};
    if (!strcmp(name, "model.latent_dim"))
        return (struct expr_value){EXPR_MISSING, 0, NULL};
    if (!strcmp(name, "model.blocks"))
        return expr_list("[3, 6, 9]");
    if (!strcmp(name, "model.patch"))
        return expr_list("[8]");
    if (!strcmp(name, "model.none"))
        return expr_list("[]");
    return (struct expr_value){EXPR_UNKNOWN, 0, NULL};
}

static const char *suggest(void *ctx, const char *name)
{
    (void)ctx;
    return !strcmp(name, "model.rwhead") ? "model.rw_head" : NULL;
}

static const struct expr_scope scope = {lookup, suggest, NULL};

static void gives(const char *text, int expected)
{
    struct arena a = {0};
    struct error err = {0};
    int out = -1;
    struct expr *e = expr_parse(&a, text, &err);
    if (!e || expr_test(e, &scope, &out, &err))
        fail_msg("%s: %s", text, err.msg);
    if (out != expected)
        fail_msg("%s gives %d", text, out);
    arena_release(&a);
}

static void number(const char *text, double expected)
{
    struct arena a = {0};
    struct error err = {0};
    struct expr_value v = {0};
    struct expr *e = expr_parse(&a, text, &err);
    if (!e || expr_value(e, &scope, &v, &err))
        fail_msg("%s: %s", text, err.msg);
    if (v.kind != EXPR_NUMBER || v.number != expected)
        fail_msg("%s gives %g, not %g", text, v.number, expected);
    arena_release(&a);
}

static void refuses(const char *text, const char *message)
{
    struct arena a = {0};
    struct error err = {0};
    int out;
    struct expr *e = expr_parse(&a, text, &err);
    if (e && !expr_test(e, &scope, &out, &err))
        fail_msg("%s was accepted", text);
    assert_string_equal(err.msg, message);
    assert_int_equal(err.code, EXIT_USAGE);
    arena_release(&a);
}

static void test_comparisons(void **state)
{
    (void)state;
    gives("model.dim == 96", 1);
    gives("model.dim != 9.6e1", 0);
    gives("model.dim < 96 or model.dim > 96", 0);
    gives("model.dim <= 96 and model.dim >= 96", 1);
    gives("model.rw_head == 'linear'", 1);
    gives("model.rw_head == \"cross\"", 0);
    gives("model.rw_head == linear", 1);
    gives("model.rw_head in [cross, 'linear']", 1);
    gives("model.rw_head in [cross]", 0);
    gives("model.rw_head not in [cross]", 1);
    gives("model.dim in [32, 64 + 32]", 1);
    gives("model.bias", 1);
    gives("model.bias == false", 0);
    gives("cost.macs <= 40e6 and val/top1 > 70", 1);
}

static void test_precedence(void **state)
{
    (void)state;
    number("2 + 3 * 4", 14);
    number("(2 + 3) * 4", 20);
    number("10 - 4 - 3", 3);
    number("64 / 4 / 2", 8);
    number("-2 * -3", 6);
    number("--2", 2);
    number("cost.macs / 1e6", 40);
    number("1.5e-3*2", 3e-3);
    gives("true or false and false", 1);
    gives("(true or false) and false", 0);
    gives("not false and false", 0);
    gives("not (false and false)", 1);
    gives("not not true", 1);
    gives("1 + 1 == 2", 1);
    gives("false and 1 / 0 == 1", 0); /* not reached */
}

static void test_lists(void **state)
{
    (void)state;
    gives("model.blocks == [3, 6, 9]", 1);
    gives("model.blocks == [3,6.0,9]", 1);
    gives("model.blocks == 3,6,9", 1);
    gives("model.blocks == 3, 6, 9 and model.dim == 96", 1);
    gives("model.blocks != 3,6", 1);
    gives("model.blocks == 3,6", 0);
    gives("model.blocks == -3,6,9 or model.blocks == [-3, 6, 9]", 0);
    gives("model.blocks == '[3, 6, 9]'", 1); /* as it is stored */
    gives("model.blocks == '3,6,9'", 1);
    gives("model.blocks == 3", 0); /* in a grid of [3] and [3, 6, 9] */
    gives("model.blocks != 3", 1);
    gives("model.patch == 8", 1);
    gives("model.patch == [8] and model.patch == '[8]'", 1);
    gives("model.patch == 8,8", 0);
    gives("model.patch * 2 == 16", 1);
    gives("model.blocks in [[3, 6], [3, 6, 9]]", 1);
    gives("model.blocks in [8, [3, 6]]", 0);
    gives("model.none == []", 1);
    gives("model.none != [3, 6]", 1);
    refuses("model.blocks == linear",
            "column 14: [3, 6, 9] is a list and 'linear' is text: they cannot be compared");
    refuses("model.blocks < 3", "column 1: [3, 6, 9] is a list where a number is needed");
    refuses("model.blocks == [3, x]", "column 21: expected a number of a list, found x");
    refuses("model.blocks == 3, x", "column 20: expected a number of a list, found x");
    refuses("model.blocks == [3", "column 19: expected , or ], found the end");
    refuses("model.rw_head == linear, 3", "column 24: expected an operator or the end, found ,");
}

static void test_missing(void **state)
{
    (void)state;
    gives("model.latent_dim > 3", 0);
    gives("model.latent_dim <= 3", 0);
    gives("model.latent_dim == 3", 0);
    gives("model.latent_dim != 3", 1);
    gives("model.latent_dim + 1 > 0", 0);
    gives("1 / model.latent_dim > 0", 0);
    gives("model.latent_dim in [1, 2]", 0);
    gives("model.latent_dim", 0);
    gives("not model.latent_dim", 1);
}

static void test_refusals(void **state)
{
    (void)state;
    refuses("model.rwhead == 'x'",
            "column 1: unknown name model.rwhead (did you mean model.rw_head?)");
    refuses("foo < 3", "column 1: unknown name foo (text is written in quotes)");
    refuses("model.rw_head == model.x",
            "column 18: unknown name model.x (text is written in quotes)");
    refuses("model.rw_head < 3", "column 1: 'linear' is text where a number is needed");
    refuses("model.rw_head == 3",
            "column 15: 'linear' is text and 3 is a number: they cannot be compared");
    refuses("model.dim in [1, two]",
            "column 11: 96 is a number and 'two' is text: they cannot be compared");
    refuses("model.bias + 1 > 0", "column 1: true is true or false where a number is needed");
    refuses("model.dim", "column 1: 96 is a number where true or false is needed");
    refuses("not model.dim", "column 5: 96 is a number where true or false is needed");
    refuses("1 / 0 == 1", "column 3: division by zero");
    refuses("model.dim ==", "column 13: expected a value, found the end");
    refuses("model.dim == )", "column 14: expected a value, found )");
    refuses("", "column 1: expected a value, found the end");
    refuses("(model.bias", "column 12: expected ), found the end");
    refuses("model.bias model.bias",
            "column 12: expected an operator or the end, found model.bias");
    refuses("1 < 2 < 3",
            "column 7: expected and, or or the end (comparisons are not chained), found <");
    refuses("model.dim = 3", "column 11: write == to compare");
    refuses("model.bias && true", "column 12: write and, or, not");
    refuses("model.rw_head == 'x", "column 18: the closing ' is missing");
    refuses("model.dim == 3x", "column 14: expected a number, found 3x");
    refuses("model.dim == 2_000", "column 14: expected a number, found 2_000");
    refuses("model.dim in 3", "column 14: expected [ after in, found 3");
    refuses("model.dim in [3", "column 16: expected , or ], found the end");
    refuses("model.dim in []", "column 15: expected a value, found ]");
    refuses("model.dim not 3", "column 15: expected in after not, found 3");
    refuses("model.dim == 3 # why", "column 16: unexpected character #");
}

static void test_limits(void **state)
{
    (void)state;
    char deep[501], not [1201], longest[10002];
    memset(deep, '(', 500);
    deep[500] = 0;
    refuses(deep, "column 201: nested deeper than 200 levels");
    for (int i = 0; i < 300; i++)
        memcpy(not +4 * i, "not ", 4);
    not [1200] = 0;
    refuses(not, "column 801: nested deeper than 200 levels");
    memset(longest, ' ', 10001);
    longest[10001] = 0;
    refuses(longest, "an expression of 10001 bytes, more than 10000");
}

static void test_names(void **state)
{
    (void)state;
    struct arena a = {0};
    struct error err = {0};
    struct expr *e = expr_parse(&a, "model.dim > 3 and cost.macs < model.dim or true", &err);
    assert_non_null(e);
    assert_string_equal(expr_name(e, 0), "model.dim");
    assert_string_equal(expr_name(e, 1), "cost.macs");
    assert_string_equal(expr_name(e, 2), "model.dim");
    assert_null(expr_name(e, 3));
    assert_string_equal(expr_text(e), "model.dim > 3 and cost.macs < model.dim or true");
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comparisons), cmocka_unit_test(test_precedence),
        cmocka_unit_test(test_lists),       cmocka_unit_test(test_missing),
        cmocka_unit_test(test_refusals),    cmocka_unit_test(test_limits),
        cmocka_unit_test(test_names),
    };
    return cmocka_run_group_tests_name("base/expr", tests, NULL, NULL);
}
