/* Result sets in a terminal: aligned columns that fit its width.
 *
 * Widths are those that a terminal shows, not bytes: of wide characters two, of marks none. Where a
 * line would be too long, the widest texts lose characters and end in an ellipsis, texts with
 * blanks first, identifiers and paths only if nothing else helps, the first column last, columns of
 * numbers never. Where
 * lines would still be more than twice as wide as the terminal, each row is a block instead, a line
 * a value. */
#include "results/render.h"
#include "base/arena.h"
#include "base/memory.h"
#include "base/utf8.h"

#include <stdlib.h>
#include <string.h>

enum { LEAST_TEXT = 8 }; /* columns: what is this narrow is not cut */

static size_t display_width(const char *text)
{
    return utf8_columns(text, strlen(text));
}

static void put_blanks(FILE *out, size_t n)
{
    static const char blanks[] = "                                ";
    for (size_t step; n; n -= step) {
        step = n < sizeof blanks - 1 ? n : sizeof blanks - 1;
        fwrite_unlocked(blanks, 1, step, out);
    }
}

/* At most room columns, padded to them where a wide character does not fit; control characters
 * become blanks. */
static void put_plain(FILE *out, const char *text, size_t room)
{
    size_t n = utf8_fit(text, room), used = utf8_columns(text, n);
    for (const char *p = text; p < text + n; p++)
        putc_unlocked((unsigned char)*p < 32 || *p == 127 ? ' ' : *p, out);
    if (text[n])
        put_blanks(out, room - used);
}

/* Text cut to width columns and padded to it. Almost all of it is plain, and goes out whole. */
static void put_padded(FILE *out, const char *text, size_t width, int right, int last)
{
    int plain = render_is_plain(text);
    size_t n = plain ? strlen(text) : display_width(text), blanks = n > width ? 0 : width - n;
    if (right && blanks)
        put_blanks(out, blanks);
    if (plain)
        fwrite_unlocked(text, 1, n > width ? width - 1 : n, out);
    else
        put_plain(out, text, n > width ? width - 1 : n);
    if (n > width)
        fputs_unlocked("…", out);
    if (!right && !last && blanks)
        put_blanks(out, blanks);
}

static int is_number(const struct rows_cell *cell)
{
    return cell->type == ROWS_INTEGER || cell->type == ROWS_REAL;
}

/* Every cell as text: numbers are formatted once, into the arena. */
static const char **all_texts(const struct rows *r, struct arena *arena)
{
    char text[RENDER_TEXT];
    const char **texts = mem_zalloc(r->count * r->columns + 1, sizeof *texts);
    for (size_t i = 0; i < r->count * r->columns; i++) {
        const char *t = render_text(&r->cells[i], text);
        texts[i] = is_number(&r->cells[i]) ? arena_strdup(arena, t) : t;
    }
    return texts;
}

static void measure(const struct rows *r, const char **texts, size_t *widths)
{
    for (size_t c = 0; c < r->columns; c++) {
        widths[c] = display_width(r->names[c]);
        for (size_t i = 0; i < r->count; i++) {
            size_t n = display_width(texts[i * r->columns + c]);
            widths[c] = n > widths[c] ? n : widths[c];
        }
    }
}

/* Whether a column may be cut: texts with blanks may, identifiers and paths only if nothing else
 * helps. */
static int may_cut(const struct rows *r, size_t column)
{
    for (size_t i = 0; i < r->count; i++) {
        const struct rows_cell *cell = rows_cell(r, i, column);
        if (cell->type == ROWS_TEXT && strchr(cell->text, ' '))
            return 1;
    }
    return 0;
}

/* The widest column that is allowed to lose a character, or r->columns. */
static size_t widest(const struct rows *r, const size_t *widths, const unsigned char *allowed)
{
    size_t found = r->columns;
    for (size_t c = 0; c < r->columns; c++)
        if (allowed[c] && widths[c] > LEAST_TEXT &&
            (found == r->columns || widths[c] > widths[found]))
            found = c;
    return found;
}

