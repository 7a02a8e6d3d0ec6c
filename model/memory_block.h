/* What happens to the memory stream inside a layer besides the write (ViTTM Table 4).
 *
 * To add one: model/memory_NAME.c with a struct memory_block memory_block_NAME, and a line in
 * memory_blocks.def. */
#ifndef MODEL_MEMORY_BLOCK_H
#define MODEL_MEMORY_BLOCK_H

#include "nn/nn.h"

struct memory_block {
    struct config_choice choice;
    const char *paper;
    int changes_tokens; /* the write head sees another number of memory tokens than the read head */
    /* After the read: what the write head will see as memory. memory (B,T,C) -> (B,T',C). NULL:
     * unchanged. */
    struct tensor *(*before_write)(struct builder *b, int64_t layer, struct tensor *memory);
    /* After the write: written (B,T',C), and the memory as it was after the read, kept (B,T,C) ->
     * (B,T,C). NULL: unchanged. */
    struct tensor *(*after_write)(struct builder *b, int64_t layer, struct tensor *written,
                                  struct tensor *kept);
};

const struct memory_block *memory_block_at(int i); /* NULL past the last */
const struct config_choice *memory_block_choice(int i);

#endif
