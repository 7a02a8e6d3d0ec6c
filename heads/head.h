/* Read-write heads: how one token stream reads from another. A head takes the tokens to read from
 * (source) and the tokens that ask (query) and makes one new vector for each query token. The same
 * member serves as read head (source memory, query process) and as write head (source process,
 * query memory), with weights of its own for each layer and direction.
 *
 * To add one: heads/NAME.c with a struct head head_NAME, and a line in heads.def. */
#ifndef HEADS_HEAD_H
#define HEADS_HEAD_H

#include "nn/nn.h"

struct head {
    struct config_choice choice; /* name, doc, keys read by this head only */
    const char *paper;           /* where it is defined */
    int fixed_tokens;            /* its weights depend on the token counts */
    /* Whether the result does not depend on the query tokens' values; NULL: it does. */
    int (*ignores_query)(const struct config *c);
    /* source (B,S,C), query (B,M,C) -> (B,M,C). Called inside the head's scope ("read_head.0"). */
    struct tensor *(*build)(struct builder *b, struct tensor *source, struct tensor *query);
};

const struct head *head_at(int i); /* NULL past the last */
const struct config_choice *head_choice(int i);

/* model.latent_dim, which latent, latent_cross and linear share. */
extern const struct config_key head_latent_keys[];

#endif
