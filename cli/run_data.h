/* Is the data there that an experiment's cells need? */
#ifndef CLI_RUN_DATA_H
#define CLI_RUN_DATA_H

struct arena;
struct error;
struct experiment;

/* Opens the data sets of all planned cells, each distinct one once; none where no accuracy is to be
 * measured. images (an array in the arena, one a cell) gets the number of training images of an
 * epoch. Data that does not suit a cell, or is too little for one update, is EXIT_USAGE. *missing
 * is the name of a set that cannot be opened, else NULL; one that is not there is EXIT_ENVIRONMENT
 * with what to do. */
int run_data_check(const struct experiment *e, struct arena *arena, double **images,
                   const char **missing, struct error *err);

#endif
