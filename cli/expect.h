/* How long the cells of an experiment will take: by finished runs on the same data where there are
 * any, else by the device's measured rate. */
#ifndef CLI_EXPECT_H
#define CLI_EXPECT_H

#include "base/arena.h"
#include "train/device.h"

struct args;
struct cell;
struct error;
struct experiment;
struct store;

/* Zero-initialise; open, ask, close. */
struct expectation {
    const struct experiment *experiment;
    struct arena arena;
    struct store *store;    /* or NULL: there is no database yet */
    struct seen_data *seen; /* data sets of cells so far */
    double macs_per_s;      /* of the device; NAN before it is needed or where it cannot be had */
    int asked;              /* for the rate */
    char device[300];
    struct device opened;
    const char *class;       /* of the device, as runs have it: "cpu", "cuda" */
    const char *unusable;    /* why the device cannot be opened, or NULL */
    const char *why_unknown; /* or NULL */
    const struct args *args; /* --db, --device */
};

/* Only a mistyped --device fails: what cannot be had makes times unknown. */
int expect_open(struct expectation *x, const struct args *a, const struct experiment *e,
                struct error *err);
void expect_close(struct expectation *x);

/* Seconds for all seeds of the cell, one after the other; NAN where unknown or not planned. */
double expect_cell(struct expectation *x, const struct cell *c);

#endif
