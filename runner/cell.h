/* A cell: one complete configuration of an experiment, and what became of it in planning. Cells are
 * made by experiment_expand (runner/experiment.h), which owns them. */
#ifndef RUNNER_CELL_H
#define RUNNER_CELL_H

#include <stdint.h>

#include "base/expr.h"

struct config;
struct error;
struct strbuf;

enum { CELL_ID = 17 }; /* 16 hex digits and a zero byte */

enum cell_state {
    CELL_PLANNED,
    CELL_EXCLUDED, /* by exclude, where or a selection */
    CELL_REFUSED,  /* cannot be built */
    CELL_FOLDED    /* the same configuration as an earlier cell */
};

/* What is known exactly before anything runs; -1 where it is not known. MACs of one image. */
struct cell_cost {
    int64_t params;
    int64_t macs, macs_fvcore;                 /* the two conventions of counting attention */
    int64_t flops;                             /* of one image, forward */
    int64_t train_macs;                        /* of one image, forward and backward */
    int64_t peak_train_bytes, peak_eval_bytes; /* of a batch of the configured size */
};

/* Costs come from above: the runner never sees a graph. cost fills *out for a resolved
 * configuration, or returns -1 with the reason why it cannot be built; it depends on the
 * configuration alone. Called once for each distinct identity that exclude has left. Where matters
 * is given, cells that agree in all keys for which it says yes share one call. */
struct cost_model {
    int (*cost)(void *ctx, const struct config *c, struct cell_cost *out, struct error *err);
    void *ctx;
    int (*matters)(const char *key); /* can the key change a cost? or NULL */
    int concurrent; /* cost may be called from several threads at once, for different cells */
    /* What ranges cannot say of keys that change no cost; each cell by itself. -1: refused. Or
     * NULL. */
    int (*check)(void *ctx, const struct config *c, struct error *err);
};

struct cell {
    int index;             /* position in the expansion, from 0 */
    char id[CELL_ID];      /* of SHA-256 of the identity: the name of the cell everywhere */
    const char *identity;  /* base/config.h, config_identity */
    struct config *config; /* resolved */
    const char *model;     /* the named model that it started from, or NULL */
    const char *label;     /* the values that distinguish it: "linear/add" */
    const char **values;   /* one an axis of the experiment; NULL where the key is not read */
    struct cell_cost cost; /* all -1 before it is computed */
    enum cell_state state;
    const char *reason; /* of a cell that is not planned; else NULL */
    int reason_code; /* of a refused one: EXIT_ENVIRONMENT where a file or device is at fault, else
                        EXIT_USAGE */
    int folded_into; /* index of the cell that stands for this one, or -1 */
    int folds;       /* how many cells this one stands for besides itself */
};

/* Costs by name: "params", "macs", …; NULL past the last. In expressions: cost.params. */
const char *cell_cost_name(int i);
int64_t cell_cost_get(const struct cell_cost *cost, int i);
void cell_cost_clear(struct cell_cost *cost); /* all -1 */

/* "planned", "excluded", "refused", "folded". */
const char *cell_state_name(enum cell_state state);

/* Evaluates an expression over the cell's keys (model.dim), its named model (model) and its costs
 * (cost.macs). Keys that the cell does not read are missing; a list of one number is that number.
 */
int cell_test(const struct cell *c, const struct expr *e, int *out, struct error *err);
int cell_value(const struct cell *c, const struct expr *e, struct expr_value *out,
               struct error *err);

#endif
