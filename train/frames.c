#include "train/frames.h"

#include <stdlib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/memory.h"
#include "data/dataset.h"
#include "train/weights.h"

static void run_frame(struct frames *f, struct segment_image *im)
{
    segmenter_run(&f->segmenter, im, f->classes);
}

/* Images in turn: a prepared one can be run any number of times. */
static void run_next(void *ctx)
{
    struct frames *f = ctx;
    run_frame(f, &f->images[f->next++ % f->n_images]);
}

static int prepare(struct frames *f, int64_t i, struct segment_image *im, struct error *err)
{
    struct image scratch = {0};
    struct image_view view;
    int rc = dataset_read(f->data, i, f->segmenter.slider.size, &scratch, &view, err);
    if (!rc) {
        size_t pixels = (size_t)view.width * (size_t)view.height;
        segmenter_prepare(&f->segmenter, im, &view);
        if (pixels > f->classes_capacity) {
            free(f->classes);
            f->classes = mem_alloc(pixels);
            f->classes_capacity = pixels;
        }
    }
    image_release(&scratch);
    return rc;
}

int frames_open(struct frames *f, const struct config *c, const struct device *d, int n,
                const struct weights *weights, struct error *err)
{
    struct network_options o = {.batch = 1};
    *f = (struct frames){.subject = {.run = run_next, .ctx = f, .images = 1}};
    if (segment_protocol_init(&f->protocol, c, err) || dataset_open(&f->data, c, SPLIT_VAL, err) ||
        network_open(&f->net, c, d, &o, err)) {
        frames_close(f);
        return -1;
    }
    network_init(&f->net, 0);
    if (weights)
        weights_put(weights, &f->net);
    segmenter_open(&f->segmenter, &f->net, &f->protocol, &f->data->preprocess);
    f->n_images = n < dataset_count(f->data) ? n : (int)dataset_count(f->data);
    f->images = mem_zalloc((size_t)f->n_images, sizeof *f->images);
    for (int i = 0; i < f->n_images; i++)
        if (prepare(f, i, &f->images[i], err)) {
            frames_close(f);
            return -1;
        }
    return 0;
}

void frames_close(struct frames *f)
{
    for (int i = 0; f->images && i < f->n_images; i++)
        segment_image_release(&f->images[i]);
    free(f->images);
    free(f->classes);
    free(f->subject.blocks);
    segmenter_close(&f->segmenter);
    network_close(&f->net);
    dataset_close(f->data);
    *f = (struct frames){0};
}

int frames_measure(struct frames *f, int64_t count, int64_t skip, volatile const int *stop,
                   struct error *err)
{
    size_t cap = 0;
    free(f->subject.blocks);
    f->subject.blocks = NULL;
    f->subject.n_blocks = 0;
    f->subject.calls_a_block = 1;
    for (int64_t i = 0; i < count; i++) {
        if (stop && *stop)
            return 1;
        if (prepare(f, i % dataset_count(f->data), &f->images[0], err))
            return -1;
        double start = clock_now();
        run_frame(f, &f->images[0]);
        double seconds = clock_now() - start;
        if (i < skip)
            continue;
        f->subject.blocks =
            mem_grow(f->subject.blocks, f->subject.n_blocks, &cap, sizeof *f->subject.blocks);
        f->subject.blocks[f->subject.n_blocks++] = seconds;
    }
    return 0;
}
