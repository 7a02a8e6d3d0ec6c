/* Metrics: named numbers of one epoch or of a whole run. Names are split/name; percentages are 0 to
 * 100. */
#ifndef TRAIN_METRICS_H
#define TRAIN_METRICS_H

#include <jansson.h>

#define METRICS_MAX 64

struct metrics {
    int n;
    struct metric {
        char name[48];
        double value;
    } all[METRICS_MAX];
};

/* Sets or replaces. Values that are not finite are left out: they are no numbers in JSON, and the
 * absence is what a reader sees of a diverged loss. */
void metrics_set(struct metrics *m, const char *name, double value);
/* NAN where it is missing. */
double metrics_get(const struct metrics *m, const char *name);
/* A new object, names in order of setting. */
json_t *metrics_json(const struct metrics *m);
/* Adds the numbers of an object. */
void metrics_take(struct metrics *m, json_t *object);

#endif
