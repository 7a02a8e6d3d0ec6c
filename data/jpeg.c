/* libjpeg-turbo. Errors leave through longjmp into decode(), which owns nothing but the
 * decompressor: everything else belongs to callers. */
#include <stdio.h>
#include <setjmp.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "base/error.h"
#include "data/codec_formats.h"
#include "data/image.h"
#include "data/resize.h"

#define MAX_SCANS 100
#define MAX_MEMORY                                                                                 \
    (512l << 20) /* bytes that libjpeg may take: coefficients of a progressive image */

struct reader {
    struct jpeg_decompress_struct jpeg;
    struct jpeg_error_mgr errors;
    struct jpeg_progress_mgr progress;
    jmp_buf leave;
    const char *name;
    const struct codec_window *window;
    struct image *out;
    struct error *err;
};

static struct reader *reader_of(j_common_ptr c)
{
    return c->client_data;
}

static void fail(j_common_ptr c)
{
    struct reader *r = reader_of(c);
    char text[JMSG_LENGTH_MAX];
    c->err->format_message(c, text);
    error_env(r->err, "%s: %s", r->name, text);
    longjmp(r->leave, 1);
}

/* level -1 is a warning: the decoder would make up what is missing. */
static void message(j_common_ptr c, int level)
{
    int code = c->err->msg_code;
    if (level < 0 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_JFIF_MAJOR &&
        code != JWRN_ADOBE_XFORM)
        fail(c);
}

static void ignore_output(j_common_ptr c)
{
    (void)c;
}

static void watch_scans(j_common_ptr c)
{
    struct reader *r = reader_of(c);
    if (r->jpeg.input_scan_number <= MAX_SCANS)
        return;
    error_env(r->err, "%s: more than %d scans", r->name, MAX_SCANS);
    longjmp(r->leave, 1);
}

/* Every 8x8 block of the densest component takes at least one bit of Huffman code. */
static int check_length(struct reader *r, size_t size)
{
    uint64_t blocks = (uint64_t)r->jpeg.image_width * r->jpeg.image_height / 64;
    if (!r->jpeg.arith_code && blocks / 8 > size)
        return error_env(r->err, "%s: %zu bytes cannot hold %u x %u pixels", r->name, size,
                         r->jpeg.image_width, r->jpeg.image_height);
    return 0;
}

static int muldiv255(int a, int b)
{
    int t = a * b + 128;
    return (t + (t >> 8)) >> 8;
}

/* In place: the row holds 4 bytes a pixel, the result 3. */
static void cmyk_row(const unsigned char *cmyk, unsigned char *rgb, int width, int inverted)
{
    int flip = inverted ? 255 : 0;
    for (int x = 0; x < width; x++) {
        int rest = 255 - (cmyk[4 * x + 3] ^ flip);
        for (int c = 0; c < 3; c++)
            rgb[3 * x + c] = (unsigned char)(rest - muldiv255(cmyk[4 * x + c] ^ flip, rest));
    }
}

static void choose_colors(struct jpeg_decompress_struct *j)
{
    if (j->num_components == 4) {
        j->jpeg_color_space = j->saw_Adobe_marker && j->Adobe_transform == 2 ? JCS_YCCK : JCS_CMYK;
        j->out_color_space = JCS_CMYK;
    } else {
        j->out_color_space = JCS_RGB;
    }
    j->dct_method = JDCT_ISLOW;
    j->do_fancy_upsampling = TRUE;
}

static void read_rows(struct reader *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    size_t stride = (size_t)j->output_width * 3;
    JSAMPARRAY cmyk = NULL;
    if (j->output_components == 4)
        cmyk = j->mem->alloc_sarray((j_common_ptr)j, JPOOL_IMAGE, j->output_width * 4, 1);
    while (j->output_scanline < j->output_height) {
        JSAMPROW row = r->out->rgb + j->output_scanline * stride;
        if (cmyk) {
            jpeg_read_scanlines(j, cmyk, 1);
            cmyk_row(cmyk[0], row, (int)j->output_width, j->saw_Adobe_marker);
        } else {
            jpeg_read_scanlines(j, &row, 1);
        }
    }
}

/* Chroma between two samples is smoothed, so pixels at the edge of what is decoded would differ. */
#define MARGIN 4

/* Below the box nothing is decoded, but the end of the file must be there. Coded data cannot hold
 * an end marker, so the first one from where decoding stopped is the image's. */
static void skip_rest(struct reader *r)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    static const unsigned char end[2] = {0xff, JPEG_EOI};
    if (!jpeg_has_multiple_scans(j) && j->unread_marker != JPEG_EOI &&
        !memmem(j->src->next_input_byte, j->src->bytes_in_buffer, end, sizeof end))
        WARNMS(j, JWRN_JPEG_EOF);
    jpeg_skip_scanlines(j, j->output_height - j->output_scanline);
}

/* Only the rows and columns of a box, at their places. */
static void read_part(struct reader *r, struct box box)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    size_t stride = (size_t)j->output_width * 3;
    JDIMENSION width = j->output_width;
    JDIMENSION left = box.left > MARGIN ? (JDIMENSION)(box.left - MARGIN) : 0;
    JDIMENSION right = (JDIMENSION)(box.left + box.width + MARGIN), columns;
    JDIMENSION top = box.top > MARGIN ? (JDIMENSION)(box.top - MARGIN) : 0;
    columns = (right < width ? right : width) - left;
    if (columns < width)
        jpeg_crop_scanline(j, &left, &columns);
    if (top)
        jpeg_skip_scanlines(j, top);
    while (j->output_scanline < (JDIMENSION)(box.top + box.height)) {
        JSAMPROW row = r->out->rgb + j->output_scanline * stride + left * 3;
        jpeg_read_scanlines(j, &row, 1);
    }
    if (j->output_scanline < j->output_height)
        skip_rest(r);
}

static int decode(struct reader *r, const unsigned char *data, size_t size)
{
    struct jpeg_decompress_struct *j = &r->jpeg;
    if (setjmp(r->leave))
        return -1;
    jpeg_create_decompress(j);
    j->progress = &r->progress;
    j->mem->max_memory_to_use = MAX_MEMORY;
    jpeg_mem_src(j, data, size);
    jpeg_read_header(j, TRUE);
    if (codec_check_size(j->image_width, j->image_height, r->name, r->err) || check_length(r, size))
        return -1;
    if (j->num_components != 1 && j->num_components != 3 && j->num_components != 4)
        return error_env(r->err, "%s: %d color components (1, 3 and 4 are read)", r->name,
                         j->num_components);
    choose_colors(j);
    jpeg_start_decompress(j);
    image_resize_buffer(r->out, (int)j->output_width, (int)j->output_height);
    if (r->window && j->output_components == 3)
        read_part(r, r->window->choose(r->window->ctx, r->out->width, r->out->height));
    else
        read_rows(r);
    jpeg_finish_decompress(j);
    return 0;
}

int jpeg_decode(const unsigned char *data, size_t size, const char *name,
                const struct codec_window *window, struct image *out, struct error *err)
{
    struct reader r = {.name = name, .window = window, .out = out, .err = err};
    r.jpeg.err = jpeg_std_error(&r.errors);
    r.jpeg.client_data = &r;
    r.errors.error_exit = fail;
    r.errors.emit_message = message;
    r.errors.output_message = ignore_output;
    r.progress.progress_monitor = watch_scans;
    int rc = decode(&r, data, size);
    jpeg_destroy_decompress(&r.jpeg);
    return rc;
}
