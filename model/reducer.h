/* Token reduction: encoder blocks that shorten their sequence. A family with one stream of tokens
 * runs its blocks through reduction_block; what is merged is an assignment vector
 * (tensor/ops/ops.h), so shapes stay static and gradients are those of scatter_rows.
 *
 * To add one: model/reduce_NAME.c with a struct reducer reducer_NAME, and a line in reducers.def.
 */
#ifndef MODEL_REDUCER_H
#define MODEL_REDUCER_H

#include "nn/nn.h"

struct reduction;

struct reducer {
    struct config_choice choice;
    const char *paper;
    /* Its gradient takes values for constants that depend on parameters (the authors' code does),
     * so differences of the loss disagree with it by design. */
    int frozen;
    /* Once before the first block: refuses what cannot work through b->g. NULL: nothing to check.
     */
    void (*begin)(struct builder *b, struct reduction *r);
    /* An encoder block with its merge: x (B,N,C) -> (B,N',C). NULL: nn_block. */
    struct tensor *(*block)(struct builder *b, struct reduction *r, int64_t layer, const char *name,
                            struct tensor *x, const struct block_options *o);
    /* A merge of tokens that no block attends among: x (B,N,C) -> (B,N',C), by the tokens
     * themselves. NULL: the method needs attention. */
    struct tensor *(*merge)(struct builder *b, struct reduction *r, int64_t layer,
                            struct tensor *x);
    /* Names its own results, after the last block. NULL: none. */
    void (*outputs)(struct builder *b, struct reduction *r);
};

const struct reducer *reducer_at(int i); /* NULL past the last */
const struct config_choice *reducer_choice(int i);

/* The key with which a family takes part. */
#define MODEL_REDUCE_KEY                                                                           \
    {                                                                                              \
        .name = "model.reduce.method", .type = CONFIG_CHOICE, .fallback = "none",                  \
        .choice = reducer_choice, .doc = "how encoder blocks merge tokens"                         \
    }

/* Keys that every method reads. */
#define REDUCE_KEYS                                                                                \
    {.name = "model.reduce.prop_attn",                                                             \
     .type = CONFIG_BOOL,                                                                          \
     .fallback = "true",                                                                           \
     .doc = "proportional attention: a token counts as often as tokens were merged into it"},      \
    {                                                                                              \
        .name = "model.reduce.unmerge", .type = CONFIG_BOOL, .fallback = "false",                  \
        .doc = "after the last block, copy every token back to all places that it stands for"      \
    }

/* One pass through a stack of blocks. Lives on the stack of the family's build. All zero: nothing
 * is merged. */
struct reduction {
    const struct reducer *method;
    int64_t depth, first_tokens; /* blocks; tokens before the first */
    int class_token;             /* token 0 is the class token */
    int teacher;                 /* MCTF: the second pass of its training (model/consistency.h) */
    struct tensor *sizes;   /* (B,N): how many tokens each stands for; NULL: nothing merged yet */
    struct tensor *source;  /* (B,N,N0) membership, 0 or 1; only with token outputs */
    struct tensor **merges; /* assignments so far, in order */
    int n_merges;
};

/* x (B,N,C): what the first block will get. */
void reduction_init(struct reduction *r, struct builder *b, const struct tensor *x, int64_t depth,
                    int class_token);
/* Whether the configuration merges tokens at all. */
int reduction_wanted(const struct builder *b);
struct tensor *reduction_block(struct builder *b, struct reduction *r, int64_t layer,
                               const char *name, struct tensor *x, const struct block_options *o);
/* The method's merge by the tokens themselves, of a stream that has no blocks; x where the method
 * is none. */
struct tensor *reduction_merge(struct builder *b, struct reduction *r, int64_t layer,
                               struct tensor *x);
/* After the last block: names the method's results with token outputs, and unmerges x where the
 * configuration asks for it. */
struct tensor *reduction_finish(struct builder *b, struct reduction *r, struct tensor *x);

/* All of this for a plain stack: "blocks.0" to the configured depth, drop path rising. */
struct tensor *reduction_tower(struct builder *b, struct tensor *x, struct block_options o,
                               int class_token);

/* ---- for methods ----------------------------------------------------------------------------- */

/* (B,N) ones. */
struct tensor *reduction_ones(struct builder *b, int64_t tokens);
/* The sizes as a tensor: ones before the first merge. */
struct tensor *reduction_sizes(struct builder *b, const struct reduction *r, int64_t tokens);
/* log sizes (B,N), the key bias of proportional attention; NULL where there is none. */
struct tensor *reduction_bias(struct builder *b, const struct reduction *r);
/* Self attention like nn_self_attention, with that bias and counted as explicit products, as the
 * methods' code has it. *qkv, if wanted, gets the packed projections (B,N,3C). */
struct tensor *reduction_attention(struct builder *b, const struct reduction *r, struct tensor *x,
                                   const struct block_options *o, struct tensor **qkv);
/* x + drop_path(mlp(norm2 x)): the second half of a block. */
struct tensor *reduction_mlp(struct builder *b, struct tensor *x, const struct block_options *o);
/* w (B,N) under a shape that broadcasts along axis of a tensor of that rank, batch in axis 0. */
struct tensor *reduction_along(struct builder *b, struct tensor *w, int rank, int axis);
/* Notes the merge: sizes, source and the assignment for reduction_finish. left: tokens after it. */
void reduction_note(struct builder *b, struct reduction *r, struct tensor *assign, int64_t left);
/* Copies back through all merges: x (B,N,C) -> (B,N0,C). */
struct tensor *reduction_unmerge(struct builder *b, const struct reduction *r, struct tensor *x);

#endif
