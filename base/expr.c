/* Parsing: recursive descent, one function a level of precedence. */
#include "base/expr.h"
#include "base/expr_internal.h"

#include <ctype.h>
#include <string.h>

#include "base/arena.h"
#include "base/error.h"
#include "base/number.h"

enum { MAX_TEXT = 10000, MAX_DEPTH = 200 };

enum token_kind { TOKEN_END, TOKEN_NUMBER, TOKEN_STRING, TOKEN_WORD, TOKEN_SIGN };

struct parser {
    struct arena *arena;
    const char *text, *at; /* at: behind the current token */
    enum token_kind kind;
    const char *start; /* of the current token */
    size_t length;
    int depth;
    const char **names;
    int n_names;
    struct error *err;
};

static int column(const struct parser *p, const char *at)
{
    return (int)(at - p->text) + 1;
}

static int is_token(const struct parser *p, const char *word)
{
    return (p->kind == TOKEN_WORD || p->kind == TOKEN_SIGN) && strlen(word) == p->length &&
           !memcmp(p->start, word, p->length);
}

static struct expr_node *unexpected(struct parser *p, const char *expected)
{
    if (p->kind == TOKEN_END)
        error_set(p->err, "column %d: expected %s, found the end", column(p, p->start), expected);
    else
        error_set(p->err, "column %d: expected %s, found %.*s", column(p, p->start), expected,
                  (int)p->length, p->start);
    return NULL;
}

static int is_word(int c)
{
    return isalnum(c) || c == '_' || c == '.' || c == '/';
}

/* A word may hold inner slashes and dashes of metric and file names only where no blank surrounds
 * them;
 * "/" after a word is a division unless a letter follows it directly: val/top1 is a name, a / b is
 * not. */
static const char *word_end(const char *s)
{
    while (is_word((unsigned char)*s)) {
        if (*s == '/' && !isalpha((unsigned char)s[1]))
            break;
        s++;
    }
    return s;
}

static const char *number_end(const char *s)
{
    while (isalnum((unsigned char)*s) || *s == '.' || *s == '_' ||
           ((*s == '+' || *s == '-') && (s[-1] == 'e' || s[-1] == 'E')))
        s++;
    return s;
}

static int next_string(struct parser *p)
{
    const char *end = strchr(p->start + 1, *p->start);
    if (!end)
        return error_set(p->err, "column %d: the closing %c is missing", column(p, p->start),
                         *p->start);
    p->kind = TOKEN_STRING;
    p->at = end + 1;
    return 0;
}

static int next_sign(struct parser *p)
{
    static const char *const signs[] = {"==", "!=", "<=", ">=", "<", ">", "(", ")",
                                        "[",  "]",  ",",  "+",  "-", "*", "/"};
    p->kind = TOKEN_SIGN;
    for (size_t i = 0; i < sizeof signs / sizeof *signs; i++)
        if (!strncmp(p->start, signs[i], strlen(signs[i]))) {
            p->at = p->start + strlen(signs[i]);
            return 0;
        }
    if (*p->start == '=')
        return error_set(p->err, "column %d: write == to compare", column(p, p->start));
    if (*p->start == '&' || *p->start == '|' || *p->start == '!')
        return error_set(p->err, "column %d: write and, or, not", column(p, p->start));
    return error_set(p->err, "column %d: unexpected character %c", column(p, p->start),
                     isprint((unsigned char)*p->start) ? *p->start : '?');
}

static int next(struct parser *p)
{
    int rc = 0;
    while (isspace((unsigned char)*p->at))
        p->at++;
    p->start = p->at;
    if (!*p->at) {
        p->kind = TOKEN_END;
    } else if (*p->at == '\'' || *p->at == '"') {
        rc = next_string(p);
    } else if (isdigit((unsigned char)*p->at) ||
               (*p->at == '.' && isdigit((unsigned char)p->at[1]))) {
        p->kind = TOKEN_NUMBER;
        p->at = number_end(p->at);
    } else if (isalpha((unsigned char)*p->at) || *p->at == '_') {
        p->kind = TOKEN_WORD;
        p->at = word_end(p->at);
    } else {
        rc = next_sign(p);
    }
    p->length = (size_t)(p->at - p->start);
    return rc;
}

static struct expr_node *new_node(struct parser *p, enum expr_op op)
{
    struct expr_node *n = ARENA_NEW(p->arena, struct expr_node);
    n->op = op;
    n->column = column(p, p->start);
    return n;
}

static struct expr_node *parse_or(struct parser *p);
static struct expr_node *parse_not(struct parser *p);

