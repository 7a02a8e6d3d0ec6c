#include "train/mixer.h"

#include "base/memory.h"
#include "data/loader.h"
#include "train/network.h"
#include "train/views.h"

#include <stdlib.h>

int mixer_init(struct mixer *m, const struct config *c, struct error *err)
{
    *m = (struct mixer){0};
    return mix_init(&m->mix, c, err);
}

int mixer_has_targets(const struct mixer *m)
{
    return mix_has_targets(&m->mix);
}

void mixer_open(struct mixer *m, const struct network *n)
{
    if (n->segment && n->target)
        m->pixels = mem_alloc(sizeof *m->pixels * (size_t)shape_count(n->target->shape));
    if (!mix_is_on(&m->mix))
        return;
    mix_plan_init(&m->plan, (int)n->batch);
    m->images = mem_alloc(sizeof *m->images * (size_t)views_count(n));
    if (mixer_has_targets(m) && n->target)
        m->targets = mem_alloc(sizeof *m->targets * (size_t)(n->batch * n->classes));
}

void mixer_close(struct mixer *m)
{
    if (m->images)
        mix_plan_release(&m->plan);
    free(m->images);
    free(m->targets);
    free(m->pixels);
    *m = (struct mixer){0};
}

int mixer_mean(const struct mixer *m, const struct network *n, struct mix_mean *mean)
{
    if (!m->images || !mixer_has_targets(m))
        return 0;
    mix_plan_mean(&m->plan, (int)n->batch, mean);
    return 1;
}

void mixer_write(struct mixer *m, struct network *n, const struct batch *b, uint64_t seed)
{
    int channels = (int)n->image->shape.dim[1], side = views_side(n);
    if (m->images) {
        mix_plan_draw(&m->mix, seed, (uint64_t)b->epoch, (uint64_t)b->number, b->count, side, side,
                      &m->plan);
        mix_apply(&m->plan, b->count, channels, side, side, b->images, m->images);
        views_write(n, m->images, b->masks);
    } else {
        views_write_batch(n, b);
    }
    if (!n->target)
        return;
    if (m->pixels) {
        for (int64_t i = 0; i < shape_count(n->target->shape); i++)
            m->pixels[i] = b->masks[i];
        network_write(n, n->target, m->pixels);
    } else if (m->targets) {
        mix_targets(&m->plan, b->labels, b->count, n->classes, m->mix.smoothing, m->targets);
        network_write(n, n->target, m->targets);
    } else {
        network_write(n, n->target, b->labels);
    }
}
