/* Parts of writing a run that merge and import share. Inside results/ only. */
#ifndef RESULTS_INGEST_H
#define RESULTS_INGEST_H

#include "results/store.h"

/* Ids are row ids. Each replaces what was there. */
int cost_rows_replace(struct store *s, int64_t cell, const struct store_cost *rows, size_t count,
                      struct error *err);
/* Everything a result brings but the run's own row and its attempt. */
int result_put(struct store *s, int64_t run, const struct store_result *r, struct error *err);
/* Closes the attempt that the run is in. Figures that are not finite are left. */
int attempt_close(struct store *s, int64_t run, const char *state, double finished, double wall_s,
                  double cpu_s, int64_t exit_code, const char *message, struct error *err);

#endif
