#include "train/examples.h"

#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/codec.h"
#include "data/dataset.h"
#include "data/palette.h"
#include "data/resize_taps.h"
#include "train/segmentation.h"

enum { TILE = 160, GAP = 4, COLUMNS = 3, WIDTH = COLUMNS * (TILE + GAP) - GAP };

struct sheet {
    unsigned char *rgb; /* (rows, WIDTH, 3) */
    int height;
};

static struct image_view view_of(const unsigned char *data, int width, int height, int channels)
{
    return (struct image_view){data,    width, height, channels, 1, (ptrdiff_t)width * channels,
                               channels};
}

/* A square tile; classes NULL: the picture alone. */
static void draw_tile(struct sheet *s, int row, int column, const struct image_view *picture,
                      const unsigned char *classes)
{
    unsigned char *pixels = mem_alloc(TILE * TILE * 3), *labels = mem_zalloc(TILE * TILE, 1);
    unsigned char *tile = mem_alloc(TILE * TILE * 3);
    resize_linear(picture, TILE, TILE, pixels);
    if (classes) {
        struct image_view plane = view_of(classes, picture->width, picture->height, 1);
        resize_nearest(&plane, TILE, TILE, labels);
    }
    struct image_view small = view_of(pixels, TILE, TILE, picture->channels);
    palette_overlay(&small, labels, classes ? 0.6 : 0, tile);
    for (int y = 0; y < TILE; y++)
        memcpy(s->rgb + 3 * ((ptrdiff_t)(row * (TILE + GAP) + y) * WIDTH + column * (TILE + GAP)),
               tile + 3 * y * TILE, 3 * TILE);
    free(tile);
    free(labels);
    free(pixels);
}

static int draw_row(struct sheet *s, int row, struct segmenter *segmenter, const struct dataset *d,
                    struct error *err)
{
    struct image image = {0}, mask = {0};
    struct image_view picture, truth;
    struct segment_image segmented = {0};
    int size = segmenter->slider.size;
    int rc = dataset_read(d, row, size, &image, &picture, err) ||
             dataset_read_mask(d, row, size, &mask, &truth, err) ||
             dataset_check_pair(d, row, &picture, &truth, err);
    if (!rc) {
        unsigned char *classes = mem_alloc((size_t)picture.width * (size_t)picture.height);
        segmenter_prepare(segmenter, &segmented, &picture);
        segmenter_run(segmenter, &segmented, classes);
        draw_tile(s, row, 0, &picture, NULL);
        draw_tile(s, row, 1, &picture, truth.data);
        draw_tile(s, row, 2, &picture, classes);
        free(classes);
    }
    segment_image_release(&segmented);
    image_release(&image);
    image_release(&mask);
    return rc ? -1 : 0;
}

int examples_write(struct network *n, const struct dataset *d, const struct segment_protocol *p,
                   const char *path, struct error *err)
{
    struct segmenter segmenter;
    int rows = dataset_count(d) < EXAMPLES_IMAGES ? (int)dataset_count(d) : EXAMPLES_IMAGES, rc = 0;
    struct sheet s = {.height = rows * (TILE + GAP) - GAP};
    s.rgb = mem_alloc((size_t)s.height * WIDTH * 3);
    memset(s.rgb, 255, (size_t)s.height * WIDTH * 3);
    segmenter_open(&segmenter, n, p, &d->preprocess);
    for (int i = 0; !rc && i < rows; i++)
        rc = draw_row(&s, i, &segmenter, d, err);
    segmenter_close(&segmenter);
    struct image_view v = view_of(s.rgb, WIDTH, s.height, 3);
    if (!rc)
        rc = codec_write_png(path, &v, err);
    free(s.rgb);
    return rc;
}
