/* The loader beside libjpeg-turbo: photos a second that one core makes into normalised 224-pixel
 * random resized crops, divided by photos a second that libjpeg-turbo alone decodes, whole, on the
 * same core. Both are taken in turns and in CPU time, so that a busy machine shortens both; the
 * ratio is the median of the rounds. Goal: 0.90.
 * Photos have a long side of 500 pixels, as most of ImageNet: those of ../shared/data/imagenet-mini
 * (or FOLDER) that are nearly as large, resampled, else drawn ones; written at the start with
 * quality
 * 92. Usage: bench_loader [FOLDER] */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <jpeglib.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/strbuf.h"
#include "data/dataset.h"
#include "data/image_list.h"
#include "data/loader.h"
#include "data/resize.h"
#include "data/shapes.h"
#include "data/tree.h"

#define FOLDER "build/bench/photos"
#define ROUNDS 9
#define SIZE   224
#define LONG   500
#define GOAL   0.90

struct photo {
    char *bytes;
    size_t size;
};

static void stop_on(int failed, const struct error *err)
{
    if (!failed)
        return;
    fprintf(stderr, "bench_loader: %s\n", err->msg);
    exit(1);
}

/* ---- libjpeg-turbo alone ---- */

/* With the settings that the reference needs. */
static void decode(const struct photo *p, unsigned char **rows, size_t *capacity)
{
    struct jpeg_decompress_struct j;
    struct jpeg_error_mgr errors;
    j.err = jpeg_std_error(&errors);
    jpeg_create_decompress(&j);
    jpeg_mem_src(&j, (const unsigned char *)p->bytes, p->size);
    jpeg_read_header(&j, TRUE);
    j.out_color_space = JCS_RGB;
    j.dct_method = JDCT_ISLOW;
    jpeg_start_decompress(&j);
    size_t stride = (size_t)j.output_width * 3, need = stride * j.output_height;
    if (need > *capacity) {
        *rows = mem_realloc(*rows, need, 1);
        *capacity = need;
    }
    while (j.output_scanline < j.output_height) {
        JSAMPROW row = *rows + j.output_scanline * stride;
        jpeg_read_scanlines(&j, &row, 1);
    }
    jpeg_finish_decompress(&j);
    jpeg_destroy_decompress(&j);
}

/* ---- photos ---- */

/* Writes rgb as JPEG of quality 92, chroma halved, as photo i. */
static void encode(const unsigned char *rgb, int width, int height, int64_t i, struct error *err)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    unsigned char *bytes = NULL;
    unsigned long size = 0;
    char path[128];
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &bytes, &size);
    j.image_width = (JDIMENSION)width;
    j.image_height = (JDIMENSION)height;
    j.input_components = 3;
    j.in_color_space = JCS_RGB;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 92, TRUE);
    jpeg_start_compress(&j, TRUE);
    while (j.next_scanline < j.image_height) {
        JSAMPROW row = (JSAMPROW)rgb + (size_t)j.next_scanline * (size_t)width * 3;
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    snprintf(path, sizeof path, FOLDER "/all/%lld.jpg", (long long)i);
    stop_on(file_write(path, bytes, size, err), err);
    free(bytes);
}

/* Shapes with their noise. */
static void draw_all(struct error *err)
{
    unsigned char *rgb = mem_alloc((size_t)LONG * LONG * 3);
    for (int i = 0; i < 24; i++) {
        shapes_draw(SPLIT_TRAIN, i, LONG, rgb, NULL);
        encode(rgb, LONG, LONG * 3 / 4, i, err);
    }
    free(rgb);
}

/* The larger photos of a folder, their long side resampled to LONG. */
static void take_all(const char *from, struct error *err)
{
    struct image_list l;
    struct image scratch = {0}, resized = {0};
    stop_on(image_list_read(&l, from, err), err);
    for (int64_t i = 0; i < l.n; i++) {
        struct image_view v;
        stop_on(image_list_load(&l, i, NULL, &scratch, &v, err), err);
        int side = v.width > v.height ? v.width : v.height;
        int width = v.width * LONG / side, height = v.height * LONG / side;
        if (side < LONG * 4 / 5)
            continue;
        image_resize_buffer(&resized, width, height);
        resize_u8(&v, width, height, (struct box){0, 0, height, width}, RESIZE_BICUBIC,
                  resized.rgb);
        encode(resized.rgb, width, height, i, err);
    }
    image_release(&scratch);
    image_release(&resized);
    image_list_release(&l);
}

