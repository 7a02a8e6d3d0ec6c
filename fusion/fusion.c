/* The registry of fusions. */
#include "fusion/fusion.h"

#define FUSION(name) extern const struct fusion fusion_##name;
#include "fusion/fusions.def"
#undef FUSION

static const struct fusion *const fusions[] = {
#define FUSION(name) &fusion_##name,
#include "fusion/fusions.def"
#undef FUSION
};

const struct fusion *fusion_at(int i)
{
    return i >= 0 && i < (int)(sizeof fusions / sizeof *fusions) ? fusions[i] : NULL;
}

const struct config_choice *fusion_choice(int i)
{
    return fusion_at(i) ? &fusion_at(i)->choice : NULL;
}
