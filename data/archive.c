#include "data/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "base/strbuf.h"

#define MAX_FILE ((int64_t)1 << 30)

/* GNU tar: "-rw-r--r-- 0/0 1709 1970-01-01 00:00 test/airplane/0000.jpg". Returns 1 for other
 * forms. */
static int parse_line(struct archive *a, char *line, size_t *cap)
{
    long long size;
    int name = 0;
    line[strcspn(line, "\n")] = 0;
    if (*line == 'd')
        return 0;
    if (*line != '-' ||
        sscanf(line, "%*s %*d/%*d %lld %*d-%*d-%*d %*d:%*d %n", &size, &name) != 1 || !name)
        return 1;
    if (size < 0 || size > MAX_FILE)
        return 1;
    const char *text = strncmp(line + name, "./", 2) ? line + name : line + name + 2;
    a->entries = mem_grow(a->entries, (size_t)a->n, cap, sizeof *a->entries);
    a->entries[a->n++] = (struct archive_entry){arena_strdup(&a->arena, text), size};
    return 0;
}

int archive_open(struct archive *a, const char *path, struct error *err)
{
    const char *const argv[] = {"tar",    "--list", "--verbose", "--numeric-owner",
                                "--file", path,     NULL};
    char *line = NULL;
    size_t room = 0, cap = 0;
    int odd = 0;
    *a = (struct archive){.path = path};
    if (program_open(&a->pipe, argv, err))
        return -1;
    while (getline(&line, &room, a->pipe.out) > 0)
        odd = odd || parse_line(a, line, &cap);
    free(line);
    int rc = program_close(&a->pipe, err);
    if (rc > 0)
        return error_env(err, "%s: tar cannot unpack it (exit code %d)", path, rc);
    return rc ? rc : odd;
}

int archive_read(struct archive *a, struct error *err)
{
    const char *const argv[] = {"tar", "--extract", "--to-stdout", "--file", a->path, NULL};
    int rc = program_open(&a->pipe, argv, err);
    a->is_open = rc == 0;
    return rc;
}

int archive_next(struct archive *a, int64_t i, struct strbuf *bytes, struct error *err)
{
    char chunk[65536];
    int64_t left = a->entries[i].size;
    strbuf_clear(bytes);
    while (left > 0) {
        size_t want = left < (int64_t)sizeof chunk ? (size_t)left : sizeof chunk;
        size_t got = fread(chunk, 1, want, a->pipe.out);
        if (got == 0)
            return error_env(err, "%s: ends within %s", a->path, a->entries[i].name);
        strbuf_add(bytes, chunk, got);
        left -= (int64_t)got;
    }
    return 0;
}

void archive_close(struct archive *a)
{
    struct error ignored;
    if (a->is_open)
        program_close(&a->pipe, &ignored);
    a->is_open = 0;
    free(a->entries);
    arena_release(&a->arena);
    a->entries = NULL;
}
