/* Contracts of segmentation: every decoder over every family that has features, under options that
 * change the maps it gets. A new decoder is covered without a change here. */
#include "cli/selftest/contract.h"
#include "model/decoder.h"
#include "model/model.h"
#include "model/reducer.h"

#include <stdio.h>
#include <string.h>

/* What is varied under each; family NULL: every one that has features. */
static const struct variation {
    const char *family, *key, *value;
} variations[] = {
    {NULL, "train.segment.average", "all"},    {NULL, "model.image_size", "11"},
    {NULL, "model.decoder.blocks", "[0, 1]"},  {NULL, "model.table_image_size", "24"},
    {NULL, "model.pos_resize", "bilinear"},    {NULL, "model.reduce.method", "tome"},
    {"vit", "model.reduce.method", "mctf"},    {"vit", "model.class_token", "false"},
    {NULL, "model.decoder.streams", "memory"}, {NULL, "model.decoder.streams", "both"},
    {"vittm", "model.memory_patch", "6"},      {"vittm", "model.process_init", "downsample"},
    {"vittm", "model.process_init", "latent"},
};

static const struct reducer *reducer_named(const char *name)
{
    for (int i = 0; reducer_at(i); i++)
        if (!strcmp(reducer_at(i)->choice.name, name))
            return reducer_at(i);
    BUG("no reducer %s", name);
}

static void check_decoder(struct selftest *t, const struct decoder *decoder, const char *family,
                          const struct variation *v)
{
    char name[128];
    snprintf(name, sizeof name, "segment %s %s %s %s", family, decoder->choice.name, v->key,
             v->value);
    struct config *c = contract_config(family);
    contract_set(c, "train.objective", "segment");
    contract_set(c, "model.decoder.type", decoder->choice.name);
    contract_set(c, v->key, v->value);
    int merges = !strcmp(v->key, "model.reduce.method");
    if (merges)
        contract_set(c, "model.reduce.unmerge", "true");
    if (!strcmp(v->key, "model.class_token"))
        contract_set(c, "model.pool", "avg");
    contract_check(t, name, c, !merges || !reducer_named(v->value)->frozen);
    config_free(c);
}

void selftest_decoders(struct selftest *t)
{
    for (int d = 0; decoder_at(d); d++)
        for (int m = 0; model_at(m); m++)
            for (size_t i = 0; i < sizeof variations / sizeof *variations; i++) {
                const char *family = model_at(m)->choice.name, *of = variations[i].family;
                if (model_at(m)->features && (!of || !strcmp(of, family)))
                    check_decoder(t, decoder_at(d), family, &variations[i]);
            }
}
