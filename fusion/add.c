/* Add ("residual" in the authors' code): the fresh tokens are added to the normalised old ones. */
#include "fusion/fusion.h"

static struct tensor *build(struct builder *b, struct tensor *fresh, struct tensor *target)
{
    return op_add(b->g, target, fresh);
}

const struct fusion fusion_add = {
    .choice = {.name = "add", .doc = "fresh tokens are added to the old ones"},
    .paper = "ViTTM section 3.3; \"residual\" in the authors' code",
    .build = build,
};
