/* What commands about results share: opening the database, printing rows. */
#ifndef CLI_STORE_H
#define CLI_STORE_H

#include "results/rows.h"
#include "results/store.h"

struct args;
struct error;

/* The database of --db (OPTION_DB), which must be there; NULL with err set. */
struct store *cli_store_open(const struct args *a, enum store_mode mode, struct error *err);
/* The same to write to, made with its folder where there is none: for commands that bring runs. */
struct store *cli_store_make(const struct args *a, struct error *err);

/* Columns of the terminal on stdout. Where it is none, COLUMNS or no limit: what a file or another
 * program gets is whole. */
int cli_width(void);

/* Prints rows in the format of --format (OPTION_FORMAT), frees them and returns EXIT_FINE; rows
 * NULL passes an error on: -1. An empty table says `nothing` (one line, on stderr). */
int cli_print(const struct args *a, struct rows *rows, const char *nothing, struct error *err);

/* The same into the file of --output (OPTION_OUTPUT), which is replaced whole, or to stdout. */
int cli_print_to(const struct args *a, struct rows *rows, const char *nothing, struct error *err);

/* The path of a run's folder: it is stored relative to the database's folder, or absolute. The
 * caller frees. */
char *cli_run_folder(const struct store *s, const char *folder);

#endif
