/* Decoders of segmentation: from a backbone's tokens to a score of every class at every patch.
 *
 * To add one: model/decoder_NAME.c with a struct decoder decoder_NAME, and a line in decoders.def.
 */
#ifndef MODEL_DECODER_H
#define MODEL_DECODER_H

#include "nn/nn.h"

struct decoder {
    struct config_choice choice; /* name, doc and the keys that only this decoder reads */
    const char *paper;
    /* tokens (B,N,C) -> (B,N,classes). Parameters stand below "decoder". */
    struct tensor *(*build)(struct builder *b, struct tensor *tokens, int64_t classes);
};

const struct decoder *decoder_at(int i); /* NULL past the last */
const struct config_choice *decoder_choice(int i);

#endif
