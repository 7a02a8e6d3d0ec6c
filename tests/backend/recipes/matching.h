/* Cases of the matching of tokens. */
#ifndef TESTS_BACKEND_RECIPES_MATCHING_H
#define TESTS_BACKEND_RECIPES_MATCHING_H

#include "tests/backend/recipes/draw.h"

static void build_tome_match(struct graph *g, struct rng *r)
{
    int64_t tokens = any_tokens(r, 4, 100);
    int class_token = chance(r), distill = class_token && chance(r);
    int64_t most = op_tome_amount(tokens, tokens, class_token, distill);
    op_tome_match(g, leaf(g, "metric", SHAPE(any(r, 1, 5), tokens, any(r, 3, 70))),
                  chance(r) ? most : any(r, 1, most), class_token, distill);
}

static void build_mctf_match(struct graph *g, struct rng *r)
{
    int64_t tokens = any_tokens(r, 4, 100), batch = any(r, 1, 5);
    int protect = chance(r);
    struct mctf_attr a = {.protect = protect,
                          .bidirectional = chance(r),
                          .tau_sim = (double)any(r, 0, 2),
                          .tau_info = (double)any(r, 1, 20),
                          .tau_size = (double)any(r, 0, 40)};
    a.n = any(r, 1, (tokens - protect) / 2);
    struct shape s = SHAPE(batch, tokens);
    op_mctf_match(g, leaf(g, "x", SHAPE(batch, tokens, any(r, 3, 70))), leaf(g, "received", s),
                  chance(r) ? leaf(g, "sizes", s) : NULL, a);
}

static double for_mctf(struct rng *r, int input, int64_t i)
{
    (void)i;
    return input ? 0.1 + rng_uniform(r) : rng_normal(r);
}

/* All tokens alike: every decision is a tie, and the lowest index must win. */
static double alike(struct rng *r, int input, int64_t i)
{
    (void)r;
    (void)input;
    (void)i;
    return 1;
}

#endif