static int is_keyword(const struct parser *p)
{
    return is_token(p, "and") || is_token(p, "or") || is_token(p, "not") || is_token(p, "in");
}

static struct expr_node *parse_name(struct parser *p)
{
    struct expr_node *n = new_node(p, EXPR_NAME);
    if (is_token(p, "true") || is_token(p, "false")) {
        n->op = EXPR_LITERAL;
        n->literal = (struct expr_value){EXPR_BOOL, is_token(p, "true"), NULL};
    } else {
        n->name = arena_strndup(p->arena, p->start, p->length);
        p->names[p->n_names++] = n->name;
    }
    return next(p) ? NULL : n;
}

static struct expr_node *parse_literal(struct parser *p)
{
    struct expr_node *n = new_node(p, EXPR_LITERAL);
    if (p->kind == TOKEN_STRING) {
        n->literal.kind = EXPR_STRING;
        n->literal.text = arena_strndup(p->arena, p->start + 1, p->length - 2);
    } else {
        n->literal.kind = EXPR_NUMBER;
        if (number_float(arena_strndup(p->arena, p->start, p->length), &n->literal.number))
            return unexpected(p, "a number");
    }
    return next(p) ? NULL : n;
}

static struct expr_node *parse_group(struct parser *p)
{
    if (next(p))
        return NULL;
    struct expr_node *n = parse_or(p);
    if (!n)
        return NULL;
    if (!is_token(p, ")"))
        return unexpected(p, ")");
    return next(p) ? NULL : n;
}

static int number_follows(struct parser *p)
{
    if (is_token(p, "-") && next(p))
        return 0;
    if (p->kind == TOKEN_NUMBER)
        return 1;
    unexpected(p, "a number of a list");
    return 0;
}

/* Up to the end of the numbers, which a comma or the end of the list follows; p is at the first. */
static int skip_numbers(struct parser *p)
{
    double number;
    for (;;) {
        if (!number_follows(p))
            return -1;
        if (number_float(arena_strndup(p->arena, p->start, p->length), &number)) {
            unexpected(p, "a number");
            return -1;
        }
        if (next(p))
            return -1;
        if (!is_token(p, ","))
            return 0;
        if (next(p))
            return -1;
    }
}

/* "[3, 6, 9]": its text is the value. */
static struct expr_node *parse_numbers(struct parser *p)
{
    struct expr_node *n = new_node(p, EXPR_LITERAL);
    const char *start = p->start;
    if (next(p) || (!is_token(p, "]") && skip_numbers(p)))
        return NULL;
    if (!is_token(p, "]"))
        return unexpected(p, ", or ]");
    n->literal = expr_list(arena_strndup(p->arena, start, (size_t)(p->at - start)));
    return next(p) ? NULL : n;
}

/* "3,6,9" right of == and !=, as on a command line: n is its first number, a comma follows. */
static int take_numbers(struct parser *p, struct expr_node *n)
{
    const struct expr_node *first = n->op == EXPR_NEGATE ? n->left : n;
    const char *start = p->text + n->column - 1, *end;
    if (first->op != EXPR_LITERAL || first->literal.kind != EXPR_NUMBER)
        return 0;
    if (next(p) || skip_numbers(p))
        return -1;
    for (end = p->start; isspace((unsigned char)end[-1]);)
        end--;
    n->op = EXPR_LITERAL;
    n->literal = expr_list(arena_strndup(p->arena, start, (size_t)(end - start)));
    return 0;
}

static struct expr_node *parse_value(struct parser *p)
{
    struct expr_node *n;
    if (++p->depth > MAX_DEPTH) {
        error_set(p->err, "column %d: nested deeper than %d levels", column(p, p->start),
                  MAX_DEPTH);
        return NULL;
    }
    if (is_token(p, "-")) {
        n = new_node(p, EXPR_NEGATE);
        if (next(p) || !(n->left = parse_value(p)))
            return NULL;
    } else if (is_token(p, "(")) {
        n = parse_group(p);
    } else if (is_token(p, "[")) {
        n = parse_numbers(p);
    } else if (p->kind == TOKEN_NUMBER || p->kind == TOKEN_STRING) {
        n = parse_literal(p);
    } else if (p->kind == TOKEN_WORD && !is_keyword(p)) {
        n = parse_name(p);
    } else {
        n = unexpected(p, "a value");
    }
    p->depth--;
    return n;
}

/* One level of left-associative binary operators. */
struct level {
    const char *words[2];
    enum expr_op ops[2];
};

