/* The figures of an ablation table: what stands in its cells, between the data that they are from
 * (results/table_data.h) and the rows that show them (results/table.c). Inside results/ only. */
#ifndef RESULTS_TABLE_FIGURES_H
#define RESULTS_TABLE_FIGURES_H

#include "results/table_data.h"

#include <stddef.h>

struct error;

struct table_figure {
    double mean, error;
    double front;          /* probability of being on the front; NAN without */
    double delta, p, holm; /* against the baseline over common seeds; NAN without */
    size_t pairs;
    int best, hopeless; /* hopeless: so few pairs that no p could be below 0.05 */
};

struct table_layout {
    const struct table_data *d;
    const struct table_options *o;
    struct table_figure *figures; /* of each cell of d */
    int decimals;                 /* of means and errors */
    int has_front;                /* P(front) is shown */
    size_t comparisons;           /* tests that were made: what Holm corrects for */
};

/* Fills everything but d and o, which the caller sets and keeps. Whoever called frees figures. */
void table_figures(struct table_layout *l);

/* The figure of cell i for people: "76.26 ± 0.31 (n=3)", "—", "failed (1 of 3)"; the best is
 * strong.
 */
void table_put_figure(struct rows *r, struct rows_cell *out, const struct table_layout *l,
                      size_t i);

/* A table over o->rows and o->cols; NULL where two cells share a place. */
struct rows *table_pivot(const struct table_layout *l, struct error *err);

/* "standard deviation (n-1)": for captions. */
const char *table_error_words(enum table_error kind);

#endif
