/* What a configuration costs, exactly, before anything runs: the model is built and compiled on the
 * null device. */
#ifndef CLI_COST_H
#define CLI_COST_H

#include "runner/cell.h"

struct config;
struct error;
struct rows;

/* For experiment_expand. Refuses what cannot be built, with the reason. */
extern const struct cost_model cli_cost_model;

/* Parameters, MACs of one image in both conventions, memory of a training step at train.batch and
 * of inference at latency.batch. */
int cli_cost(const struct config *c, struct cell_cost *out, struct error *err);

/* One row an op kind or a layer of the forward pass for one image: name, calls, params, macs,
 * macs_fvcore, other_flops, bytes. A layer is the first two parts of a scope ("blocks.0"). */
enum cost_grouping { COST_BY_OP, COST_BY_LAYER };
struct rows *cli_cost_rows(const struct config *c, enum cost_grouping by, struct error *err);

#endif
