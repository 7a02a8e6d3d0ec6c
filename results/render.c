/* Renderers of result sets: one function a format, in a table. */
#include "results/rows.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "base/utf8.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PLAIN_WIDTH = 80, LEAST_TEXT = 8, CELL_TEXT = 64 };

/* ---- numbers --------------------------------------------------------------------------------- */

/* Exact: whole numbers in full, others the shortest text that reads back. */
static const char *exact_number(const struct rows_cell *cell, char text[CELL_TEXT])
{
    if (cell->type == ROWS_INTEGER)
        number_whole(cell->integer, text);
    else if (fabs(cell->real) < 0x1p53 && cell->real == floor(cell->real))
        number_whole((int64_t)cell->real, text);
    else
        number_format(cell->real, text);
    return text;
}

/* For people: six digits. */
static const char *short_number(const struct rows_cell *cell, char text[CELL_TEXT])
{
    if (cell->type == ROWS_REAL && isinf(cell->real))
        return cell->real > 0 ? "inf" : "-inf";
    if (cell->type == ROWS_REAL && !(fabs(cell->real) < 0x1p53 && cell->real == floor(cell->real)))
        return number_short(cell->real, text);
    return exact_number(cell, text);
}

static int is_number(const struct rows_cell *cell)
{
    return cell->type == ROWS_INTEGER || cell->type == ROWS_REAL;
}

static const char *shown(const struct rows_cell *cell, char text[CELL_TEXT])
{
    if (cell->type == ROWS_NULL)
        return "";
    return cell->type == ROWS_TEXT ? cell->text : short_number(cell, text);
}

static int is_plain_ascii(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || (unsigned char)*text > 126 || *text == '"' ||
            *text == '\\')
            return 0;
    return 1;
}

/* ---- table ----------------------------------------------------------------------------------- */

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
    int plain = is_plain_ascii(text);
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

/* Every cell as text: numbers are formatted once, into the arena. */
static const char **all_texts(const struct rows *r, struct arena *arena)
{
    char text[CELL_TEXT];
    const char **texts = mem_zalloc(r->count * r->columns + 1, sizeof *texts);
    for (size_t i = 0; i < r->count * r->columns; i++) {
        const char *t = shown(&r->cells[i], text);
        texts[i] = is_number(&r->cells[i]) ? arena_strdup(arena, t) : t;
    }
    return texts;
}

/* A number that was formatted by whoever made the rows. */
static int is_numeral(const char *text)
{
    double value;
    return number_float(text, &value) == 0;
}

/* texts may be NULL where only the sides matter. */
static void measure(const struct rows *r, const char **texts, size_t *widths, unsigned char *right)
{
    for (size_t c = 0; c < r->columns; c++) {
        widths[c] = display_width(r->names[c]);
        int numbers = 0, words = 0;
        for (size_t i = 0; i < r->count; i++) {
            const struct rows_cell *cell = rows_cell(r, i, c);
            size_t n = texts ? display_width(texts[i * r->columns + c]) : 0;
            widths[c] = n > widths[c] ? n : widths[c];
            int word = cell->type == ROWS_TEXT && (words || !is_numeral(cell->text));
            words += word;
            numbers += cell->type != ROWS_NULL && !word;
        }
        right[c] = numbers > 0 && words == 0;
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

/* Takes characters off the widest texts until the lines fit, or all texts are short. Returns the
 * width of a line. */
static size_t fit(const struct rows *r, size_t *widths, const unsigned char *right, size_t width)
{
    size_t total = 2 * (r->columns - 1);
    unsigned char *allowed = mem_zalloc(r->columns, 1);
    for (size_t c = 0; c < r->columns; c++)
        total += widths[c];
    for (int all = 0; all < 2 && total > width; all++) {
        for (size_t c = 0; c < r->columns; c++)
            allowed[c] = (unsigned char)(!right[c] && (all || may_cut(r, c)));
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

static void print_lines(const struct rows *r, const char **texts, const size_t *widths,
                        const unsigned char *right, FILE *out)
{
    for (size_t c = 0; c < r->columns; c++) {
        fputs_unlocked(c ? "  " : "", out);
        put_padded(out, r->names[c], widths[c], right[c], c + 1 == r->columns);
    }
    putc_unlocked('\n', out);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t c = 0; c < r->columns; c++) {
            fputs_unlocked(c ? "  " : "", out);
            put_padded(out, texts[i * r->columns + c], widths[c], right[c], c + 1 == r->columns);
        }
        putc_unlocked('\n', out);
    }
}

static void print_caption(const struct rows *r, FILE *out)
{
    if (r->caption)
        fprintf(out, "\n%s\n", r->caption);
}

static void print_table(const struct rows *r, int width, FILE *out)
{
    struct arena arena = {0};
    const char **texts = all_texts(r, &arena);
    size_t *widths = mem_zalloc(r->columns, sizeof *widths);
    unsigned char *right = mem_zalloc(r->columns, 1);
    measure(r, texts, widths, right);
    if (fit(r, widths, right, (size_t)width) / 2 > (size_t)width)
        print_records(r, texts, out);
    else
        print_lines(r, texts, widths, right, out);
    print_caption(r, out);
    free(texts);
    arena_release(&arena);
    free(widths);
    free(right);
}

/* ---- csv ------------------------------------------------------------------------------------- */

static void put_csv(FILE *out, const char *text)
{
    int formula = *text && strchr("=+-@\t\r", *text) != NULL;
    int quoted = strpbrk(text, ",\"\r\n") != NULL;
    if (quoted)
        putc_unlocked('"', out);
    if (formula)
        putc_unlocked('\'', out);
    for (; *text; text++) {
        if (*text == '"')
            putc_unlocked('"', out);
        putc_unlocked(*text, out);
    }
    if (quoted)
        putc_unlocked('"', out);
}

static void print_csv(const struct rows *r, int width, FILE *out)
{
    char text[CELL_TEXT];
    (void)width;
    for (size_t c = 0; c < r->columns; c++) {
        fputs_unlocked(c ? "," : "", out);
        put_csv(out, r->names[c]);
    }
    putc_unlocked('\n', out);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t c = 0; c < r->columns; c++) {
            const struct rows_cell *cell = rows_cell(r, i, c);
            fputs_unlocked(c ? "," : "", out);
            if (cell->type == ROWS_TEXT)
                put_csv(out, cell->text);
            else if (cell->type == ROWS_REAL && isinf(cell->real))
                fputs_unlocked(cell->real > 0 ? "inf" : "-inf", out);
            else if (cell->type != ROWS_NULL)
                fputs_unlocked(exact_number(cell, text), out);
        }
        putc_unlocked('\n', out);
    }
}

