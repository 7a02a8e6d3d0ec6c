/* The listings behind ls, status, show, diff: each returns rows that the caller prints and frees.
 */
#ifndef RESULTS_LISTING_H
#define RESULTS_LISTING_H

#include <stddef.h>

struct arena;
struct error;
struct rows;
struct store;

struct listing {
    const char *experiment; /* only its runs; or NULL */
    const char *where;      /* SQL condition over v_runs, or NULL */
    /* column, "-column" for descending; several with commas; or NULL: newest last */
    const char *sort;
    const char *columns; /* names with commas; NULL: run, experiment, label, seed, state and the
                            objectives */
    size_t limit;        /* 0: all */
};

/* Runs. An unknown column names the nearest one. */
struct rows *listing_runs(struct store *s, const struct listing *l, struct error *err);

/* Runs by experiment and state: experiment, runs, done, running, queued, planned, failed, timeout,
 * interrupted, stale, wall_h. NULL: every experiment. */
struct rows *listing_status(struct store *s, const char *experiment, struct error *err);

/* Full ids from what people type: a run's id or a prefix of it ("3fa2", "3fa2-s1"); where it names
 * nothing or several the error lists the candidates. *id lives in the arena. */
int listing_find_run(struct store *s, const char *text, struct arena *arena, const char **id,
                     struct error *err);
int listing_find_cell(struct store *s, const char *text, struct arena *arena, const char **id,
                      struct error *err);

/* One run: key, value (state, times, folder, then axes and final metrics). */
struct rows *listing_show(struct store *s, const char *run, struct error *err);
/* Its complete configuration (YAML) and the last lines of its log; "" where none. In the arena. */
int listing_config(struct store *s, const char *run, struct arena *arena, const char **text,
                   struct error *err);
int listing_log(struct store *s, const char *run, struct arena *arena, const char **text,
                struct error *err);
struct rows *listing_env(struct store *s, const char *run, struct error *err); /* key, value */
/* metric, epoch, step, value */
struct rows *listing_curves(struct store *s, const char *run, struct error *err);

/* Two runs on the same images: images, both right, only a, only b, neither, p (McNemar's exact
 * test). An error where one of them kept no correctness bits or the numbers of images differ. */
struct rows *listing_images(struct store *s, const char *a, const char *b, struct error *err);

/* What differs between two runs or cells: key, a, b: configuration keys, then (runs) environment
 * and final metrics, of cells their means over the runs that are done. Equal configurations give no
 * config rows. */
struct rows *listing_diff(struct store *s, const char *a, const char *b, struct error *err);

#endif
