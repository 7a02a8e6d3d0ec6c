/* The registry of memory blocks. */
#include "model/memory_block.h"

#define MEMORY_BLOCK(name) extern const struct memory_block memory_block_##name;
#include "model/memory_blocks.def"
#undef MEMORY_BLOCK

static const struct memory_block *const blocks[] = {
#define MEMORY_BLOCK(name) &memory_block_##name,
#include "model/memory_blocks.def"
#undef MEMORY_BLOCK
};

const struct memory_block *memory_block_at(int i)
{
    return i >= 0 && i < (int)(sizeof blocks / sizeof *blocks) ? blocks[i] : NULL;
}

const struct config_choice *memory_block_choice(int i)
{
    return memory_block_at(i) ? &memory_block_at(i)->choice : NULL;
}
