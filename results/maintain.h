/* Looking after a store: merging, exporting and importing, cleaning, checking. */
#ifndef RESULTS_MAINTAIN_H
#define RESULTS_MAINTAIN_H

#include <stddef.h>
#include <stdint.h>

struct error;
struct rows;
struct store;

struct merge_report {
    int64_t experiments, cells, runs; /* new here */
    int64_t replaced;                 /* runs that were not done here and are done there */
    int64_t conflicts; /* done in both with different numbers: ours kept, both in conflict */
    int64_t same;
    int64_t differing; /* experiments whose files differ: ours kept */
    char example[80];  /* the first of those */
};

/* Copies what another store has and this one lacks, by key, in one transaction. Twice is once. The
 * other file is read only, checked first, and may be of another machine. */
int store_merge(struct store *s, const char *other, struct merge_report *report, struct error *err);
/* run, item, ours, theirs, source of every conflict so far. */
struct rows *store_conflicts(struct store *s, struct error *err);

/* Every run of the experiment with all its keys and metrics, as flat rows (NULL: of all
 * experiments): what `vittm export` prints as CSV and store_import reads back. */
struct rows *store_export(struct store *s, const char *experiment, struct error *err);
/* Reads such a CSV: columns cell, seed, device, state, label, config keys (with a dot or declared
 * as "config:KEY"), metrics (with a slash). Runs that are done here are kept. *runs is the number
 * added. */
int store_import(struct store *s, const char *path, int64_t *runs, struct error *err);

/* Removes cells and runs that belong to no experiment and are not done, and compacts the file.
 * delete_done removes done ones too. Returns those runs (run, state, folder): the folders are for
 * the caller to delete. dry_run only lists. */
struct rows *store_gc(struct store *s, int delete_done, int dry_run, struct error *err);

/* check, result, ok (1 or 0): integrity, foreign keys, version, application, journal mode, library
 * and its known WAL bug, free space, rows of each kind, views. */
struct rows *store_doctor(struct store *s, int *healthy, struct error *err);

#endif
