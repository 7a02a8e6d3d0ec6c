/* The pieces of a ViTTM's forward pass, for what is built from them in another way than
 * vittm_encode. Shared by model/vittm*.c; nobody else includes this. */
#ifndef MODEL_VITTM_INTERNAL_H
#define MODEL_VITTM_INTERNAL_H

#include "model/reducer.h"
#include "model/vittm.h"

struct features;
struct fusion;
struct head;
struct memory_block;
struct process_init;

/* The members of the registries that the configuration chose, and what is merged on the way. */
struct vittm_parts {
    const struct head *head;
    const struct fusion *fusion;
    const struct memory_block *memory_block;
    const struct process_init *process_init;
    int64_t every;                                  /* layers between reads */
    struct reduction process_merges, memory_merges; /* the stream that does not merge: zero */
};

/* Fills p from the configuration; refuses members that do not go together and, where leaves_out is
 * set, those that cannot have tokens left out. 0, or -1 with b->g failed. */
int vittm_find_parts(struct builder *b, struct vittm_parts *p, int leaves_out);

/* Both streams with their position embeddings, out->memory (B,T,C) and out->process (B,K,C); seen
 * (B,C,H,W) is what the memory sees. 0, or another number with b->g failed. */
int vittm_embed(struct builder *b, const struct vittm_parts *p, struct tensor *image,
                struct tensor *seen, struct vittm_tokens *out);

/* All layers over embedded streams, in place. behind, if not NULL, has model.depth entries and gets
 * both streams as they are behind each layer. */
void vittm_run_layers(struct builder *b, struct vittm_parts *p, struct vittm_tokens *x,
                      struct vittm_tokens *behind);

/* The family's .features (model/model.h): both streams as they leave the last write, without a
 * final norm. */
void vittm_features(struct builder *b, struct tensor *image, struct features *out);

#endif
