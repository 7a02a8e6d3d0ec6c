/* The two streams of a ViTTM, for what stands on top of them. */
#ifndef MODEL_VITTM_H
#define MODEL_VITTM_H

#include "nn/nn.h"

/* Which tokens of each stream go in, after their position embedding: int32 (B,n), below T and K. */
struct vittm_keep {
    struct tensor *memory, *process;
};

struct model_io;

struct vittm_tokens {
    struct tensor *memory;  /* (B,T,C) */
    struct tensor *process; /* (B,K,C), after process_norm */
};

/* From io's image, and second input, to the tokens of both streams; keep NULL: all of them.
 * Refuses, where tokens are left out, what has parameters for a token count. 0, or -1 with b->g
 * failed. */
int vittm_encode(struct builder *b, struct model_io *io, const struct vittm_keep *keep,
                 struct vittm_tokens *out);

#endif
