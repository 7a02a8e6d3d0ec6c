/* A ring of slots, one a batch. Work is handed out in pieces of a batch, strictly in order, so many
 * threads can share one large batch and memory does not grow with their number. A slot's list of
 * samples is fixed when its first piece is handed out, under the lock; what a piece computes
 * depends on that list alone. */
#include "data/loader.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/dataset.h"
#include "data/sample.h"

#define SLOTS 4  /* one in the caller's hands, the others being filled */
#define PIECE 16 /* samples handed out at once */

struct slot {
    struct batch batch;
    float *images; /* one of these */
    uint8_t *bytes;
    int32_t *labels, *indices;
    uint8_t *masks;
    int pieces_left; /* 0: complete */
    int failed_at;   /* sample of the first error, or INT32_MAX */
    struct error err;
};

struct loader {
    const struct dataset *dataset;
    struct loader_options o;
    int64_t per_epoch; /* batches */
    struct slot slots[SLOTS];
    int n_slots;

    pthread_mutex_t lock;
    pthread_cond_t work, done; /* a slot became free; a slot became complete */
    pthread_t *threads;
    int n_threads, stopping;

    /* Under the lock. Tickets number batches from 0 over all epochs; ticket t lives in slot t %
     * n_slots. */
    int64_t handed; /* ticket that the next piece belongs to */
    int next_piece;
    int64_t epoch, number; /* of that ticket */
    int32_t *order;        /* the permutation of epoch; NULL without shuffling */
    int64_t order_epoch;

    /* The caller's side. */
    int64_t taken; /* ticket that loader_next returns next */
    int64_t take_number;
    double wait_s;
    struct error failed;               /* what loader_next goes on returning */
    struct preprocess_scratch scratch; /* without threads */
};

static size_t image_samples(const struct loader *l)
{
    return (size_t)l->o.channels * (size_t)l->o.image_size * (size_t)l->o.image_size;
}

static size_t mask_bytes(const struct loader *l)
{
    return (size_t)l->o.image_size * (size_t)l->o.image_size;
}

/* ---- samples: any thread, no lock ---- */

/* Row i of a slot, or with data.on_bad: skip the next sample of the data set that can be read. */
static int fill_row(const struct loader *l, struct slot *slot, struct preprocess_scratch *s, int i,
                    int *skipped, struct error *err)
{
    int64_t n = dataset_count(l->dataset), sample = slot->indices[i];
    size_t at = (size_t)i * image_samples(l);
    struct sample_row out = {.values = slot->images ? slot->images + at : NULL,
                             .bytes = slot->bytes ? slot->bytes + at : NULL,
                             .mask = slot->masks ? slot->masks + (size_t)i * mask_bytes(l) : NULL};
    int can_skip = l->o.train && l->dataset->skip_bad;
    for (int64_t tried = 0; tried < (can_skip ? n : 1); tried++, sample = (sample + 1) % n) {
        if (sample_fill(l->dataset, &l->o, s, sample, slot->batch.epoch, &out, err))
            continue;
        *skipped += tried > 0;
        slot->indices[i] = (int32_t)sample;
        slot->labels[i] = dataset_label(l->dataset, sample);
        return 0;
    }
    return -1;
}

static void fill_piece(struct loader *l, struct slot *slot, int piece, struct preprocess_scratch *s,
                       int *skipped, int *failed_at, struct error *err)
{
    int end = (piece + 1) * PIECE < slot->batch.count ? (piece + 1) * PIECE : slot->batch.count;
    *skipped = 0;
    *failed_at = INT32_MAX;
    for (int i = piece * PIECE; i < end; i++)
        if (fill_row(l, slot, s, i, skipped, err)) {
            *failed_at = i;
            return;
        }
}

/* ---- handing out: under the lock ---- */

static void order_epoch(struct loader *l)
{
    struct rng r;
    if (!l->o.shuffle || l->order_epoch == l->epoch)
        return;
    rng_init(&r, l->o.seed, "data.order", (uint64_t)l->epoch, 0);
    rng_permutation(&r, l->order, dataset_count(l->dataset));
    l->order_epoch = l->epoch;
}

/* Rows past the last sample of an evaluation. */
static void clear_rows(const struct loader *l, struct slot *slot)
{
    int n = slot->batch.count, rest = l->o.batch - n;
    size_t first = (size_t)n * image_samples(l), count = (size_t)rest * image_samples(l);
    if (slot->images)
        memset(slot->images + first, 0, count * sizeof *slot->images);
    else
        memset(slot->bytes + first, 0, count);
    memset(slot->labels + n, 0, (size_t)rest * sizeof *slot->labels);
    memset(slot->indices + n, 0xff, (size_t)rest * sizeof *slot->indices);
    if (slot->masks)
        memset(slot->masks + (size_t)n * mask_bytes(l), DATASET_IGNORE,
               (size_t)rest * mask_bytes(l));
}