/* Whether a column may lose characters in this round: first texts with blanks, then all but the
 * first column, which says what the row is (a run's id is typed into other commands), then that
 * too. */
static int may_lose(const struct rows *r, size_t column, int round)
{
    return round == 2 || (round == 1 && column > 0) || may_cut(r, column);
}

/* Takes characters off the widest texts until the lines fit, or all texts are short. Returns the
 * width of a line. */
static size_t fit(const struct rows *r, size_t *widths, const unsigned char *right, size_t width)
{
    size_t total = 2 * (r->columns - 1);
    unsigned char *allowed = mem_zalloc(r->columns, 1);
    for (size_t c = 0; c < r->columns; c++)
        total += widths[c];
    for (int round = 0; round < 3 && total > width; round++) {
        for (size_t c = 0; c < r->columns; c++)
            allowed[c] = (unsigned char)(!right[c] && may_lose(r, c, round));
        for (size_t c; total > width && (c = widest(r, widths, allowed)) < r->columns; total--)
            widths[c]--;
    }
    free(allowed);
    return total;
}

/* What no terminal can show side by side: a block a row, a line a value that is there. */
static void print_records(const struct rows *r, const char **texts, FILE *out)
{
    size_t names = 0;
    for (size_t c = 0; c < r->columns; c++)
        names = display_width(r->names[c]) > names ? display_width(r->names[c]) : names;
    for (size_t i = 0; i < r->count; i++) {
        if (i > 0)
            putc_unlocked('\n', out);
        for (size_t c = 0; c < r->columns; c++) {
            const char *text = texts[i * r->columns + c];
            if (!*text)
                continue;
            put_padded(out, r->names[c], names, 0, 0);
            fputs_unlocked("  ", out);
            put_plain(out, text, strlen(text));
            putc_unlocked('\n', out);
        }
    }
}

/* In as many lines as it needs, at blanks where there are any, each but the first behind an indent.
 */
static void put_wrapped(FILE *out, const char *text, size_t indent, size_t width)
{
    for (;;) {
        size_t n = utf8_line(text, width);
        put_plain(out, text, utf8_columns(text, n));
        text += n;
        text += strspn(text, " \t\n");
        if (!*text)
            return;
        putc_unlocked('\n', out);
        put_blanks(out, indent);
    }
}

static void print_lines(const struct rows *r, const char **texts, const size_t *widths,
                        const unsigned char *right, FILE *out)
{
    for (size_t c = 0; c < r->columns; c++) {
        fputs_unlocked(c ? "  " : "", out);
        put_padded(out, r->names[c], widths[c], right[c], c + 1 == r->columns);
    }
    putc_unlocked('\n', out);
    size_t last = r->columns - 1, indent = 2 * last;
    for (size_t c = 0; c < last; c++)
        indent += widths[c];
    for (size_t i = 0; i < r->count; i++) {
        const char **row = texts + i * r->columns;
        for (size_t c = 0; c < r->columns; c++) {
            fputs_unlocked(c ? "  " : "", out);
            if (c == last && r->wraps && !right[c])
                put_wrapped(out, row[c], indent, widths[c]);
            else
                put_padded(out, row[c], widths[c], right[c], c == last);
        }
        putc_unlocked('\n', out);
    }
}

void render_terminal(const struct rows *r, int width, FILE *out)
{
    struct arena arena = {0};
    const char **texts = all_texts(r, &arena);
    size_t *widths = mem_zalloc(r->columns, sizeof *widths);
    unsigned char *right = mem_zalloc(r->columns, 1);
    measure(r, texts, widths);
    render_sides(r, right);
    if (fit(r, widths, right, (size_t)width) / 2 > (size_t)width)
        print_records(r, texts, out);
    else
        print_lines(r, texts, widths, right, out);
    render_caption(r, out);
    free(texts);
    arena_release(&arena);
    free(widths);
    free(right);
}
