/* Experiments: a YAML file and the cells that it means.
 *
 *   name: quick                        letters, digits, . _ -; default: the file's stem
 *   title: Heads and fusions
 *   base: [base/cifar.yaml]            merged in order, then this file; see below
 *   seeds: 3                           0, 1, 2; or a list. Every cell gets the same seeds: paired
 *   grid: {model.fusion: [erase, add]} every combination; the last axis varies fastest
 *   zip: {model.dim: [64, 96],         columns walked together, of equal length; one more axis
 *         model.heads: [2, 3]}
 *   cells: [{model.dim: 32}]           further cells by hand; label: TEXT names one
 *   exclude: [EXPR, …]                 cells for which one of them holds are dropped
 *   where: EXPR                        cells for which it does not hold are dropped
 *   when: {KEY: EXPR}                  where it does not hold, KEY is taken back to its default
 *   match: {cost.macs: {like: CELL, within: 2%, solve: KEY}}   see runner/match.h
 *   baseline: {KEY: VALUE}             the cells that tables compare with
 *   measure: [cost, accuracy, latency]
 *   notes: free text
 *   objectives: {val/top1: max, cost/macs: min}
 *   published: FILE.csv
 *   limits: {timeout: 2h, retries: 1}
 *   fallback: {data.dataset: shapes}   what run sets where the data set is missing, saying so
 *   model: {dim: 96, …}  data: …       every section of the schema; model: NAME is a model file
 *
 * Axis values: a scalar, a list, range(0,10,2) (stop exclusive), logspace(1e-4,1e-2,3) (both ends
 * included), or a list with those among its elements (inside [ ] and { } YAML wants them quoted).
 * model: [vit_s16, vittm_s_64_64] is an axis of model files. Values computed by range and logspace
 * are rounded to 12 digits; of a key that is a list they are lists of one.
 *
 * Merging. A file may set anything that a later one overrides: sections, grid, zip, when and limits
 * are merged key by key, everything else is replaced whole. base paths are looked up next to the
 * file, then in ROOT/experiments of each root. The more specific place wins: base files, the file's
 * sections, axes, cells, the command line. model: NAME means that model exactly: it forgets what
 * less specific places said below model., and keys of the same place stand on top of it.
 *
 * Overrides, "key=value" of the command line, come last: a value sets the key everywhere (also in
 * grid, zip and cells), several (a,b,c, [a, b] or range(…)) make it an axis, in place of the one it
 * had or as the fastest of all. For keys that are lists themselves, [3, 3] is one value and
 * [3, 3],[5, 5] are two. seeds=5, seeds=[7], name=, title=, where=, measure=cost, model=NAME,
 * limits.timeout= and limits.retries= work too; the other words above are set in the file alone.
 *
 * Identity. Keys that a cell does not read are no part of it. Cells with equal identity are folded
 * into the first one. A key that the file or the command line sets and that no cell reads is an
 * error; values in base and model files may stay unread, and so may the file's own once overrides
 * are given. */
#ifndef RUNNER_EXPERIMENT_H
#define RUNNER_EXPERIMENT_H

#include <stdint.h>

#include "base/arena.h"
#include "base/config.h"
#include "runner/cell.h"

/* What the runner is given from above. Everything must outlive the experiment. */
struct experiment_source {
    const struct config_key *const *tables; /* the schema, for config_new */
    /* Folders with experiments/ (and results/published/) in them, in order; NULL-terminated:
     * the current folder ".", the program's own, the installed share folder. */
    const char *const *roots;
};

struct experiment_pair {
    const char *key, *text; /* text: as written; canonical after experiment_expand */
    struct config_origin origin;
};

struct experiment_objective {
    const char *metric; /* "val/top1" */
    int maximize;
};

enum { EXPERIMENT_COST = 1, EXPERIMENT_ACCURACY = 2, EXPERIMENT_LATENCY = 4 };

struct experiment_spec; /* axes and expressions, runner/experiment_internal.h */

/* Everything in it lives until experiment_release. */
struct experiment {
    const char *name, *title; /* title may be NULL */
    const char *file;         /* path of the file as found */
    const char *text;         /* its content */
    const int64_t *seeds;
    int n_seeds;
    struct experiment_pair *baseline;
    int n_baseline;
    struct experiment_objective *objectives;
    int n_objectives;
    unsigned measure;                 /* EXPERIMENT_…; all where the file says nothing */
    const char *published;            /* path as found, or NULL */
    struct experiment_pair *fallback; /* text as written */
    int n_fallback;
    double timeout_s; /* 0: none */
    int retries;

    /* By experiment_expand. */
    const char **axes; /* keys that vary, in the order of the file */
    int n_axes;
    int n_solved;       /* the last so many of them have values that match found */
    struct cell *cells; /* all of them, in order of expansion */
    int n_cells;
    int n_planned, n_excluded, n_refused, n_folded;

    struct arena arena;
    struct experiment_spec *spec;
};

/* Loads an experiment file, or by a bare name a model (one cell, its name that of the model); or
 * experiments/NAME.yaml. overrides: n of "key=value". */
int experiment_load(struct experiment *e, const struct experiment_source *source, const char *path,
                    const char *const *overrides, int n, struct error *err);
void experiment_release(struct experiment *e);

/* Reads one file and names every key in it that neither the schema nor experiments have, without
 * following base: or reading values. */
int experiment_check_keys(const struct config_key *const *tables, const char *path,
                          struct error *err);

/* Makes the cells, once. cost may be NULL where nothing refers to a cost. More than 100,000 runs
 * (cells times seeds) are refused unless yes_many. */
int experiment_expand(struct experiment *e, const struct cost_model *cost, int yes_many,
                      struct error *err);

/* Excludes the planned cells for which the expression does not hold (run --only). Returns how many
 * are left, or -1. */
int experiment_select(struct experiment *e, const char *expression, struct error *err);

/* The exit code where no cell is planned: EXIT_ENVIRONMENT where some were refused, all for what
 * the machine lacks; else EXIT_USAGE. */
int experiment_refusal_code(const struct experiment *e);

/* Does the cell have all of baseline's values? No where there is no baseline. */
int experiment_is_baseline(const struct experiment *e, const struct cell *c);

#endif
