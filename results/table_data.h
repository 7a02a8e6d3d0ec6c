/* What an ablation table is made from: the cells of an experiment with their values over seeds.
 * Inside results/ only. */
#ifndef RESULTS_TABLE_DATA_H
#define RESULTS_TABLE_DATA_H

#include "base/arena.h"
#include "results/rows.h"
#include "results/table.h"

#include <stddef.h>
#include <stdint.h>

struct table_cell {
    int64_t id;
    const char *hash, *label;
    const char **keys;       /* values of table_data.keys, as people write them */
    struct rows_cell *typed; /* the same as they are stored */
    int is_baseline;
    double *values; /* of the metric, one a run that is done */
    int64_t *seeds; /* of those runs */
    const char **devices;
    size_t n;
    size_t runs, failed; /* all of them; failed, timed out */
    double *costs;       /* means of table_data.costs */
};

struct table_data {
    struct arena arena;
    const char *experiment, *title, *metric;
    int maximize;
    const char **keys; /* rows, cols, then the other axes */
    size_t key_count;
    const char **costs; /* names of cost metrics that some cell has */
    size_t cost_count;
    int front_cost; /* of costs: another objective, which is exact; -1 where there is none */
    int front_maximize;
    struct table_cell *cells; /* by position */
    size_t count;
    size_t selecting;                  /* cells whose train.select takes the best epoch */
    const struct table_cell *baseline; /* or NULL */
    size_t commits, devices;           /* distinct ones among the runs that are done */
};

int table_load(struct table_data *d, struct store *s, const struct table_options *o,
               struct error *err);
void table_release(struct table_data *d);
/* Marks the baseline, which o or the experiment name. */
int table_baseline(struct table_data *d, struct store *s, const struct table_options *o,
                   struct error *err);

/* The column of a configuration key is k and this number; -1: no cell has it. */
int64_t table_key_id(const struct store *s, const char *key);
/* Refuses a key that no cell has, with the nearest one. */
/* The key that is nearest, by its last part too, or NULL. */
const char *table_near_key(const struct store *s, const char *key);
int table_check_key(struct store *s, const char *key, struct error *err);
/* A value as text, in the arena; "" for NULL. */
const char *table_value_text(struct arena *arena, const struct rows_cell *cell);

/* How often each cell is on the front of the metric and front_cost when its seeds are drawn again
 * (up to 2000 times): a number a cell, NAN where it has no value. Returns 0 where that says
 * nothing: no such cost, or no cell with two seeds. */
int table_front(const struct table_data *d, double *chance);

#endif
