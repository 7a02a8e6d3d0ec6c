/* The registry of optimisers. */
#include "train/optimizer.h"

#include <stddef.h>

#define OPTIMIZER(name) extern const struct optimizer optimizer_##name;
#include "train/optimizers.def"
#undef OPTIMIZER

static const struct optimizer *const optimizers[] = {
#define OPTIMIZER(name) &optimizer_##name,
#include "train/optimizers.def"
#undef OPTIMIZER
    NULL};

const struct config_choice *optimizer_choice(int i)
{
    return optimizers[i] ? &optimizers[i]->choice : NULL;
}
