/* Strict RFC 4180: a header line, fields with commas, quotes doubled inside quotes, LF or CRLF.
 * Every line has as many fields as the header. Bounded: 64 MiB, 2000 columns. A byte-order mark is
 * skipped. Debian's SQLite has no CSV module, and nothing else of this size is packaged for C. */
#ifndef RESULTS_CSV_H
#define RESULTS_CSV_H

#include "base/arena.h"

#include <stddef.h>

struct error;

/* Zero-initialise, read, release. Texts live in the arena. */
struct csv {
    struct arena arena;
    const char *name; /* for messages */
    const char **header;
    size_t columns, count;
    const char **fields; /* count x columns */
    int *lines;          /* the line where row i begins */
};

int csv_read(struct csv *csv, const char *path, struct error *err);
int csv_parse(struct csv *csv, const char *name, const char *text, size_t size, struct error *err);
void csv_release(struct csv *csv);
/* The column of that name, or -1. */
int csv_column(const struct csv *csv, const char *name);
const char *csv_field(const struct csv *csv, size_t row, int column); /* "" for column -1 */

#endif
