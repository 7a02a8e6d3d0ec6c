/* What papers claim that models cost: a map from rows of the published tables to the cells of an
 * experiment, for `vittm cost`.
 *
 * A map is a CSV file with the columns cell, file, row, note: the cell's label, the file of
 * published numbers (relative to the map), the row as printed there, and why the row cannot be
 * reproduced, where it cannot. The numbers themselves stand in that file alone. */
#ifndef CLI_CLAIMS_H
#define CLI_CLAIMS_H

struct arena;
struct error;

struct claim {
    const char *cell, *table, *row, *note;
    double params_m, gflops;              /* as printed; NAN where the paper has none */
    int params_decimals, gflops_decimals; /* digits printed after the point */
};

/* The claims of the map at path, in its order, in the arena; n is 0 where the file is no map (it
 * has no column "cell"). An unknown file or row is an error. */
int claims_load(struct arena *a, const char *path, struct claim **claims, int *n,
                struct error *err);

/* 1 if count / unit is what was printed once rounded to its digits, 0 if not, -1 where nothing was
 * printed. */
int claim_holds(double printed, int decimals, double count, double unit);

#endif
