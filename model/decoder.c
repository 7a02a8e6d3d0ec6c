/* The registry of segmentation decoders. */
#include "model/decoder.h"

#define DECODER(name) extern const struct decoder decoder_##name;
#include "model/decoders.def"
#undef DECODER

static const struct decoder *const decoders[] = {
#define DECODER(name) &decoder_##name,
#include "model/decoders.def"
#undef DECODER
};

const struct decoder *decoder_at(int i)
{
    return i >= 0 && i < (int)(sizeof decoders / sizeof *decoders) ? decoders[i] : NULL;
}

const struct config_choice *decoder_choice(int i)
{
    return decoder_at(i) ? &decoder_at(i)->choice : NULL;
}
