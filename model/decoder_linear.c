/* Linear decoder: every token's scores by one projection. */
#include "model/decoder.h"

static struct tensor *build(struct builder *b, struct tensor *tokens, int64_t classes)
{
    return nn_linear(b, "head", tokens, classes); /* (B,N,K) */
}

const struct decoder decoder_linear = {
    .choice = {.name = "linear", .doc = "one projection of every token"},
    .paper = "Strudel et al. 2021, Segmenter, section 3.2",
    .build = build,
};
