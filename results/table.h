/* The ablation table: mean ± error over seeds, pivoted over two configuration keys or a row a cell.
 */
#ifndef RESULTS_TABLE_H
#define RESULTS_TABLE_H

#include <stddef.h>

struct error;
struct rows;
struct store;

enum table_error { TABLE_STD, TABLE_SEM, TABLE_CI95, TABLE_ERRORS };
enum table_test { TABLE_NO_TEST, TABLE_PAIRED };

const char *table_error_name(enum table_error error); /* "std", "sem", "ci95" */
int table_error_find(const char *name, struct error *err);

struct table_options {
    const char *experiment;
    const char *rows, *cols; /* configuration keys; both NULL: a row a cell with its cost columns */
    const char *metric;      /* NULL: the first objective, else val/top1 or what there is */
    enum table_error error;
    /* "model.rw_head=linear,model.fusion=add", or an expression (base/expr.h) over keys and label
     * that one cell fits; NULL: the experiment's, if any */
    const char *baseline;
    enum table_test test; /* TABLE_PAIRED: exact sign-flip test against the baseline over common
                           * seeds, Holm-corrected over the cells */
    const char *device;   /* device class; NULL: all, with a warning where they mix */
    int machine; /* mean, error, n, failed as columns of their own: what csv and json print */
};

/* Each cell reads "76.26 ± 0.31 (n=3)", "76.26 (n=1)", "—" where nothing ran, "failed (1 of 3)"
 * where no run is done, "76.26 ± 0.31 (n=2, 1 failed)" where some are. The best is strong. The
 * caption says what the metric, the error and n are and which epoch was read. warnings (may be
 * NULL) receives a line for each of: mixed commits, mixed devices, n too small for the test (of a
 * machine's table; people's have it in the caption). */
struct strbuf;
struct rows *table_build(struct store *s, const struct table_options *o, struct strbuf *warnings,
                         struct error *err);

/* Which epoch the values are of, where `best` of `all` cells select it by validation
 * (train.select: best, best_average). */
const char *table_epoch_words(size_t best, size_t all);

/* Main effects and two-way interactions of a full grid over the experiment's axes, from the cells'
 * means of o->metric: factor, level, factor_b, level_b (empty for a main effect), effect (the
 * marginal mean minus the grand mean; what is left of it for an interaction), n (runs behind it).
 * All cells of the grid must have a done run; else the error names the first that has none. */
struct rows *table_effects(struct store *s, const struct table_options *o, struct error *err);

/* The numbers that the experiment's published file holds, each beside what was measured here for
 * the same design: the cell that a map names (results/published/README.md), that is called like the
 * paper's row, or that has its value of every key that varies; none where several would do. What
 * the file's notes say, contradictions of the paper among it, is numbered in the caption. Uses
 * experiment, device, machine and metric (NULL: all) of the options. */
struct rows *table_published(struct store *s, const struct table_options *o, struct error *err);

#endif
