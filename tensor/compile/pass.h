/* The passes of plan_compile; included by tensor/compile/ only. Each works on the graph in place
 * and returns -1 with the reason where it refuses. */
#ifndef TENSOR_COMPILE_PASS_H
#define TENSOR_COMPILE_PASS_H

#include "tensor/compile/plan.h"

/* Expands every fused op that the backend lacks, alone or through its gradient op. keep: n_keep
 * tensors besides the graph's results, each of which becomes what it was expanded to. */
int pass_lower(struct graph *g, const struct capability *backend, struct tensor **keep, int n_keep,
               struct error *err);

/* Joins neighbours for which the backend has one kernel. Before pass_autograd: the gradients are
 * then those of the joined ops. Neighbours among the gradients are joined behind it, with keep as
 * pass_lower has it. */
int pass_fuse(struct graph *g, const struct capability *backend, struct error *err);
int pass_fuse_gradients(struct graph *g, const struct capability *backend, struct tensor **keep,
                        int n_keep, struct error *err);

/* Appends the gradient of scale * loss. grads[id] is the gradient of each tensor that had one when
 * called (the caller's array, n entries, zeroed). */
int pass_autograd(struct graph *g, struct tensor *loss, struct tensor **grads, int n, double scale,
                  struct error *err);

/* Takes the chosen parameters for constants: nothing is differentiated for their sake. */
void pass_freeze(struct graph *g, int (*frozen)(const struct tensor *param));

/* Refuses parameters that nothing reads and inputs that nothing reads. */
int pass_check(const struct graph *g, struct error *err);

/* Nodes no longer make the last of their results that nobody reads, where the op allows it
 * (op.min_out). The last change to a graph. keep: n_keep tensors that are read besides. */
void pass_narrow(struct graph *g, struct tensor *const *keep, int n_keep);

/* Decides what the backend stores in bf16: placement.half, and all of a step but its scratch. */
void pass_store(struct plan *p, const struct plan_options *options,
                const struct capability *backend);

/* Gives every tensor of the plan its place and every step its scratch. */
void pass_place(struct plan *p, const struct plan_options *options,
                const struct capability *backend);

#endif
