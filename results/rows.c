/* Result sets: storage. The renderers are in render.c. */
#include "results/rows.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <math.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

struct rows *rows_new(size_t columns, const char *const *names)
{
    struct rows *r = mem_zalloc(1, sizeof *r);
    r->columns = columns;
    r->names = ARENA_ARRAY(&r->arena, const char *, columns);
    for (size_t i = 0; i < columns; i++)
        r->names[i] = arena_strdup(&r->arena, names[i]);
    return r;
}

void rows_free(struct rows *r)
{
    if (!r)
        return;
    arena_release(&r->arena);
    free(r->cells);
    free(r);
}

struct rows_cell *rows_append(struct rows *r)
{
    if (r->count == r->capacity) {
        r->capacity = r->capacity ? 2 * r->capacity : 16;
        r->cells = mem_realloc(r->cells, r->capacity * r->columns, sizeof *r->cells);
    }
    struct rows_cell *cell = r->cells + r->count++ * r->columns;
    memset(cell, 0, r->columns * sizeof *cell);
    return cell;
}

struct rows_cell *rows_cell(const struct rows *r, size_t row, size_t column)
{
    ASSERT(row < r->count && column < r->columns);
    return &r->cells[row * r->columns + column];
}

int rows_column(const struct rows *r, const char *name)
{
    for (size_t i = 0; i < r->columns; i++)
        if (strcmp(r->names[i], name) == 0)
            return (int)i;
    return -1;
}

void rows_set_integer(struct rows_cell *cell, int64_t value)
{
    cell->type = ROWS_INTEGER;
    cell->integer = value;
}

void rows_set_real(struct rows_cell *cell, double value)
{
    cell->type = isnan(value) ? ROWS_NULL : ROWS_REAL;
    cell->real = value;
}

static int is_utf8(const char *text)
{
    for (size_t n; *text; text += n)
        if (!(n = utf8_character(text, NULL)))
            return 0;
    return 1;
}

static char *repair_utf8(struct rows *r, const char *text)
{
    struct strbuf s = STRBUF_INIT;
    while (*text) {
        size_t n = utf8_character(text, NULL);
        if (n)
            strbuf_add(&s, text, n);
        else
            strbuf_adds(&s, "\xef\xbf\xbd");
        text += n ? n : 1;
    }
    char *copy = arena_strndup(&r->arena, s.text, s.len);
    strbuf_release(&s);
    return copy;
}

void rows_set_text(struct rows *r, struct rows_cell *cell, const char *text)
{
    cell->type = text ? ROWS_TEXT : ROWS_NULL;
    if (!text)
        return;
    unsigned char high = 0;
    size_t n = 0;
    for (; text[n]; n++)
        high |= (unsigned char)text[n];
    cell->text =
        high < 0x80 || is_utf8(text) ? arena_strndup(&r->arena, text, n) : repair_utf8(r, text);
}

void rows_set_format(struct rows *r, struct rows_cell *cell, const char *fmt, ...)
{
    struct strbuf s = STRBUF_INIT;
    va_list ap;
    va_start(ap, fmt);
    strbuf_vaddf(&s, fmt, ap);
    va_end(ap);
    rows_set_text(r, cell, s.text);
    strbuf_release(&s);
}

double rows_number(const struct rows_cell *cell)
{
    if (cell->type == ROWS_INTEGER)
        return (double)cell->integer;
    return cell->type == ROWS_REAL ? cell->real : NAN;
}

const char *rows_text(const struct rows_cell *cell)
{
    return cell->type == ROWS_TEXT ? cell->text : "";
}

double rows_number_of(const struct rows *r, size_t row, const char *column)
{
    int i = rows_column(r, column);
    return i >= 0 ? rows_number(rows_cell(r, row, (size_t)i)) : NAN;
}

const char *rows_text_of(const struct rows *r, size_t row, const char *column)
{
    int i = rows_column(r, column);
    return i >= 0 ? rows_text(rows_cell(r, row, (size_t)i)) : "";
}
