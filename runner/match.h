/* Equal budgets: finds, cell by cell, the integer value of a key with which a cost comes nearest to
 * a target, so that designs are compared at equal cost.
 *
 *   match: {cost.macs: {like: {model: vit_s16}, within: 2%, solve: model.depth}}
 *
 * like is a number, or the values that one configuration adds to the experiment's sections. The
 * cost must not fall as the key grows; values that cannot be built are stepped over. A cell that no
 * value brings within the tolerance is refused and says how near it came. Cells that do not read
 * the key are left alone. Several costs may be matched with a key each, in order. */
#ifndef RUNNER_MATCH_H
#define RUNNER_MATCH_H

struct cell;
struct cost_model;
struct error;
struct experiment;

/* Reads the experiment's match and computes the targets; adds the solved keys to e->axes, which has
 * room for them. */
int match_prepare(struct experiment *e, const struct cost_model *cost, struct error *err);

/* Sets and resolves the solved keys in the cell's configuration, or refuses the cell. -1 only where
 * the experiment itself is wrong. */
int match_solve(struct experiment *e, struct cell *c, const struct cost_model *cost,
                struct error *err);

#endif