/* ---- json ------------------------------------------------------------------------------------ */

static void put_json_text(FILE *out, const char *text)
{
    if (is_plain_ascii(text)) { /* almost all: no need of the library's detour */
        putc_unlocked('"', out);
        fputs_unlocked(text, out);
        putc_unlocked('"', out);
        return;
    }
    json_t *string = json_string(text);
    if (!string)
        BUG("rows hold text that is not UTF-8");
    json_dumpf(string, out, JSON_ENCODE_ANY);
    json_decref(string);
}

static void put_object(const struct rows *r, size_t row, FILE *out)
{
    char text[CELL_TEXT];
    putc_unlocked('{', out);
    for (size_t c = 0; c < r->columns; c++) {
        const struct rows_cell *cell = rows_cell(r, row, c);
        fputs_unlocked(c ? ", " : "", out);
        put_json_text(out, r->names[c]);
        fputs_unlocked(": ", out);
        if (cell->type == ROWS_TEXT)
            put_json_text(out, cell->text);
        else if (cell->type == ROWS_INTEGER || (cell->type == ROWS_REAL && isfinite(cell->real)))
            fputs_unlocked(exact_number(cell, text), out);
        else
            fputs_unlocked("null", out);
    }
    putc_unlocked('}', out);
}

static void print_json(const struct rows *r, int width, FILE *out)
{
    (void)width;
    fputs_unlocked("[", out);
    for (size_t i = 0; i < r->count; i++) {
        fputs_unlocked(i ? ",\n" : "\n", out);
        put_object(r, i, out);
    }
    fputs_unlocked(r->count ? "\n]\n" : "]\n", out);
}

static void print_jsonl(const struct rows *r, int width, FILE *out)
{
    (void)width;
    for (size_t i = 0; i < r->count; i++) {
        put_object(r, i, out);
        putc_unlocked('\n', out);
    }
}

/* ---- Markdown -------------------------------------------------------------------------------- */

static void put_md(FILE *out, const char *text)
{
    for (; *text; text++) {
        if (*text == '\n')
            fputs_unlocked("<br>", out);
        else if (strchr("|\\*_`", *text))
            fprintf(out, "\\%c", *text);
        else if (*text == '<')
            fputs_unlocked("&lt;", out);
        else
            putc_unlocked((unsigned char)*text < 32 ? ' ' : *text, out);
    }
}

static void print_md(const struct rows *r, int width, FILE *out)
{
    char text[CELL_TEXT];
    size_t *widths = mem_zalloc(r->columns, sizeof *widths);
    unsigned char *right = mem_zalloc(r->columns, 1);
    (void)width;
    measure(r, NULL, widths, right);
    for (size_t c = 0; c < r->columns; c++) {
        fputs_unlocked("| ", out);
        put_md(out, r->names[c]);
        putc_unlocked(' ', out);
    }
    fputs_unlocked("|\n", out);
    for (size_t c = 0; c < r->columns; c++)
        fputs_unlocked(right[c] ? "| ---: " : "| --- ", out);
    fputs_unlocked("|\n", out);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t c = 0; c < r->columns; c++) {
            const struct rows_cell *cell = rows_cell(r, i, c);
            fputs_unlocked(cell->strong ? "| **" : "| ", out);
            put_md(out, shown(cell, text));
            fputs_unlocked(cell->strong ? "** " : " ", out);
        }
        fputs_unlocked("|\n", out);
    }
    print_caption(r, out);
    free(widths);
    free(right);
}

