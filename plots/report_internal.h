/* Inside plots/report*.c only: what the sections of a report share. */
#ifndef PLOTS_REPORT_INTERNAL_H
#define PLOTS_REPORT_INTERNAL_H

#include "base/strbuf.h"
#include "plots/data.h"
#include "plots/encode.h"
#include "plots/metric.h"
#include "plots/report.h"

/* Comparison of a cell with the baseline over the seeds that both have. */
struct report_compare {
    size_t pairs;
    double delta; /* mean difference, NAN without pairs */
    double p;     /* exact sign-flip test, Holm-corrected; NAN without pairs */
};

struct report {
    struct plot_data *data;
    const struct report_options *options;
    struct strbuf *out;
    const char *metric, *cost; /* main ones, or NULL */
    int maximize;
    struct metric_scale metric_scale, cost_scale;
    struct encoding encoding;
    struct plot_stat *stats, *costs; /* by cell, of metric and cost, stored units */
    int best;                        /* cell, or -1 */
    int baseline;                    /* cell, or -1 */
    struct report_compare *compare;  /* by cell; of the baseline itself: no pairs */
    size_t comparisons;
    unsigned char *front; /* by cell */
    double *front_chance; /* by cell: probability of being on the front; NAN where unknown */
    size_t runs, done, failed, unfinished;
    size_t most_seeds, least_seeds; /* over cells, of runs that are done */
    size_t commits, devices;        /* distinct, of runs that are done */
    int labelled;                   /* cells have names of their own */
};

void report_analyse(struct report *r);
void report_release(struct report *r);

/* "67.14 ± 0.30" in shown units. */
void report_value(struct strbuf *out, struct plot_stat s, const struct metric_scale *scale);
/* A time as people say it (base/clock.h). */
void report_hours(struct strbuf *out, double hours);
/* A level of a factor for people; level -1, a key that is not active: "—". */
void report_level_title(const struct report *r, int factor, int level, char *text, size_t size);
/* The title of the cell of that id; the id where the report has no such cell. */
const char *report_cell_title(struct report *r, const char *id);
/* The sum of a column of compute, over every attempt. */
double report_total(const struct report *r, const char *column);
/* First text of a fact, "" where unknown; *kinds (may be NULL) is the number of different texts. */
const char *report_fact(const struct report *r, const char *key, size_t *kinds);
/* Text of a column of the only or first experiment, "" where unknown. */
const char *report_experiment(const struct report *r, const char *column);
/* The key's only value over all cells, or NULL where it varies, is missing or not active. */
const char *report_common(const struct report *r, const char *key);
/* Cells whose values are of the epoch that was best in validation (train.select). */
size_t report_selecting(const struct report *r);
int report_is_fallback(const struct report *r);

/* The sections, in report_NAME.c each. */
void report_summary(struct report *r);
void report_warnings(struct report *r);
void report_ablation(struct report *r);
int report_figures(struct report *r, struct error *err);
void report_effects(struct report *r);
void report_cells(struct report *r);
void report_examples(struct report *r);
void report_latency(struct report *r);
void report_published(struct report *r);
void report_configuration(struct report *r);
void report_environment(struct report *r);
void report_compute(struct report *r);
void report_checklist(struct report *r);
void report_reproduce(struct report *r);

extern const char report_style[], report_script[];

#endif