static void begin_slot(struct loader *l, struct slot *slot)
{
    int64_t first = l->number * l->o.batch, left = dataset_count(l->dataset) - first;
    order_epoch(l);
    slot->batch.count = (int)(left < l->o.batch ? left : l->o.batch);
    slot->batch.epoch = l->epoch;
    slot->batch.number = l->number;
    for (int i = 0; i < slot->batch.count; i++)
        slot->indices[i] = l->o.shuffle ? l->order[first + i] : (int32_t)(first + i);
    clear_rows(l, slot);
    slot->pieces_left = (slot->batch.count + PIECE - 1) / PIECE;
    slot->failed_at = INT32_MAX;
    slot->batch.skipped = 0;
    slot->err.code = 0;
}

static int can_hand_out(const struct loader *l)
{
    return l->handed < l->taken + l->n_slots - (l->taken > 0);
}

static struct slot *hand_out(struct loader *l, int *piece)
{
    struct slot *slot = &l->slots[l->handed % l->n_slots];
    if (l->next_piece == 0)
        begin_slot(l, slot);
    *piece = l->next_piece++;
    if (l->next_piece * PIECE >= slot->batch.count) {
        l->handed++;
        l->next_piece = 0;
        if (++l->number == l->per_epoch) {
            l->number = 0;
            l->epoch++;
        }
    }
    return slot;
}

/* Takes the lock, hands out, works without it, reports. Returns with the lock held. */
static void work_once(struct loader *l, struct preprocess_scratch *s)
{
    int piece, failed_at, skipped;
    struct error err = {0};
    struct slot *slot = hand_out(l, &piece);
    pthread_mutex_unlock(&l->lock);
    fill_piece(l, slot, piece, s, &skipped, &failed_at, &err);
    pthread_mutex_lock(&l->lock);
    slot->batch.skipped += skipped;
    if (failed_at < slot->failed_at) { /* the earliest, whoever came first */
        slot->failed_at = failed_at;
        slot->err = err;
    }
    if (--slot->pieces_left == 0)
        pthread_cond_signal(&l->done);
}

static void *worker(void *arg)
{
    struct loader *l = arg;
    struct preprocess_scratch s = {0};
    pthread_mutex_lock(&l->lock);
    while (!l->stopping) {
        if (can_hand_out(l))
            work_once(l, &s);
        else
            pthread_cond_wait(&l->work, &l->lock);
    }
    pthread_mutex_unlock(&l->lock);
    preprocess_scratch_release(&s);
    return NULL;
}

/* ---- opening and closing ---- */

static int check(struct loader *l, struct error *err)
{
    const struct dataset *d = l->dataset;
    const struct loader_options *o = &l->o;
    int64_t n = dataset_count(d);
    ASSERT(o->batch > 0 && o->image_size > 0 && o->threads >= 0 && o->epoch >= 0 &&
           o->first_batch >= 0);
    ASSERT(!o->bytes || (!o->masks && preprocess_gives_bytes(&d->preprocess, o->train)));
    l->per_epoch = o->train ? n / o->batch : (n + o->batch - 1) / o->batch;
    if (o->batches && o->batches < l->per_epoch)
        l->per_epoch = o->batches;
    if (l->per_epoch == 0)
        return error_set(err,
                         "%s: %lld %s images are fewer than one batch of %d (lower the batch size)",
                         dataset_name(d), (long long)n, split_name(d->split), o->batch);
    if (o->channels != 3 && o->channels != d->channels)
        return error_set(err,
                         "%s: images have %d channels, the model wants %d (set model.channels)",
                         dataset_name(d), d->channels, o->channels);
    if (o->masks && !dataset_has_masks(d))
        return error_set(
            err, "%s: the data set has no segmentation masks (shapes, ade20k and mask_folder have)",
            dataset_name(d));
    if (o->masks && o->train && augment_moves(&d->preprocess.augment))
        return error_set(err,
                         "data.augment.policy moves pixels, which masks do not follow (three and "
                         "none leave them in place)");
    if (o->train && augment_is_on(&d->preprocess.augment) && o->image_size < 4)
        return error_set(err, "data.augment.policy needs images of at least 4 x 4 pixels");
    if (o->train && d->preprocess.crop == CROP_PAD && d->preprocess.pad >= o->image_size)
        return error_set(err, "data.augment.pad %d is as large as the image (%d pixels)",
                         d->preprocess.pad, o->image_size);
    if (o->first_batch > l->per_epoch)
        return error_set(
            err, "%s: cannot go on at batch %lld, an epoch has %lld (has the data set changed?)",
            dataset_name(d), (long long)o->first_batch, (long long)l->per_epoch);
    return 0;
}

