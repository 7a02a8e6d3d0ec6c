/* What figures and the report draw from: the rows of the documented views, arranged as cells
 * (points) with their runs (seeds), and the keys in which the cells differ (the factors). Nothing
 * here knows where rows came from: data_load asks a store, tests build them. */
#ifndef PLOTS_DATA_H
#define PLOTS_DATA_H

#include <stddef.h>
#include <stdint.h>

#include "base/arena.h"

struct error;
struct rows;
struct store;

/* The rows that a plot_data is made of; any may be NULL (no rows) but runs. Columns as in the
 * views. */
struct plot_source {
    struct rows *runs;      /* v_runs */
    struct rows *curves;    /* v_curves: run, experiment, metric, epoch, step, value */
    struct rows *costs;     /* v_cost: cell, by, name, macs, params, bytes_written … */
    struct rows *published; /* v_published */
    struct rows *latency;   /* v_latency */
    struct rows *compute;   /* v_compute */
    struct rows *env;       /* of v_env: key, text, runs (how many have it) */
    /* v_experiments: experiment, title, file, text, axes, objectives, baseline */
    struct rows *experiments;
};

struct plot_objective {
    const char *metric;
    int maximize;
};

/* One configuration on one device class, in one experiment. */
struct plot_cell {
    const char *id, *label, *experiment, *device;
    /* of each factor: an index into its levels, -1 where the key is not active */
    const int *levels;
    const size_t *rows;
    size_t n_rows; /* its runs, as rows of source.runs, by seed; all states */
};

/* A key that differs between cells. Levels are as people write them (config_plain), in order of
 * value where all are numbers, else of appearance. "experiment" and "device" count as keys where
 * several are shown together. */
struct plot_factor {
    const char *key;
    const char **levels;
    int n;
    int numeric;
};

struct plot_data {
    struct arena arena;
    struct plot_source source; /* owned */
    struct plot_factor *factors;
    int n_factors; /* a key that splits the cells exactly as an earlier one does is left out */
    struct plot_cell *cells;
    size_t n_cells;
    struct plot_objective *objectives; /* in the experiment's order; may be none */
    int n_objectives;
    const char *title; /* of the only experiment; or NULL */
};

/* Mean and spread over seeds that are done. n is 0 and mean NAN where there are none. */
struct plot_stat {
    size_t n;
    double mean, std; /* std NAN for n < 2 */
};

/* Takes source over (also on an error) and arranges it. */
int data_arrange(struct plot_data *d, struct plot_source source, struct error *err);
/* The same from a store; experiments: n names, none for all. An unknown experiment is an error with
 * the nearest name. Published numbers are those that the experiments themselves name. */
int data_load(struct plot_data *d, struct store *s, const char *const *experiments, size_t n,
              struct error *err);
/* No runs at all: for figures of published numbers alone. */
void data_empty(struct plot_data *d);
/* Takes the published numbers of a CSV file instead of those that are there. Nothing is written but
 * a temporary file. */
int data_published(struct plot_data *d, const char *csv, struct error *err);
void data_release(struct plot_data *d);

struct plot_stat data_stat(const struct plot_data *d, const struct plot_cell *c,
                           const char *metric);
/* Text of a column of one run, or "". */
const char *data_text(const struct plot_data *d, size_t row, const char *column);
/* The cell's value of a configuration key as people write it (config_plain), in the arena; NULL
 * where it has none. */
const char *data_cell_key(struct plot_data *d, const struct plot_cell *c, const char *key);
/* The same as it is stored: "[3, 6, 9]". */
const char *data_cell_value(struct plot_data *d, const struct plot_cell *c, const char *key);
/* Runs of the cell in that state. */
size_t data_count_state(const struct plot_data *d, const struct plot_cell *c, const char *state);

/* The factor of that key (a bare last part will do), or -1. */
int data_factor(const struct plot_data *d, const char *key);
/* Whether any run that is done has the metric. */
int data_has_metric(const struct plot_data *d, const char *metric);
/* 0 for a metric that some run has, or -1 and an error with the nearest ones. */
int data_check_metric(const struct plot_data *d, const char *metric, struct error *err);
/* The metric to maximise or minimise above all: the first objective that is not a cost, else
 * val/top1, val/miou, train/loss, … whichever there is; NULL where there is none. */
const char *data_main_metric(const struct plot_data *d);
const char *data_main_cost(const struct plot_data *d);
/* 1 where more is better: the experiment's objective, else the metric's nature. */
int data_maximize(const struct plot_data *d, const char *metric);
/* Whether a column of runs holds a configuration key, or what counts as one. */
int data_is_key(const char *column);
/* "linear", "depth 2", "no memory block": a level in words, with its key where it does not speak
 * for itself. */
void data_level_title(const struct plot_data *d, int factor, int level, char *text, size_t size);
/* Whether somebody gave the cell a label: it is not just its values. */
int data_is_labelled(struct plot_data *d, const struct plot_cell *c);
/* The cell's label where somebody gave it one, "ViT ToMe", behind experiment and device where these
 * differ; else its levels in words, "linear · depth 2" (title.c). In the arena. */
const char *data_cell_title(struct plot_data *d, const struct plot_cell *c);

#endif
