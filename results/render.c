/* Renderers of result sets: one function a format, in a table. That for terminals is long enough to
 * be a file of its own, results/render_terminal.c. */
#include "results/render.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/number.h"

#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { PLAIN_WIDTH = 80 };

/* ---- numbers --------------------------------------------------------------------------------- */

/* Exact: whole numbers in full, others the shortest text that reads back. */
static const char *exact_number(const struct rows_cell *cell, char text[RENDER_TEXT])
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
static const char *short_number(const struct rows_cell *cell, char text[RENDER_TEXT])
{
    if (cell->type == ROWS_REAL && isinf(cell->real))
        return cell->real > 0 ? "inf" : "-inf";
    if (cell->type == ROWS_REAL && !(fabs(cell->real) < 0x1p53 && cell->real == floor(cell->real)))
        return number_short(cell->real, text);
    return exact_number(cell, text);
}

const char *render_text(const struct rows_cell *cell, char text[RENDER_TEXT])
{
    if (cell->type == ROWS_NULL)
        return "";
    return cell->type == ROWS_TEXT ? cell->text : short_number(cell, text);
}

int render_is_plain(const char *text)
{
    for (; *text; text++)
        if ((unsigned char)*text < 32 || (unsigned char)*text > 126 || *text == '"' ||
            *text == '\\')
            return 0;
    return 1;
}

/* ---- people ---------------------------------------------------------------------------------- */

/* A number that was formatted by whoever made the rows. */
static int is_numeral(const char *text)
{
    double value;
    return number_float(text, &value) == 0;
}

void render_sides(const struct rows *r, unsigned char *right)
{
    for (size_t c = 0; c < r->columns; c++) {
        int numbers = 0, words = 0;
        for (size_t i = 0; i < r->count; i++) {
            const struct rows_cell *cell = rows_cell(r, i, c);
            int word = cell->type == ROWS_TEXT && (words || !is_numeral(cell->text));
            words += word;
            numbers += cell->type != ROWS_NULL && !word;
        }
        right[c] = numbers > 0 && words == 0;
    }
}

void render_caption(const struct rows *r, FILE *out)
{
    if (r->caption)
        fprintf(out, "\n%s\n", r->caption);
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
    char text[RENDER_TEXT];
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
    if (render_is_plain(text)) { /* almost all: no need of the library's detour */
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
    char text[RENDER_TEXT];
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
    char text[RENDER_TEXT];
    unsigned char *right = mem_zalloc(r->columns, 1);
    (void)width;
    render_sides(r, right);
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
            put_md(out, render_text(cell, text));
            fputs_unlocked(cell->strong ? "** " : " ", out);
        }
        fputs_unlocked("|\n", out);
    }
    render_caption(r, out);
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
    char text[RENDER_TEXT];
    unsigned char *right = mem_zalloc(r->columns, 1);
    render_sides(r, right);
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
            put_latex(out, render_text(cell, text));
            fputs_unlocked(cell->strong ? "}" : "", out);
        }
        fputs_unlocked(" \\\\\n", out);
    }
    fputs_unlocked("\\bottomrule\n\\end{tabular}\n", out);
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
    [ROWS_TABLE] = {"table", render_terminal},
    [ROWS_CSV] = {"csv", print_csv},
    [ROWS_JSON] = {"json", print_json},
    [ROWS_JSONL] = {"jsonl", print_jsonl},
    [ROWS_MD] = {"md", print_md},
    [ROWS_LATEX] = {"latex", print_latex},
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
