#include "data/sample.h"

#include "base/rng.h"
#include "data/codec.h"
#include "data/dataset.h"
#include "data/geometry.h"
#include "data/loader.h"

/* What the part of an image depends on that the preprocessing will see, for the decoder. */
struct wanted {
    const struct dataset *dataset;
    int size;
    const struct rng *r;
};

static struct box choose_window(void *ctx, int width, int height)
{
    const struct wanted *w = ctx;
    return preprocess_window(&w->dataset->preprocess, width, height, w->size, w->r);
}

int sample_fill(const struct dataset *d, const struct loader_options *o,
                struct preprocess_scratch *s, int64_t sample, int64_t epoch,
                const struct sample_row *out, struct error *err)
{
    struct rng r;
    struct image_view view, mask;
    struct wanted wanted = {d, o->image_size, o->train ? &r : NULL};
    struct codec_window window = {choose_window, &wanted};
    rng_init_hashed(&r, o->seed, rng_hash("data.augment"), (uint64_t)epoch, (uint64_t)sample);
    if (dataset_read_part(d, sample, o->image_size, &window, &s->image, &view, err))
        return -1;
    if (out->mask && (dataset_read_mask(d, sample, o->image_size, &s->mask, &mask, err) ||
                      dataset_check_pair(d, sample, &view, &mask, err)))
        return -1;
    if (out->bytes)
        preprocess_bytes(&d->preprocess, &view, o->image_size, o->channels, o->train ? &r : NULL, s,
                         out->bytes);
    else
        preprocess_sample(&d->preprocess, &view, out->mask ? &mask : NULL, o->image_size,
                          o->channels, o->train ? &r : NULL, s, out->values, out->mask);
    return 0;
}
