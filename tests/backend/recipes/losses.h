/* Cases of losses. */
#ifndef TESTS_BACKEND_RECIPES_LOSSES_H
#define TESTS_BACKEND_RECIPES_LOSSES_H

#include "tests/backend/recipes/draw.h"

/* The gradient of the loss that build makes. */
static void build_loss_grad(struct graph *g, struct rng *r, const struct op *row,
                            void (*build)(struct graph *g, struct rng *r))
{
    build(g, r);
    const struct node *n = g->nodes[0];
    struct tensor *in[3] = {n->in[0], n->in[1], leaf(g, "dloss", SHAPE_SCALAR)};
    graph_apply(g, row, 3, in, n->attr);
}

static void build_cross_entropy(struct graph *g, struct rng *r)
{
    int64_t batch = any_tokens(r, 1, 40), classes = any(r, 2, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, classes));
    int soft = chance(r);
    struct tensor *target = graph_input(g, "target", soft ? SHAPE(batch, classes) : SHAPE(batch),
                                        soft ? TENSOR_VALUE : TENSOR_INT);
    op_cross_entropy(g, logits, target, chance(r) ? 0.1 : 0);
}

static void build_cross_entropy_grad(struct graph *g, struct rng *r)
{
    build_loss_grad(g, r, &op_cross_entropy_grad_row, build_cross_entropy);
}

/* Labels are 0 .. PLACES-1, one of which is ignored. */
static void build_label_cross_entropy(struct graph *g, struct rng *r)
{
    int64_t batch = any(r, 1, 4), places = any_tokens(r, 1, 900), classes = any(r, PLACES, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, places, classes));
    struct tensor *target = graph_input(g, "assign", SHAPE(batch, places), TENSOR_INT);
    op_label_cross_entropy(g, logits, target,
                           (struct label_loss_attr){.smoothing = chance(r) ? 0.1 : 0,
                                                    .ignore = 1,
                                                    .over_all = chance(r)});
}

static void build_label_cross_entropy_grad(struct graph *g, struct rng *r)
{
    build_loss_grad(g, r, &op_label_cross_entropy_grad_row, build_label_cross_entropy);
}

static void build_bce(struct graph *g, struct rng *r)
{
    int64_t batch = any_tokens(r, 1, 40), classes = any(r, 2, 50);
    struct tensor *logits = leaf(g, "logits", SHAPE(batch, classes));
    int soft = chance(r);
    struct tensor *target = graph_input(g, "target", soft ? SHAPE(batch, classes) : SHAPE(batch),
                                        soft ? TENSOR_VALUE : TENSOR_INT);
    op_bce(g, logits, target, chance(r) ? 0.1 : 0, chance(r) ? 1 : 1 / (double)classes);
}

static void build_bce_grad(struct graph *g, struct rng *r)
{
    build_loss_grad(g, r, &op_bce_grad_row, build_bce);
}

#endif