static void slot_init(const struct loader *l, struct slot *slot)
{
    size_t n = (size_t)l->o.batch;
    if (l->o.bytes)
        slot->bytes = mem_alloc(n * image_samples(l));
    else
        slot->images = mem_alloc(n * image_samples(l) * sizeof *slot->images);
    slot->labels = mem_zalloc(n, sizeof *slot->labels);
    slot->indices = mem_zalloc(n, sizeof *slot->indices);
    slot->masks = l->o.masks ? mem_alloc(n * mask_bytes(l)) : NULL;
    slot->batch = (struct batch){.images = slot->images,
                                 .bytes = slot->bytes,
                                 .labels = slot->labels,
                                 .indices = slot->indices,
                                 .masks = slot->masks};
}

/* Signals are the main thread's: a worker that took SIGTERM would leave it waiting. */
static int start_threads(struct loader *l, struct error *err)
{
    sigset_t all, old;
    int rc = 0;
    l->threads = mem_zalloc((size_t)l->o.threads, sizeof *l->threads);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &old);
    while (rc == 0 && l->n_threads < l->o.threads) {
        rc = pthread_create(&l->threads[l->n_threads], NULL, worker, l);
        l->n_threads += rc == 0;
    }
    pthread_sigmask(SIG_SETMASK, &old, NULL);
    return rc ? error_env(err, "cannot start a loader thread: %s", strerror(rc)) : 0;
}

int loader_open(struct loader **out, const struct dataset *d, const struct loader_options *o,
                struct error *err)
{
    struct loader *l = mem_zalloc(1, sizeof *l);
    *out = NULL;
    l->dataset = d;
    l->o = *o;
    l->o.channels = o->channels ? o->channels : 3;
    if (check(l, err)) {
        free(l);
        return -1;
    }
    l->epoch = o->epoch;
    l->number = o->first_batch;
    if (l->number == l->per_epoch) {
        l->number = 0;
        l->epoch++;
    }
    l->take_number = o->first_batch;
    l->order_epoch = -1;
    l->order = o->shuffle ? mem_alloc((size_t)dataset_count(d) * sizeof *l->order) : NULL;
    l->n_slots = o->threads ? SLOTS : 1;
    for (int i = 0; i < l->n_slots; i++)
        slot_init(l, &l->slots[i]);
    pthread_mutex_init(&l->lock, NULL);
    pthread_cond_init(&l->work, NULL);
    pthread_cond_init(&l->done, NULL);
    if (o->threads && start_threads(l, err)) {
        loader_close(l);
        return -1;
    }
    *out = l;
    return 0;
}

void loader_close(struct loader *l)
{
    if (!l)
        return;
    pthread_mutex_lock(&l->lock);
    l->stopping = 1;
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    for (int i = 0; i < l->n_threads; i++)
        pthread_join(l->threads[i], NULL);
    for (int i = 0; i < l->n_slots; i++) {
        free(l->slots[i].images);
        free(l->slots[i].bytes);
        free(l->slots[i].labels);
        free(l->slots[i].indices);
        free(l->slots[i].masks);
    }
    pthread_cond_destroy(&l->work);
    pthread_cond_destroy(&l->done);
    pthread_mutex_destroy(&l->lock);
    preprocess_scratch_release(&l->scratch);
    free(l->order);
    free(l->threads);
    free(l);
}

/* ---- the caller's side ---- */

static struct slot *next_slot(struct loader *l)
{
    struct slot *slot = &l->slots[l->taken % l->n_slots];
    double start = clock_now();
    pthread_mutex_lock(&l->lock);
    while (l->handed <= l->taken || slot->pieces_left > 0) {
        if (l->n_threads)
            pthread_cond_wait(&l->done, &l->lock);
        else
            work_once(l, &l->scratch);
    }
    l->taken++; /* gives back the slot before it */
    pthread_cond_broadcast(&l->work);
    pthread_mutex_unlock(&l->lock);
    l->wait_s += clock_now() - start;
    return slot;
}

const struct batch *loader_next(struct loader *l, struct error *err)
{
    err->code = 0;
    if (l->take_number == l->per_epoch) {
        l->take_number = 0;
        return NULL;
    }
    if (l->failed.code) {
        *err = l->failed;
        return NULL;
    }
    struct slot *slot = next_slot(l);
    if (slot->failed_at != INT32_MAX) {
        *err = l->failed = slot->err;
        return NULL;
    }
    l->take_number++;
    return &slot->batch;
}

int64_t loader_batches(const struct loader *l)
{
    return l->per_epoch;
}

double loader_wait_s(const struct loader *l)
{
    return l->wait_s;
}
