/* The cells that an operand FILE.yaml|MODEL and overrides mean, for commands that take
 * configurations one by one. */
#ifndef CLI_CELLS_H
#define CLI_CELLS_H

#include "base/arena.h"
#include "runner/experiment.h"

struct args;
struct error;

struct cells {
    struct experiment experiment;
    struct arena arena;
};

/* Loads and expands; cells that cannot be built are found by whoever builds them. cells_release
 * after 0. */
int cells_load(struct cells *s, const struct args *a, const char *operand, struct error *err);
void cells_release(struct cells *s);
/* What people call the i-th: the model's name where there is one cell, else what distinguishes it.
 */
const char *cells_name(const struct cells *s, const struct cell *c);

#endif