/* ---- LaTeX ----------------------------------------------------------------------------------- */

static void put_latex(FILE *out, const char *text)
{
    static const struct {
        const char *from, *to;
    } table[] = {
        {"\\", "\\textbackslash{}"},
        {"&", "\\&"},
        {"%", "\\%"},
        {"$", "\\$"},
        {"#", "\\#"},
        {"_", "\\_"},
        {"{", "\\{"},
        {"}", "\\}"},
        {"~", "\\textasciitilde{}"},
        {"^", "\\textasciicircum{}"},
        {"<", "\\textless{}"},
        {">", "\\textgreater{}"},
        {"±", "$\\pm$"},
        {"Δ", "$\\Delta$"},
        {"—", "---"},
        {"×", "$\\times$"},
        {"→", "$\\to$"},
        {"−", "$-$"},
        {"†", "\\dag{}"},
        {"…", "\\dots{}"},
    };
    while (*text) {
        size_t i = 0, n = sizeof table / sizeof *table;
        while (i < n && strncmp(text, table[i].from, strlen(table[i].from)) != 0)
            i++;
        if (i < n) {
            fputs_unlocked(table[i].to, out);
            text += strlen(table[i].from);
        } else {
            putc_unlocked((unsigned char)*text < 32 ? ' ' : *text, out);
            text++;
        }
    }
}

static void print_tabular(const struct rows *r, FILE *out)
{
    char text[CELL_TEXT];
    size_t *widths = mem_zalloc(r->columns, sizeof *widths);
    unsigned char *right = mem_zalloc(r->columns, 1);
    measure(r, NULL, widths, right);
    fputs_unlocked("\\begin{tabular}{", out);
    for (size_t c = 0; c < r->columns; c++)
        putc_unlocked(right[c] ? 'r' : 'l', out);
    fputs_unlocked("}\n\\toprule\n", out);
    for (size_t c = 0; c < r->columns; c++) {
        fputs_unlocked(c ? " & " : "", out);
        put_latex(out, r->names[c]);
    }
    fputs_unlocked(" \\\\\n\\midrule\n", out);
    for (size_t i = 0; i < r->count; i++) {
        for (size_t c = 0; c < r->columns; c++) {
            const struct rows_cell *cell = rows_cell(r, i, c);
            fputs_unlocked(c ? " & " : "", out);
            fputs_unlocked(cell->strong ? "\\textbf{" : "", out);
            put_latex(out, shown(cell, text));
            fputs_unlocked(cell->strong ? "}" : "", out);
        }
        fputs_unlocked(" \\\\\n", out);
    }
    fputs_unlocked("\\bottomrule\n\\end{tabular}\n", out);
    free(widths);
    free(right);
}

static void print_latex(const struct rows *r, int width, FILE *out)
{
    (void)width;
    fputs_unlocked("% needs \\usepackage{booktabs}\n", out);
    if (!r->caption) {
        print_tabular(r, out);
        return;
    }
    fputs_unlocked("\\begin{table}\n\\centering\n\\caption{", out);
    put_latex(out, r->caption);
    fputs_unlocked("}\n", out);
    if (r->label)
        fprintf(out, "\\label{%s}\n", r->label);
    print_tabular(r, out);
    fputs_unlocked("\\end{table}\n", out);
}

/* ---- formats --------------------------------------------------------------------------------- */

static const struct {
    const char *name;
    void (*print)(const struct rows *r, int width, FILE *out);
} formats[ROWS_FORMATS] = {
    [ROWS_TABLE] = {"table", print_table}, [ROWS_CSV] = {"csv", print_csv},
    [ROWS_JSON] = {"json", print_json},    [ROWS_JSONL] = {"jsonl", print_jsonl},
    [ROWS_MD] = {"md", print_md},          [ROWS_LATEX] = {"latex", print_latex},
};

const char *rows_format_name(enum rows_format format)
{
    ASSERT(format >= 0 && format < ROWS_FORMATS);
    return formats[format].name;
}

int rows_format_find(const char *name, struct error *err)
{
    for (int i = 0; i < ROWS_FORMATS; i++)
        if (strcmp(formats[i].name, name) == 0)
            return i;
    return error_set(err, "unknown format %s: take table, csv, json, jsonl, md or latex", name);
}

int rows_print_width(const struct rows *r, enum rows_format format, int width, FILE *out,
                     struct error *err)
{
    if (r->columns == 0)
        return 0;
    flockfile(out); /* once, not for each character */
    formats[format].print(r, width > 0 ? width : PLAIN_WIDTH, out);
    funlockfile(out);
    if (fflush(out) || ferror(out))
        return error_env(err, "cannot write the output: %s", strerror(errno));
    return 0;
}

int rows_print(const struct rows *r, enum rows_format format, FILE *out, struct error *err)
{
    struct winsize size;
    int width = 0;
    if (isatty(fileno(out)) && ioctl(fileno(out), TIOCGWINSZ, &size) == 0)
        width = size.ws_col;
    return rows_print_width(r, format, width, out, err);
}
