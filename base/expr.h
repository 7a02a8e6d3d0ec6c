/* Expressions over named values: where, exclude, when, --only and filters of an experiment.
 *
 *   model.rw_head == 'cross' and model.fusion in ['erase', add]
 *   cost.macs / 1e6 <= 40 or not model.bias
 *
 *   or, and, not           on truth values; the right side is evaluated only if it matters
 *   == != < <= > >= in     a comparison is not chained: a < b < c is an error; also "not in"
 *   + - * /  unary -       on numbers; x / 0 is an error
 *   literals               40e6, 'text', "text", true, false
 *   names                  dotted words; the lookup says what they stand for. A slash with a letter
 *                          right behind it belongs to the name (val/top1): a / b needs the blanks
 *   bare words             right of == and != and inside [ ], a word without a dot that the lookup
 *                          does not know is text: model.rw_head == cross
 *   lists                  [3, 6, 9], and right of == and != also 3,6,9: of numbers. A list of one
 *                          is that number, and no number is a list of several: 8 != [3, 6] is true
 *
 * Values are numbers, strings, truth values and lists; comparing two kinds is an error but for a
 * list with a number, or with text that is written like one, and so is an order (<) of anything but
 * numbers. A known name without a value here (an inactive key) is missing: !=
 * with it is true, every other comparison with it is false, arithmetic with it is missing, and as a
 * truth value it is false. Parsed once into an arena, evaluated any number of times. */
#ifndef BASE_EXPR_H
#define BASE_EXPR_H

struct arena;
struct error;
struct expr;

enum expr_kind {
    EXPR_MISSING, /* the name is known but has no value here */
    EXPR_NUMBER,
    EXPR_STRING,
    EXPR_BOOL,
    EXPR_LIST,   /* of numbers, not of one */
    EXPR_UNKNOWN /* no such name */
};

struct expr_value {
    enum expr_kind kind;
    double number;    /* EXPR_NUMBER; 0 or 1 of EXPR_BOOL */
    const char *text; /* EXPR_STRING, EXPR_LIST ("[3, 6]" or "3,6"); lives as long as needed */
};

/* The value of a list of numbers as it is stored or written, "[3, 6]" or "3,6": a list of one is
 * that number. Anything else is EXPR_STRING. text is kept, not copied. */
struct expr_value expr_list(const char *text);

/* What names mean. suggest (may be NULL) gives the nearest known name or NULL. */
struct expr_scope {
    struct expr_value (*lookup)(void *ctx, const char *name);
    const char *(*suggest)(void *ctx, const char *name);
    void *ctx;
};

/* text is copied. Errors name the column (1-based) within text: "column 14: expected a value, found
 * )". At most 10,000 bytes and 200 levels of nesting. */
struct expr *expr_parse(struct arena *a, const char *text, struct error *err);

/* Returns -1 on a type error, a division by zero or an unknown name, which the message names. */
int expr_value(const struct expr *e, const struct expr_scope *scope, struct expr_value *out,
               struct error *err);
/* The value must be a truth value: *out is 0 or 1. */
int expr_test(const struct expr *e, const struct expr_scope *scope, int *out, struct error *err);

/* The text it was parsed from. */
const char *expr_text(const struct expr *e);
/* The i-th name used, in order of appearance, with repeats; NULL past the last. */
const char *expr_name(const struct expr *e, int i);

#endif
