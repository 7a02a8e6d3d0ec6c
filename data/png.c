/* libpng. Errors leave through longjmp into the function that called setjmp, which owns nothing:
 * what must be freed hangs in struct reader. */
#include <setjmp.h>
#include <stdlib.h>
#include <string.h>

#include <png.h>

#include "base/error.h"
#include "base/memory.h"
#include "data/codec.h"
#include "data/codec_formats.h"

#define MAX_CHUNK (8u << 20) /* bytes of one ancillary chunk after decompression */

struct reader {
    png_structp png;
    png_infop info;
    const unsigned char *data;
    size_t left;
    const char *name;
    enum label_kind labels;
    struct error *err;
    struct image *out;
    png_bytep samples; /* of 16-bit gray, which does not fit into out */
    png_bytepp rows;
};

static void fail(png_structp png, png_const_charp text)
{
    struct reader *r = png_get_error_ptr(png);
    error_env(r->err, "%s: %s", r->name, text);
    png_longjmp(png, 1);
}

static void ignore_warning(png_structp png, png_const_charp text)
{
    (void)png;
    (void)text;
}

static void read_bytes(png_structp png, png_bytep to, size_t n)
{
    struct reader *r = png_get_io_ptr(png);
    if (n > r->left)
        png_error(png, "premature end of data");
    memcpy(to, r->data, n);
    r->data += n;
    r->left -= n;
}

static void rows_point(struct reader *r, png_bytep base, size_t stride, unsigned height)
{
    r->rows = mem_realloc(r->rows, height, sizeof *r->rows);
    for (unsigned y = 0; y < height; y++)
        r->rows[y] = base + y * stride;
}

/* deflate shrinks at most 1032 times; a row has at least one filter byte. */
static int check_length(struct reader *r, unsigned width, unsigned height, unsigned bits)
{
    uint64_t bytes = (uint64_t)height * (((uint64_t)width * bits + 7) / 8 + 1);
    if (bytes / 1100 > r->left)
        return error_env(r->err, "%s: %zu bytes cannot hold %u x %u pixels", r->name, r->left,
                         width, height);
    return 0;
}

static int read_header(struct reader *r)
{
    png_set_read_fn(r->png, r, read_bytes);
    png_set_user_limits(r->png, IMAGE_MAX_PIXELS, IMAGE_MAX_PIXELS);
    png_set_chunk_malloc_max(r->png, MAX_CHUNK);
    png_set_chunk_cache_max(r->png, 100);
    png_read_info(r->png, r->info);
    unsigned width = png_get_image_width(r->png, r->info),
             height = png_get_image_height(r->png, r->info);
    unsigned bits = png_get_bit_depth(r->png, r->info) * png_get_channels(r->png, r->info);
    if (codec_check_size(width, height, r->name, r->err) || check_length(r, width, height, bits))
        return -1;
    image_resize_buffer(r->out, (int)width, (int)height);
    return 0;
}

static void read_gray16(struct reader *r)
{
    size_t n = (size_t)r->out->width * (size_t)r->out->height;
    r->samples = mem_alloc(2 * n);
    rows_point(r, r->samples, 2 * (size_t)r->out->width, (unsigned)r->out->height);
    png_read_image(r->png, r->rows);
    for (size_t i = 0; i < n; i++) {
        unsigned char v = r->samples[2 * i] ? 255 : r->samples[2 * i + 1];
        memset(r->out->rgb + 3 * i, v, 3);
    }
}

static void read_rgb(struct reader *r)
{
    png_set_expand(r->png);
    png_set_strip_16(r->png);
    png_set_strip_alpha(r->png);
    png_set_gray_to_rgb(r->png);
    png_read_update_info(r->png, r->info);
    if (png_get_rowbytes(r->png, r->info) != (size_t)r->out->width * 3)
        png_error(r->png, "unexpected row size");
    rows_point(r, r->out->rgb, (size_t)r->out->width * 3, (unsigned)r->out->height);
    png_read_image(r->png, r->rows);
}

static int decode_rgb(struct reader *r)
{
    if (setjmp(png_jmpbuf(r->png)))
        return -1;
    if (read_header(r))
        return -1;
    png_set_interlace_handling(r->png);
    if (png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_GRAY &&
        png_get_bit_depth(r->png, r->info) == 16)
        read_gray16(r);
    else
        read_rgb(r);
    png_read_end(r->png, NULL);
    return 0;
}

static int decode_labels(struct reader *r)
{
    if (setjmp(png_jmpbuf(r->png)))
        return -1;
    if (read_header(r))
        return -1;
    if (png_get_channels(r->png, r->info) != 1 || png_get_bit_depth(r->png, r->info) != 8)
        return error_env(r->err, "%s: labels need one 8-bit channel (this has %d of %d bits)",
                         r->name, png_get_channels(r->png, r->info),
                         png_get_bit_depth(r->png, r->info));
    if (r->labels == LABELS_GRAY && png_get_color_type(r->png, r->info) == PNG_COLOR_TYPE_PALETTE)
        return error_env(r->err, "%s: labels need gray samples (this file has a palette)", r->name);
    png_set_interlace_handling(r->png);
    rows_point(r, r->out->rgb, (size_t)r->out->width, (unsigned)r->out->height);
    png_read_image(r->png, r->rows);
    png_read_end(r->png, NULL);
    return 0;
}

static int run(struct reader *r, int (*decode)(struct reader *))
{
    int rc = -1;
    r->png = png_create_read_struct(PNG_LIBPNG_VER_STRING, r, fail, ignore_warning);
    r->info = r->png ? png_create_info_struct(r->png) : NULL;
    if (r->info)
        rc = decode(r);
    else
        error_env(r->err, "%s: libpng does not start (built for %s)", r->name,
                  PNG_LIBPNG_VER_STRING);
    png_destroy_read_struct(&r->png, &r->info, NULL);
    free(r->samples);
    free(r->rows);
    return rc;
}

/* Rows depend on those above and share one stream: nothing can be left out. */
int png_decode(const unsigned char *data, size_t size, const char *name,
               const struct codec_window *window, struct image *out, struct error *err)
{
    (void)window;
    struct reader r = {.data = data, .left = size, .name = name, .err = err, .out = out};
    return run(&r, decode_rgb);
}

int png_decode_labels(const unsigned char *data, size_t size, const char *name,
                      enum label_kind kind, struct image *out, struct error *err)
{
    struct reader r = {
        .data = data, .left = size, .name = name, .labels = kind, .err = err, .out = out};
    return run(&r, decode_labels);
}

int codec_write_png(const char *path, const struct image_view *v, struct error *err)
{
    png_image image = {.version = PNG_IMAGE_VERSION,
                       .width = (png_uint_32)v->width,
                       .height = (png_uint_32)v->height,
                       .format = PNG_FORMAT_RGB};
    struct image copy = {0};
    image_resize_buffer(&copy, v->width, v->height);
    for (int y = 0; y < v->height; y++)
        for (int x = 0; x < v->width; x++)
            for (int c = 0; c < 3; c++)
                copy.rgb[((ptrdiff_t)y * v->width + x) * 3 + c] =
                    v->data[(c % v->channels) * v->step_c + y * v->step_y + x * v->step_x];
    int fine = png_image_write_to_file(&image, path, 0, copy.rgb, 0, NULL);
    image_release(&copy);
    return fine ? 0 : error_env(err, "%s: cannot write: %s", path, image.message);
}
