/* Fusions: how what a head made is combined with the tokens it is for (ViTTM section 3.3).
 *
 * To add one: fusion/NAME.c with a struct fusion fusion_NAME, and a line in fusions.def. */
#ifndef FUSION_FUSION_H
#define FUSION_FUSION_H

#include "nn/nn.h"

struct fusion {
    struct config_choice choice;
    const char *paper;
    int fixed_tokens; /* its weights depend on the token count */
    int replaces;     /* the result does not depend on the target */
    /* fresh and target (B,N,C) -> (B,N,C). Called inside the scope "read_fusion" or "write_fusion":
     * parameters are shared by all layers of one direction, as in the authors' code. */
    struct tensor *(*build)(struct builder *b, struct tensor *fresh, struct tensor *target);
};

const struct fusion *fusion_at(int i); /* NULL past the last */
const struct config_choice *fusion_choice(int i);

#endif
