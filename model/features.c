/* The choices that all backbones of dense prediction share. */
#include "model/features.h"

#include "model/reducer.h"

static const struct config_choice pos_resizes[] = {
    {.name = "bicubic_aa", .doc = "bicubic with antialiasing, as timm does"},
    {.name = "bilinear", .doc = "as the Segmenter authors do"},
};

const struct config_choice *pos_resize_choice(int i)
{
    return i >= 0 && i < 2 ? &pos_resizes[i] : NULL;
}

enum mixing_kind pos_resize_kind(const struct config *c)
{
    return config_choice(c, "model.pos_resize") == &pos_resizes[0] ? MIXING_BICUBIC_ANTIALIAS
                                                                   : MIXING_BILINEAR;
}

static const struct config_choice streams[] = {
    [FEATURES_AUTO] = {.name = "auto", .doc = "both where their grids agree, else process"},
    [FEATURES_PROCESS] = {.name = "process", .doc = "the process tokens"},
    [FEATURES_MEMORY] = {.name = "memory", .doc = "the memory tokens"},
    [FEATURES_BOTH] = {.name = "both",
                       .doc = "both, joined on channels; the coarser grid is resampled to the "
                              "finer one"},
};

const struct config_choice *features_stream_choice(int i)
{
    return i >= 0 && i <= FEATURES_BOTH ? &streams[i] : NULL;
}

enum feature_stream features_stream(const struct config *c)
{
    return (enum feature_stream)(config_choice(c, "model.decoder.streams") - streams);
}

int features_one_stream(struct builder *b)
{
    if (features_stream(b->c) == FEATURES_AUTO)
        return 0;
    nn_refuse(b, "model.decoder.streams", "model.family %s has one stream of tokens (choose auto)",
              config_string(b->c, "model.family"));
    return -1;
}

int features_taps(struct builder *b, int64_t depth, int64_t *taps)
{
    static const char key[] = "model.decoder.blocks";
    const int64_t *asked;
    int n = config_ints(b->c, key, &asked);
    for (int i = 0; i < n; i++) {
        int64_t at = asked[i] < 0 ? asked[i] + depth : asked[i];
        if (at < 0 || at >= depth) {
            nn_refuse(b, key, "the backbone has blocks 0 to %lld", (long long)depth - 1);
            return 0;
        }
        if (i && at <= taps[i - 1]) {
            nn_refuse(b, key, "blocks are named once each, in ascending order");
            return 0;
        }
        taps[i] = at;
    }
    if (!n || taps[n - 1] != depth - 1)
        nn_refuse(b, key,
                  "the last block, %lld, must be one of them (a smaller model.depth leaves "
                  "out what nothing would read)",
                  (long long)depth - 1);
    return graph_failed(b->g, NULL) ? 0 : n;
}

int features_check_merges(struct builder *b, int n_taps)
{
    const char *method = config_string(b->c, "model.reduce.method");
    if (!reduction_wanted(b))
        return 0;
    if (!config_bool(b->c, "model.reduce.unmerge"))
        nn_refuse(b, "model.reduce.method",
                  "segmentation needs a token for every patch (set model.reduce.unmerge=true)");
    else if (n_taps > 1)
        nn_refuse(
            b, "model.decoder.blocks",
            "tokens that model.reduce.method %s merged have their places back behind the last "
            "block only",
            method);
    return graph_failed(b->g, NULL);
}
