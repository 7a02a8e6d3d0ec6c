/* The CSV reader: one pass, a field at a time. */
#include "results/csv.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_BYTES = 64 << 20, MAX_COLUMNS = 2000 };

struct reader {
    const char *name, *at, *end;
    int line;
    struct strbuf field;
    int last; /* the field was the last of its line */
};

static int quoted_field(struct reader *r, struct error *err)
{
    int begin = r->line;
    r->at++;
    for (;;) {
        if (r->at == r->end)
            return error_set(err, "%s:%d: a quote is never closed", r->name, begin);
        if (*r->at == '"' && r->at + 1 < r->end && r->at[1] == '"')
            r->at++;
        else if (*r->at == '"')
            break;
        r->line += *r->at == '\n';
        strbuf_addc(&r->field, *r->at++);
    }
    r->at++;
    if (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r')
        return error_set(err, "%s:%d: text follows a closing quote", r->name, r->line);
    return 0;
}

static int plain_field(struct reader *r, struct error *err)
{
    while (r->at < r->end && *r->at != ',' && *r->at != '\n' && *r->at != '\r') {
        if (*r->at == '"')
            return error_set(err, "%s:%d: a quote inside a field: quote the field and double it",
                             r->name, r->line);
        if (*r->at == 0)
            return error_set(err, "%s:%d: a zero byte: this is no text file", r->name, r->line);
        strbuf_addc(&r->field, *r->at++);
    }
    return 0;
}

static int end_of_field(struct reader *r, struct error *err)
{
    r->last = r->at == r->end || *r->at != ',';
    if (r->at == r->end)
        return 0;
    if (*r->at == '\r') {
        r->at++;
        if (r->at < r->end && *r->at != '\n')
            return error_set(err, "%s:%d: a carriage return without a line feed", r->name, r->line);
    }
    if (r->at < r->end) {
        r->line += *r->at == '\n';
        r->at++;
    }
    return 0;
}

static int next_field(struct reader *r, struct error *err)
{
    strbuf_clear(&r->field);
    int rc = r->at < r->end && *r->at == '"' ? quoted_field(r, err) : plain_field(r, err);
    return rc ? rc : end_of_field(r, err);
}

static int read_header(struct csv *csv, struct reader *r, struct error *err)
{
    size_t cap = 0;
    const char **names = NULL;
    int rc = 0;
    do {
        rc = next_field(r, err);
        if (!rc && csv->columns == MAX_COLUMNS)
            rc = error_set(err, "%s:1: more than %d columns", r->name, MAX_COLUMNS);
        for (size_t i = 0; i < csv->columns && !rc; i++)
            if (strcmp(names[i], r->field.text) == 0)
                rc = error_set(err, "%s:1: column %s is there twice", r->name, r->field.text);
        if (rc)
            break;
        names = mem_grow(names, csv->columns, &cap, sizeof *names);
        names[csv->columns++] = arena_strdup(&csv->arena, r->field.text);
    } while (!r->last);
    csv->header = names;
    return rc;
}

static int read_rows(struct csv *csv, struct reader *r, struct error *err)
{
    size_t n = 0, cap = 0, line_cap = 0;
    int rc = 0;
    while (r->at < r->end && !rc) {
        int line = r->line;
        size_t begin = n;
        do {
            rc = next_field(r, err);
            if (!rc && n - begin == csv->columns)
                rc = error_set(err, "%s:%d: more than the %zu fields of the header", r->name, line,
                               csv->columns);
            if (rc)
                break;
            csv->fields = mem_grow(csv->fields, n, &cap, sizeof *csv->fields);
            csv->fields[n++] = arena_strdup(&csv->arena, r->field.text);
        } while (!r->last);
        if (!rc && n - begin != csv->columns)
            rc = error_set(err, "%s:%d: %zu fields, the header has %zu", r->name, line, n - begin,
                           csv->columns);
        csv->lines = mem_grow(csv->lines, csv->count, &line_cap, sizeof *csv->lines);
        csv->lines[csv->count++] = line;
    }
    return rc;
}

int csv_parse(struct csv *csv, const char *name, const char *text, size_t size, struct error *err)
{
    struct reader r = {
        .name = name, .at = text, .end = text + size, .line = 1, .field = STRBUF_INIT};
    csv->name = arena_strdup(&csv->arena, name);
    if (size >= 3 && memcmp(text, "\xef\xbb\xbf", 3) == 0)
        r.at += 3;
    int rc = r.at == r.end ? error_set(err, "%s: is empty: the first line names the columns", name)
                           : read_header(csv, &r, err);
    if (!rc)
        rc = read_rows(csv, &r, err);
    strbuf_release(&r.field);
    if (rc)
        csv_release(csv);
    return rc;
}

int csv_read(struct csv *csv, const char *path, struct error *err)
{
    char *text;
    size_t size;
    if (file_read(path, MAX_BYTES, &text, &size, err))
        return -1;
    int rc = csv_parse(csv, path, text, size, err);
    free(text);
    return rc;
}

void csv_release(struct csv *csv)
{
    free(csv->header);
    free(csv->fields);
    free(csv->lines);
    arena_release(&csv->arena);
    *csv = (struct csv){0};
}

int csv_column(const struct csv *csv, const char *name)
{
    for (size_t i = 0; i < csv->columns; i++)
        if (strcmp(csv->header[i], name) == 0)
            return (int)i;
    return -1;
}

const char *csv_field(const struct csv *csv, size_t row, int column)
{
    return column < 0 ? "" : csv->fields[row * csv->columns + (size_t)column];
}
