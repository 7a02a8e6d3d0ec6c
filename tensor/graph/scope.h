/* Parameters named after the layer that makes them. */
#ifndef TENSOR_GRAPH_SCOPE_H
#define TENSOR_GRAPH_SCOPE_H

#include "tensor/graph/graph.h"

/* graph_param of the name inside the current scope: "weight" in "blocks.0.attn.qkv" is
 * "blocks.0.attn.qkv.weight". */
struct tensor *graph_scope_param(struct graph *g, const char *name, struct shape shape,
                                 struct init init);

#endif
