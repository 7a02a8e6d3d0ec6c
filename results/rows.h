/* A result set: named columns, typed cells, and its renderers. Every listing of the program is one,
 * so all of them can be had as a table, CSV, JSON, JSON lines, Markdown or LaTeX. */
#ifndef RESULTS_ROWS_H
#define RESULTS_ROWS_H

#include "base/arena.h"

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct error;

enum rows_type { ROWS_NULL, ROWS_INTEGER, ROWS_REAL, ROWS_TEXT };

struct rows_cell {
    unsigned char type;   /* enum rows_type */
    unsigned char strong; /* the best of its kind: bold in Markdown and LaTeX */
    union {
        int64_t integer;
        double real;
        const char *text; /* UTF-8, owned by the rows */
    };
};

struct rows {
    struct arena arena;
    const char **names;
    size_t columns, count, capacity;
    struct rows_cell *cells; /* count x columns, row after row */
    /* or NULL: below a table and in Markdown, \caption in LaTeX, absent elsewhere */
    const char *caption;
    const char *label; /* or NULL: \label in LaTeX */
    /* In a table the last column goes on in further lines where else it would be cut: for a few
     * rows whose texts are what is wanted. */
    int wraps;
};

/* Column names are copied. */
struct rows *rows_new(size_t columns, const char *const *names);
void rows_free(struct rows *r);

/* A new row of NULL cells at the end; valid until the next rows_append. */
struct rows_cell *rows_append(struct rows *r);
struct rows_cell *rows_cell(const struct rows *r, size_t row, size_t column);
/* The column of that name, or -1. */
int rows_column(const struct rows *r, const char *name);

void rows_set_integer(struct rows_cell *cell, int64_t value);
void rows_set_real(struct rows_cell *cell, double value);
/* NULL sets a NULL cell. Bytes that are not UTF-8 become U+FFFD. */
void rows_set_text(struct rows *r, struct rows_cell *cell, const char *text);
void rows_set_format(struct rows *r, struct rows_cell *cell, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
/* An integer or real cell as a double; NAN for anything else. */
double rows_number(const struct rows_cell *cell);
/* A text cell's text; "" for anything else. */
const char *rows_text(const struct rows_cell *cell);
/* The same of the column of that name; NAN and "" where there is none. */
double rows_number_of(const struct rows *r, size_t row, const char *column);
const char *rows_text_of(const struct rows *r, size_t row, const char *column);

enum rows_format { ROWS_TABLE, ROWS_CSV, ROWS_JSON, ROWS_JSONL, ROWS_MD, ROWS_LATEX, ROWS_FORMATS };

const char *rows_format_name(enum rows_format format); /* "table", "csv", … */
/* The format of that name; else -1 and an error that lists the names. */
int rows_format_find(const char *name, struct error *err);

/* Prints everything, with a header line.
 *
 *   table  aligned, numbers to the right, shortened to width columns by cutting the widest texts
 *          (width 0: 80), a block a row where lines would still be more than twice as wide; for
 *          people: may change
 *   csv    RFC 4180 with LF line ends; a text that begins with = + - @ tab or CR gets a ' in front,
 *          so that a spreadsheet does not run it; NULL is empty
 *   json   one array of flat objects; keys are the column names; integers unabbreviated; numbers
 *          that are not finite are null
 *   jsonl  one object a line
 *   md     a GitHub table
 *   latex  a booktabs tabular, all text escaped; inside a table environment where there is a
 *          caption
 *
 * Returns 0, or -1 where out could not be written (a closed pipe, a full disk). */
int rows_print(const struct rows *r, enum rows_format format, FILE *out, struct error *err);
int rows_print_width(const struct rows *r, enum rows_format format, int width, FILE *out,
                     struct error *err);

#endif
