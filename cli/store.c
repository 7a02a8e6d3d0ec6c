#include "cli/store.h"

#include <libgen.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/number.h"
#include "base/strbuf.h"
#include "cli/command.h"

enum { LEAST_WIDTH = 40 };

struct store *cli_store_open(const struct args *a, enum store_mode mode, struct error *err)
{
    const char *path = args_db(a);
    return store_open(path, file_exists(path) ? mode : STORE_READ, err);
}

struct store *cli_store_make(const struct args *a, struct error *err)
{
    char *path = mem_strdup(args_db(a));
    int rc = file_make_folder(dirname(path), err);
    free(path);
    return rc ? NULL : store_open(args_db(a), STORE_WRITE, err);
}

int cli_width(void)
{
    struct winsize size;
    const char *columns = getenv("COLUMNS");
    int64_t asked = 0;
    if (!isatty(STDOUT_FILENO))
        return columns != NULL && number_int(columns, &asked) == 0 && asked >= LEAST_WIDTH &&
                       asked < INT_MAX
                   ? (int)asked
                   : INT_MAX;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col >= LEAST_WIDTH)
        return size.ws_col;
    return 80;
}

/* The table, then its caption in whole lines. */
static int print_table(struct rows *rows, struct error *err)
{
    const char *caption = rows->caption;
    rows->caption = NULL;
    int rc = rows_print_width(rows, ROWS_TABLE, cli_width(), stdout, err);
    if (rc == 0 && caption != NULL) {
        struct strbuf text = STRBUF_INIT;
        help_wrap(&text, caption);
        printf("\n%s", text.text);
        strbuf_release(&text);
    }
    return rc;
}

int cli_print(const struct args *a, struct rows *rows, const char *nothing, struct error *err)
{
    if (rows == NULL)
        return -1;
    int format = rows_format_find(args_text(a, "format"), err);
    int rc = format < 0 ? -1 : EXIT_FINE;
    if (format == ROWS_TABLE && rows->count == 0 && nothing != NULL)
        fprintf(stderr, "%s\n", nothing);
    else if (format == ROWS_TABLE)
        rc = print_table(rows, err);
    else if (rc == EXIT_FINE)
        rc = rows_print(rows, (enum rows_format)format, stdout, err);
    rows_free(rows);
    return rc;
}

/* Rows as text in memory. The caller frees *text. */
static int render(const struct args *a, const struct rows *rows, char **text, size_t *size,
                  struct error *err)
{
    int format = rows_format_find(args_text(a, "format"), err);
    if (format < 0)
        return -1;
    FILE *memory = open_memstream(text, size);
    if (memory == NULL)
        return error_env(err, "out of memory");
    int rc = rows_print_width(rows, (enum rows_format)format, INT_MAX, memory, err);
    if (fclose(memory) != 0 && rc == 0)
        rc = error_env(err, "out of memory");
    return rc;
}

int cli_print_to(const struct args *a, struct rows *rows, const char *nothing, struct error *err)
{
    const char *path = args_text(a, "output");
    if (rows == NULL || path == NULL)
        return cli_print(a, rows, nothing, err);
    char *text = NULL;
    size_t size = 0;
    int rc = render(a, rows, &text, &size, err);
    if (rc == 0)
        rc = file_write(path, text, size, err);
    if (rc == 0)
        fprintf(stderr, "wrote %s\n", path);
    free(text);
    rows_free(rows);
    return rc == 0 ? EXIT_FINE : -1;
}

char *cli_run_folder(const struct store *s, const char *folder)
{
    if (folder[0] == '/')
        return mem_strdup(folder);
    const char *database = store_path(s);
    const char *slash = strrchr(database, '/');
    struct strbuf path = STRBUF_INIT;
    strbuf_add(&path, database, slash != NULL ? (size_t)(slash - database) + 1 : 0);
    strbuf_adds(&path, folder);
    return strbuf_detach(&path);
}
