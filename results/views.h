/* The documented views: the contract with everybody who reads the database. */
#ifndef RESULTS_VIEWS_H
#define RESULTS_VIEWS_H

struct error;
struct rows;
struct store;

struct view_doc {
    const char *name;
    const char *doc; /* what a row is */
    /* the fixed columns; those of v_runs and v_cells grow with keys and metrics */
    const char *columns;
};

/* View i, or NULL past the last. */
const struct view_doc *view_doc(int i);

/* What `vittm views` prints: view, doc, columns. */
struct rows *views_list(struct error *err);
/* The columns of one view as they are now: column, kind (fixed, config key, metric). */
struct rows *views_columns(struct store *s, const char *view, struct error *err);

#endif
