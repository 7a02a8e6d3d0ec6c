#include "train/mixer.h"

#include "base/memory.h"
#include "data/loader.h"
#include "tensor/ops/ops.h"
#include "train/network.h"
#include "train/views.h"

#include <stdlib.h>
#include <string.h>

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
    if (n->mix)
        m->rows = mem_alloc(sizeof *m->rows * (size_t)(n->batch * MIXED_FIELDS));
    else
        m->images = mem_alloc(sizeof *m->images * (size_t)views_count(n));
    if (mixer_has_targets(m) && n->target)
        m->targets = mem_alloc(sizeof *m->targets * (size_t)(n->batch * n->classes));
}

void mixer_close(struct mixer *m)
{
    mix_plan_release(&m->plan);
    free(m->rows);
    free(m->images);
    free(m->targets);
    free(m->pixels);
    *m = (struct mixer){0};
}

int mixer_mean(const struct mixer *m, const struct network *n, struct mix_mean *mean)
{
    if (!m->plan.draw || !mixer_has_targets(m))
        return 0;
    mix_plan_mean(&m->plan, (int)n->batch, mean);
    return 1;
}

static void put_box(struct box b, float *to)
{
    to[0] = (float)b.top;
    to[1] = (float)b.left;
    to[2] = (float)b.height;
    to[3] = (float)b.width;
}

void mixer_rows(const struct mix_plan *p, int count, int batch, float *rows)
{
    memset(rows, 0, sizeof *rows * (size_t)batch * MIXED_FIELDS);
    for (int i = 0; i < batch; i++, rows += MIXED_FIELDS) {
        rows[MIXED_PARTNER] = (float)i;
        if (i >= count)
            continue;
        const struct mix_draw *d = &p->draw[i];
        put_box(p->erased[i], rows + MIXED_ERASED);
        if (d->kind == MIX_NONE)
            continue;
        rows[MIXED_PARTNER] = (float)p->partner[i];
        rows[MIXED_SUM] = d->kind == MIX_MIXUP;
        rows[MIXED_OWN] = (float)d->lambda;
        rows[MIXED_OTHER] = (float)(1 - d->lambda);
        if (d->kind == MIX_CUTMIX)
            put_box(d->box, rows + MIXED_BOX);
    }
}

static void write_images(struct mixer *m, struct network *n, const struct batch *b)
{
    int side = views_side(n);
    if (m->images) {
        mix_apply(&m->plan, b->count, (int)n->image->shape.dim[1], side, side, b->images,
                  m->images);
        views_write(n, m->images, b->masks);
        return;
    }
    if (m->rows) {
        mixer_rows(&m->plan, b->count, (int)n->batch, m->rows);
        network_write(n, n->mix, m->rows);
    }
    views_write_batch(n, b);
}

void mixer_write(struct mixer *m, struct network *n, const struct batch *b, uint64_t seed)
{
    if (m->plan.draw)
        mix_plan_draw(&m->mix, seed, (uint64_t)b->epoch, (uint64_t)b->number, b->count,
                      views_side(n), views_side(n), &m->plan);
    write_images(m, n, b);
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
