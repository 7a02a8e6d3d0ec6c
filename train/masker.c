#include "train/masker.h"

#include "base/memory.h"
#include "data/loader.h"
#include "train/network.h"

#include <stdlib.h>

/* Room for a batch's masks. */
struct masks {
    int32_t *kept[MAE_STREAMS], *hidden[MAE_STREAMS]; /* (B,n) */
};

static void masks_init(struct masks *m, const struct network *n)
{
    for (int i = 0; i < MAE_STREAMS; i++) {
        const struct mae_stream *s = &n->mae->streams[i];
        m->kept[i] = mem_alloc(sizeof(int32_t) * (size_t)(n->batch * s->n_kept));
        m->hidden[i] = mem_alloc(sizeof(int32_t) * (size_t)(n->batch * s->n_hidden));
    }
}

static void masks_draw(struct masks *m, const struct network *n, int64_t row, uint64_t seed,
                       uint64_t epoch, uint64_t sample)
{
    int32_t *kept[MAE_STREAMS], *hidden[MAE_STREAMS];
    for (int i = 0; i < MAE_STREAMS; i++) {
        kept[i] = m->kept[i] + row * n->mae->streams[i].n_kept;
        hidden[i] = m->hidden[i] + row * n->mae->streams[i].n_hidden;
    }
    mae_draw(n->mae, seed, epoch, sample, kept, hidden);
}

/* Writes and releases. */
static void masks_finish(struct masks *m, struct network *n)
{
    for (int i = 0; i < MAE_STREAMS; i++) {
        network_write(n, n->kept[i], m->kept[i]);
        network_write(n, n->hidden[i], m->hidden[i]);
        free(m->kept[i]);
        free(m->hidden[i]);
    }
}

void masker_prepare(struct network *n)
{
    struct masks m;
    if (!n->mae)
        return;
    masks_init(&m, n);
    for (int64_t i = 0; i < n->batch; i++)
        masks_draw(&m, n, i, 0, 0, (uint64_t)i);
    masks_finish(&m, n);
}

/* Rows past the batch's count have masks too: those of no sample. */
void masker_write(struct network *n, const struct batch *b, uint64_t seed, uint64_t epoch)
{
    struct masks m;
    if (!n->mae)
        return;
    masks_init(&m, n);
    for (int64_t i = 0; i < n->batch; i++)
        masks_draw(&m, n, i, seed, epoch, i < b->count ? (uint64_t)b->indices[i] : UINT64_MAX);
    masks_finish(&m, n);
}