static struct photo *read_all(int *n, double *pixels, struct error *err)
{
    struct image_list l;
    stop_on(image_list_read(&l, FOLDER, err), err);
    struct photo *photos = mem_zalloc((size_t)l.n, sizeof *photos);
    *n = (int)l.n;
    *pixels = 0;
    for (int i = 0; i < *n; i++) {
        struct strbuf path = STRBUF_INIT;
        struct image scratch = {0};
        struct image_view v;
        image_list_path(&l, i, &path);
        stop_on(file_read(path.text, 64 << 20, &photos[i].bytes, &photos[i].size, err), err);
        stop_on(image_list_load(&l, i, NULL, &scratch, &v, err), err);
        *pixels += (double)v.width * v.height / *n;
        image_release(&scratch);
        strbuf_release(&path);
    }
    image_list_release(&l);
    return photos;
}

/* ---- rounds ---- */

static double time_decoder(const struct photo *photos, int n)
{
    unsigned char *rows = NULL;
    size_t capacity = 0;
    double start = clock_cpu();
    for (int i = 0; i < n; i++)
        decode(&photos[i], &rows, &capacity);
    double seconds = clock_cpu() - start;
    free(rows);
    return seconds / n;
}

static struct dataset *open_photos(const char *key, const char *value, struct error *err)
{
    const struct config_key *tables[] = {data_keys, NULL};
    struct config *c = config_new(tables);
    struct dataset *d;
    const struct config_origin here = {"bench_loader", 0, 0};
    stop_on(config_set(c, "data.dataset", "image_folder", here, err) ||
                config_set(c, "data.root", FOLDER, here, err) ||
                config_set(c, "data.train_folder", ".", here, err) ||
                (key && config_set(c, key, value, here, err)) || config_resolve(c, err) ||
                dataset_open(&d, c, SPLIT_TRAIN, err),
            err);
    config_free(c);
    return d;
}

static double time_loader(const struct dataset *d, int train, int64_t epoch, struct error *err)
{
    struct loader_options o = {.batch = 8,
                               .image_size = SIZE,
                               .train = train,
                               .seed = 1,
                               .epoch = epoch,
                               .shuffle = train};
    struct loader *l;
    const struct batch *b;
    int n = 0;
    stop_on(loader_open(&l, d, &o, err), err);
    while (loader_next(l, err)) { /* the second epoch of it counts, in memory that it has used */
    }
    stop_on(err->code, err);
    double start = clock_cpu();
    while ((b = loader_next(l, err)))
        n += b->count;
    stop_on(err->code, err);
    double seconds = clock_cpu() - start;
    loader_close(l);
    return seconds / n;
}

static int by_value(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

static double median(double *x, int n)
{
    qsort(x, (size_t)n, sizeof *x, by_value);
    return x[n / 2];
}

struct subject {
    const char *name, *key, *value;
    int train;
    double goal; /* 0: none */
};

static const struct subject subjects[] = {
    {"training: crop, mirror, normalise", NULL, NULL, 1, GOAL},
    {"the same after RandAugment", "data.augment.policy", "rand", 1, 0},
    {"the same after 3-augment", "data.augment.policy", "three", 1, 0},
    {"evaluation: resize, centre crop", NULL, NULL, 0, 0},
    {"training from decoded images in memory", "data.cache", "decoded", 1, 0},
};

/* Returns whether the goal was met. */
static int run(const struct subject *s, const struct photo *photos, int n, struct error *err)
{
    struct dataset *d = open_photos(s->key, s->value, err);
    double ratio[ROUNDS], alone[ROUNDS], loader[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
        alone[i] = time_decoder(photos, n);
        loader[i] = time_loader(d, s->train, 2 * i, err);
        ratio[i] = alone[i] / loader[i];
    }
    double middle = median(ratio, ROUNDS);
    printf("%5.2f  %-40s %7.0f of %7.0f photos/s a core%s\n", middle, s->name,
           1 / median(loader, ROUNDS), 1 / median(alone, ROUNDS),
           s->goal == 0        ? ""
           : middle >= s->goal ? "  goal 0.90 met"
                               : "  goal 0.90 MISSED");
    dataset_close(d);
    return middle >= s->goal;
}

int main(int argc, char **argv)
{
    struct error err = {0};
    const char *from = argc > 1 ? argv[1] : "../shared/data/imagenet-mini";
    int n, met = 1, is_there = file_is_folder(from);
    double pixels;
    stop_on(tree_remove(FOLDER, &err) || file_make_folder(FOLDER "/all", &err), &err);
    if (is_there)
        take_all(from, &err);
    else
        draw_all(&err);
    struct photo *photos = read_all(&n, &pixels, &err);
    printf("loader / libjpeg-turbo alone, %d %s photos of %.0f pixels in the mean\n", n,
           is_there ? "real" : "drawn", pixels);
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        met &= run(&subjects[i], photos, n, &err);
    for (int i = 0; i < n; i++)
        free(photos[i].bytes);
    free(photos);
    return met ? 0 : 1;
}
