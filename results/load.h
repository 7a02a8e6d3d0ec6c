/* Reading whole records back, for merge. Everything lives in the arena. Inside results/ only. */
#ifndef RESULTS_LOAD_H
#define RESULTS_LOAD_H

#include "results/store.h"

struct arena;

/* By row id. */
int load_experiment(struct store *s, int64_t id, struct arena *arena, struct store_experiment *e,
                    struct error *err);
int load_cell(struct store *s, int64_t id, struct arena *arena, struct store_cell *c,
              struct error *err);
int load_result(struct store *s, int64_t id, struct arena *arena, struct store_result *r,
                struct error *err);

#endif
