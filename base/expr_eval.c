/* Evaluation: a table of functions, one an operator. */
#include "base/expr.h"
#include "base/expr_internal.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/number.h"

struct eval {
    const struct expr_scope *scope;
    struct error *err;
};

static const char *const kind_names[] = {"missing",       "a number", "text",
                                         "true or false", "a list",   "unknown"};

static int eval(struct eval *v, const struct expr_node *n, struct expr_value *out);

static struct expr_value truth(int yes)
{
    return (struct expr_value){EXPR_BOOL, yes != 0, NULL};
}

/* For messages: 'cross', 3, true. */
static const char *show(struct expr_value v, char text[80])
{
    char number[32];
    if (v.kind == EXPR_STRING)
        snprintf(text, 80, "'%s'", v.text);
    else if (v.kind == EXPR_LIST)
        snprintf(text, 80, "%s", v.text);
    else if (v.kind == EXPR_BOOL)
        snprintf(text, 80, "%s", v.number != 0 ? "true" : "false");
    else
        snprintf(text, 80, "%s", number_format(v.number, number));
    return text;
}

static int eval_literal(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    (void)v;
    *out = n->literal;
    return 0;
}

static int unknown_name(struct eval *v, const struct expr_node *n)
{
    const char *near = v->scope->suggest ? v->scope->suggest(v->scope->ctx, n->name) : NULL;
    if (near)
        return error_set(v->err, "column %d: unknown name %s (did you mean %s?)", n->column,
                         n->name, near);
    return error_set(v->err, "column %d: unknown name %s (text is written in quotes)", n->column,
                     n->name);
}

static int eval_name(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    *out = v->scope->lookup(v->scope->ctx, n->name);
    return out->kind == EXPR_UNKNOWN ? unknown_name(v, n) : 0;
}

/* Where a string is expected, a bare word that is no name stands for itself. */
static int eval_word(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    if (n->op != EXPR_NAME)
        return eval(v, n, out);
    *out = v->scope->lookup(v->scope->ctx, n->name);
    if (out->kind != EXPR_UNKNOWN)
        return 0;
    if (strchr(n->name, '.') || strchr(n->name, '/'))
        return unknown_name(v, n);
    *out = (struct expr_value){EXPR_STRING, 0, n->name};
    return 0;
}

static int eval_truth(struct eval *v, const struct expr_node *n, int *yes)
{
    struct expr_value value;
    char text[80];
    if (eval(v, n, &value))
        return -1;
    *yes = value.kind == EXPR_BOOL && value.number != 0;
    if (value.kind == EXPR_BOOL || value.kind == EXPR_MISSING)
        return 0;
    return error_set(v->err, "column %d: %s is %s where true or false is needed", n->column,
                     show(value, text), kind_names[value.kind]);
}

static int eval_logic(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    int left, right;
    if (eval_truth(v, n->left, &left))
        return -1;
    *out = truth(left);
    if (left == (n->op == EXPR_OR))
        return 0;
    if (eval_truth(v, n->right, &right))
        return -1;
    *out = truth(right);
    return 0;
}

static int eval_not(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    int yes;
    if (eval_truth(v, n->left, &yes))
        return -1;
    *out = truth(!yes);
    return 0;
}

/* Text beside a list is one, and so is text in brackets beside a list of one. */
static struct expr_value beside(struct expr_value a, struct expr_value other)
{
    int is_list = a.kind == EXPR_STRING &&
                  (other.kind == EXPR_LIST || (other.kind == EXPR_NUMBER && *a.text == '['));
    return is_list ? expr_list(a.text) : a;
}

static int is_equal(struct eval *v, const struct expr_node *n, struct expr_value a,
                    struct expr_value b, int *equal)
{
    char left[80], right[80];
    *equal = 0;
    if (a.kind == EXPR_MISSING || b.kind == EXPR_MISSING)
        return 0;
    a = beside(a, b);
    b = beside(b, a);
    if ((a.kind == EXPR_LIST && b.kind == EXPR_NUMBER) ||
        (a.kind == EXPR_NUMBER && b.kind == EXPR_LIST))
        return 0;
    if (a.kind != b.kind)
        return error_set(v->err, "column %d: %s is %s and %s is %s: they cannot be compared",
                         n->column, show(a, left), kind_names[a.kind], show(b, right),
                         kind_names[b.kind]);
    *equal = a.kind == EXPR_STRING ? !strcmp(a.text, b.text)
             : a.kind == EXPR_LIST ? expr_lists_equal(a.text, b.text)
                                   : a.number == b.number;
    return 0;
}