static struct expr_node *parse_binary(struct parser *p, const struct level *level,
                                      struct expr_node *(*operand)(struct parser *))
{
    struct expr_node *left = operand(p);
    while (left) {
        int i = is_token(p, level->words[0]) ? 0 : is_token(p, level->words[1]) ? 1 : -1;
        if (i < 0)
            return left;
        struct expr_node *n = new_node(p, level->ops[i]);
        n->left = left;
        if (next(p) || !(n->right = operand(p)))
            return NULL;
        left = n;
    }
    return NULL;
}

static struct expr_node *parse_product(struct parser *p)
{
    static const struct level product = {{"*", "/"}, {EXPR_MUL, EXPR_DIV}};
    return parse_binary(p, &product, parse_value);
}

static struct expr_node *parse_sum(struct parser *p)
{
    static const struct level sum = {{"+", "-"}, {EXPR_ADD, EXPR_SUB}};
    return parse_binary(p, &sum, parse_product);
}

/* "[a, b]" behind in; the elements are chained from n->right. */
static struct expr_node *parse_list(struct parser *p, struct expr_node *n)
{
    struct expr_node **link = &n->right;
    if (!is_token(p, "["))
        return unexpected(p, "[ after in");
    do {
        if (next(p) || !(*link = parse_sum(p)))
            return NULL;
        link = &(*link)->next;
    } while (is_token(p, ","));
    if (!is_token(p, "]"))
        return unexpected(p, ", or ]");
    return next(p) ? NULL : n;
}

static int comparison(const struct parser *p)
{
    static const char *const words[] = {"==", "!=", "<", "<=", ">", ">=", "in"};
    for (int i = 0; i < 7; i++)
        if (is_token(p, words[i]))
            return EXPR_EQ + i;
    return -1;
}

static struct expr_node *parse_comparison(struct parser *p)
{
    struct expr_node *left = parse_sum(p), *n, *inverse = NULL;
    if (left && is_token(p, "not")) {
        inverse = new_node(p, EXPR_NOT);
        if (next(p))
            return NULL;
        if (!is_token(p, "in"))
            return unexpected(p, "in after not");
    }
    int op = left ? comparison(p) : -1;
    if (op < 0)
        return left;
    n = new_node(p, (enum expr_op)op);
    n->left = left;
    if (next(p) || !(op == EXPR_IN ? parse_list(p, n) : (n->right = parse_sum(p))))
        return NULL;
    if ((op == EXPR_EQ || op == EXPR_NE) && is_token(p, ",") && take_numbers(p, n->right))
        return NULL;
    if (comparison(p) >= 0)
        return unexpected(p, "and, or or the end (comparisons are not chained)");
    if (inverse)
        inverse->left = n;
    return inverse ? inverse : n;
}

static struct expr_node *parse_not(struct parser *p)
{
    if (!is_token(p, "not"))
        return parse_comparison(p);
    struct expr_node *n = new_node(p, EXPR_NOT);
    if (++p->depth > MAX_DEPTH) {
        error_set(p->err, "column %d: nested deeper than %d levels", n->column, MAX_DEPTH);
        return NULL;
    }
    if (next(p) || !(n->left = parse_not(p)))
        return NULL;
    p->depth--;
    return n;
}

static struct expr_node *parse_and(struct parser *p)
{
    static const struct level all = {{"and", "and"}, {EXPR_AND, EXPR_AND}};
    return parse_binary(p, &all, parse_not);
}

static struct expr_node *parse_or(struct parser *p)
{
    static const struct level any = {{"or", "or"}, {EXPR_OR, EXPR_OR}};
    return parse_binary(p, &any, parse_and);
}

struct expr *expr_parse(struct arena *a, const char *text, struct error *err)
{
    struct parser p = {.arena = a, .err = err};
    struct expr *e = ARENA_NEW(a, struct expr);
    size_t length = strlen(text);
    if (length > MAX_TEXT) {
        error_set(err, "an expression of %zu bytes, more than %d", length, MAX_TEXT);
        return NULL;
    }
    p.text = p.at = e->text = arena_strdup(a, text);
    p.names = ARENA_ARRAY(a, const char *, length / 2 + 2);
    if (next(&p) || !(e->root = parse_or(&p)))
        return NULL;
    if (p.kind != TOKEN_END) {
        unexpected(&p, "an operator or the end");
        return NULL;
    }
    e->names = p.names;
    e->n_names = p.n_names;
    return e;
}

const char *expr_text(const struct expr *e)
{
    return e->text;
}

const char *expr_name(const struct expr *e, int i)
{
    return i >= 0 && i < e->n_names ? e->names[i] : NULL;
}
