/* No token reduction. */
#include "model/reducer.h"

const struct reducer reducer_none = {
    .choice = {.name = "none", .doc = "all tokens go through all blocks"},
};
