/* Reading a tar archive of any compression through the program tar, file after file and without
 * unpacking: one pass lists names and sizes, a second one delivers the contents in the same order.
 */
#ifndef DATA_ARCHIVE_H
#define DATA_ARCHIVE_H

#include <stdint.h>

#include "base/arena.h"
#include "data/program.h"

struct error;
struct strbuf;

struct archive_entry {
    const char *name; /* without a leading "./" */
    int64_t size;
};

struct archive {
    const char *path;
    struct archive_entry *entries; /* regular files */
    int64_t n;
    struct arena arena;
    struct program_pipe pipe;
    int is_open;
};

/* Lists. path must outlive a. Returns 1 where tar's listing is not understood: then unpack it. */
int archive_open(struct archive *a, const char *path, struct error *err);
/* Starts to read; then archive_next gives entry 0, 1, …, n-1 into bytes, which it clears first. An
 * archive that ends early is an error. */
int archive_read(struct archive *a, struct error *err);
int archive_next(struct archive *a, int64_t i, struct strbuf *bytes, struct error *err);
void archive_close(struct archive *a); /* fine whatever came before */

#endif
