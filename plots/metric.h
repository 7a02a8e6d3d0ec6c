/* How a metric is shown: its name in words, its unit, the factor from the stored number to that
 * unit, and which way is better. A metric that has no entry shows under its own name; smaller is
 * better for "loss", cost, latency and memory, larger for everything else. */
#ifndef PLOTS_METRIC_H
#define PLOTS_METRIC_H

#include <stddef.h>

/* For values up to largest in magnitude: chooses among thousands, millions, billions or kB, MB, GB
 * (decimal, as in tables and plans). */
struct metric_scale {
    double factor;   /* shown = stored * factor */
    char label[96];  /* "MACs (millions)", for an axis */
    char header[48]; /* shorter, for a table: "MACs (M)" */
    char title[64];  /* "MACs", for a sentence */
    char unit[16];   /* after a number in a sentence: " million", " ms", " %", "" */
    int decimals;    /* of a typical value in a table */
};

void metric_scale(struct metric_scale *s, const char *name, double largest);
int metric_maximize(const char *name);
/* Entry i of the known metrics, for `vittm list metrics`: 1, or 0 past the last. */
int metric_at(int i, const char **name, const char **title);

/* "model.rw_head" -> "read-write head"; without an entry the last part with spaces for underscores.
 */
void metric_key_title(const char *key, char *text, size_t size);
/* "token_summary" -> "token summary". */
void metric_level_title(const char *value, char *text, size_t size);

#endif
