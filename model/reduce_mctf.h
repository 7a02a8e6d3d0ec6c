/* MCTF's fusion by itself, as its reference tensors have it; the block is in model/reduce_mctf.c.
 */
#ifndef MODEL_REDUCE_MCTF_H
#define MODEL_REDUCE_MCTF_H

#include "model/reducer.h"

/* How many of `tokens` a block with rate r fuses, by the configured limits. */
int64_t mctf_amount(struct builder *b, int64_t tokens, double r);
/* The configured matching for n tokens. */
struct mctf_attr mctf_attr(struct builder *b, int64_t n);
/* Attention that each token receives, a constant: (B,H,N,N) -> (B,N), mean over heads and queries.
 */
struct tensor *mctf_received(struct builder *b, struct tensor *attn);
/* Fuses n tokens of *x (B,N,C) by their attention *attn (B,H,N,N), and the attention with them: a
 * group is attended to as the sum of its members and attends as their weighted mean. */
void mctf_fuse(struct builder *b, struct reduction *r, int64_t n, struct tensor **x,
               struct tensor **attn);

#endif