static int eval_equal(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value a, b;
    int equal;
    if (eval(v, n->left, &a) || eval_word(v, n->right, &b) || is_equal(v, n, a, b, &equal))
        return -1;
    *out = truth(equal == (n->op == EXPR_EQ));
    return 0;
}

static int eval_in(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    struct expr_value a, b;
    int found = 0;
    if (eval(v, n->left, &a))
        return -1;
    for (const struct expr_node *e = n->right; e; e = e->next) {
        int equal;
        if (eval_word(v, e, &b) || is_equal(v, n, a, b, &equal))
            return -1;
        found |= equal;
    }
    *out = truth(found);
    return 0;
}

/* Both sides as numbers; *missing where either is missing. */
static int eval_numbers(struct eval *v, const struct expr_node *n, double x[2], int *missing)
{
    const struct expr_node *sides[2] = {n->left, n->right};
    char text[80];
    *missing = 0;
    for (int i = 0; i < 2 && sides[i]; i++) {
        struct expr_value value;
        if (eval(v, sides[i], &value))
            return -1;
        if (value.kind != EXPR_NUMBER && value.kind != EXPR_MISSING)
            return error_set(v->err, "column %d: %s is %s where a number is needed",
                             sides[i]->column, show(value, text), kind_names[value.kind]);
        *missing |= value.kind == EXPR_MISSING;
        x[i] = value.number;
    }
    return 0;
}

static int eval_order(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    double x[2];
    int missing;
    if (eval_numbers(v, n, x, &missing))
        return -1;
    int yes = n->op == EXPR_LT   ? x[0] < x[1]
              : n->op == EXPR_LE ? x[0] <= x[1]
              : n->op == EXPR_GT ? x[0] > x[1]
                                 : x[0] >= x[1];
    *out = truth(yes && !missing);
    return 0;
}

static int eval_arithmetic(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    double x[2] = {0, 0};
    int missing;
    if (eval_numbers(v, n, x, &missing))
        return -1;
    if (n->op == EXPR_DIV && x[1] == 0 && !missing)
        return error_set(v->err, "column %d: division by zero", n->column);
    out->kind = missing ? EXPR_MISSING : EXPR_NUMBER;
    out->text = NULL;
    out->number = n->op == EXPR_ADD   ? x[0] + x[1]
                  : n->op == EXPR_SUB ? x[0] - x[1]
                  : n->op == EXPR_MUL ? x[0] * x[1]
                  : n->op == EXPR_DIV ? (missing ? 0 : x[0] / x[1])
                                      : -x[0];
    return 0;
}

static int eval(struct eval *v, const struct expr_node *n, struct expr_value *out)
{
    static int (*const table[EXPR_OPS])(struct eval *, const struct expr_node *,
                                        struct expr_value *) = {
        [EXPR_LITERAL] = eval_literal, [EXPR_NAME] = eval_name,        [EXPR_OR] = eval_logic,
        [EXPR_AND] = eval_logic,       [EXPR_NOT] = eval_not,          [EXPR_EQ] = eval_equal,
        [EXPR_NE] = eval_equal,        [EXPR_LT] = eval_order,         [EXPR_LE] = eval_order,
        [EXPR_GT] = eval_order,        [EXPR_GE] = eval_order,         [EXPR_IN] = eval_in,
        [EXPR_ADD] = eval_arithmetic,  [EXPR_SUB] = eval_arithmetic,   [EXPR_MUL] = eval_arithmetic,
        [EXPR_DIV] = eval_arithmetic,  [EXPR_NEGATE] = eval_arithmetic};
    return table[n->op](v, n, out);
}

int expr_value(const struct expr *e, const struct expr_scope *scope, struct expr_value *out,
               struct error *err)
{
    struct eval v = {scope, err};
    return eval(&v, e->root, out);
}

int expr_test(const struct expr *e, const struct expr_scope *scope, int *out, struct error *err)
{
    struct eval v = {scope, err};
    return eval_truth(&v, e->root, out);
}
