/* One sweep over a graph that replaces nodes by others; included by tensor/compile/ only. */
#ifndef TENSOR_COMPILE_REWRITE_H
#define TENSOR_COMPILE_REWRITE_H

#include "tensor/graph/graph.h"

struct rewrite;

/* Called for every node in order, whose inputs are what they became. Returns 0: the node stays; 1:
 * it goes, and rewrite_to has said, now or before, what each output became that is read; -1: the
 * sweep ends with err. Nodes that the rule applies take the place, scope, region and pass of this
 * one. */
typedef int rewrite_rule(void *ctx, struct rewrite *r, struct node *n, struct error *err);

/* Whatever read `from` reads `to` instead, results and regions of the graph included. */
void rewrite_to(struct rewrite *r, const struct tensor *from, struct tensor *to);

/* Returns how many nodes went, or -1. keep: n_keep tensors, each of which becomes what it was
 * rewritten to. */
int graph_rewrite(struct graph *g, struct tensor **keep, int n_keep, rewrite_rule *rule, void *ctx,
                  struct error *err);

#endif
