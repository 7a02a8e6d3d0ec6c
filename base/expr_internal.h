/* Shared by base/expr.c (parsing) and base/expr_eval.c only. */
#ifndef BASE_EXPR_INTERNAL_H
#define BASE_EXPR_INTERNAL_H

#include "base/expr.h"

enum expr_op {
    EXPR_LITERAL,
    EXPR_NAME,
    EXPR_OR,
    EXPR_AND,
    EXPR_NOT,
    EXPR_EQ,
    EXPR_NE,
    EXPR_LT,
    EXPR_LE,
    EXPR_GT,
    EXPR_GE,
    EXPR_IN, /* left in the list of right, right->next, … */
    EXPR_ADD,
    EXPR_SUB,
    EXPR_MUL,
    EXPR_DIV,
    EXPR_NEGATE,
    EXPR_OPS
};

struct expr_node {
    enum expr_op op;
    int column;
    struct expr_value literal;
    const char *name;
    struct expr_node *left, *right; /* unary: left */
    struct expr_node *next;         /* of a list */
};

/* Whether two texts are lists of the same numbers. */
int expr_lists_equal(const char *a, const char *b);

struct expr {
    const char *text;
    struct expr_node *root;
    const char **names;
    int n_names;
};

#endif
