/* No block: the memory stream changes by writes only. */
#include "model/memory_block.h"

const struct memory_block memory_block_none = {
    .choice = {.name = "none", .doc = "the memory changes by writes only"},
    .paper = "ViTTM Table 4",
};
