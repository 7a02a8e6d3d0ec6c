/* Decoding: reference images bit for bit, every malformed file refused by name, images made here by
 * the libraries' own encoders. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jpeglib.h>
#include <png.h>

#include "base/error.h"
#include "base/file.h"
#include "base/memory.h"
#include "base/rng.h"
#include "data/codec.h"
#include "data/geometry.h"
#include "tests/support/data.h"
#include "tests/support/golden.h"

/* ---- reference images ---- */

static void check_golden(const struct golden *g)
{
    struct golden_tensor bytes = golden_get(g, "bytes", "U8"), rgb = golden_get(g, "rgb", "U8");
    struct image im = {0};
    struct error err = {0};
    if (codec_decode(bytes.data, bytes.bytes, g->path, &im, &err))
        fail_msg("%s", err.msg);
    assert_int_equal(im.height, rgb.shape[0]);
    assert_int_equal(im.width, rgb.shape[1]);
    int worst = 0;
    for (size_t i = 0; i < rgb.bytes; i++) {
        int d = abs(im.rgb[i] - ((const unsigned char *)rgb.data)[i]);
        worst = d > worst ? d : worst;
    }
    if (worst)
        fail_msg("%s: differs by up to %d", g->path, worst);
    image_release(&im);
}

static void test_golden(void **state)
{
    char path[4096];
    (void)state;
    if (!golden_path("golden/data", path, sizeof path)) {
        print_message("no golden/data here\n");
        skip();
    }
    assert_true(golden_each(path, "jpeg_", check_golden) > 0);
    assert_true(golden_each(path, "png_", check_golden) > 0);
}

/* Every photo of the table, by the hash of its pixels. */
static void test_photos(void **state)
{
    char table[4096], folder[4096], *text;
    size_t size;
    struct image im = {0};
    struct error err = {0};
    int n = 0;
    (void)state;
    if (!golden_path("data/imagenet-mini.tsv", table, sizeof table)) {
        print_message("no data/imagenet-mini here\n");
        skip();
    }
    golden_path("data/imagenet-mini", folder, sizeof folder);
    assert_int_equal(file_read(table, 1 << 20, &text, &size, &err), 0);
    for (char *rest = text, *line; (line = strsep(&rest, "\n"));) {
        char path[8192], hex[65], name[256], hash[32];
        int width, height;
        if (*line == '#' ||
            sscanf(line, "%255s %*d %*d %d %d %*s %*[^\t] %31s", name, &width, &height, hash) != 4)
            continue;
        snprintf(path, sizeof path, "%s/%s", folder, name);
        if (codec_load(path, &im, &err))
            fail_msg("%s", err.msg);
        file_sha256_bytes(im.rgb, (size_t)im.width * (size_t)im.height * 3, hex);
        hex[16] = 0;
        assert_int_equal(im.width, width);
        assert_int_equal(im.height, height);
        assert_string_equal(hex, hash);
        n++;
    }
    assert_int_equal(n, 60);
    free(text);
    image_release(&im);
}

/* ---- malformed files ---- */

static void test_bad_files(void **state)
{
    static const struct {
        const char *name, *reason; /* NULL: an error or not, but no crash */
    } files[] = {{"01_truncated.jpg", "remature end"},
                 {"02_bad_huffman_table.jpg", "uffman"},
                 {"03_zero_bytes.jpg", "empty"},
                 {"04_bad_crc.png", "CRC"},
                 {"05_dimension_bomb.png", "too large"},
                 {"06_text.jpg", "neither JPEG nor PNG"},
                 {"16_sof_65535x65535.jpg", "65500 pixels"},
                 {"24_bad_idat_crc.png", "CRC"},
                 {"25_corrupt_scan.jpg", NULL},
                 {"26_missing_soi.jpg", "neither JPEG nor PNG"}};
    char folder[4096];
    struct image im = {0};
    (void)state;
    if (!golden_path("data/bad", folder, sizeof folder)) {
        print_message("no data/bad here\n");
        skip();
    }
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[8192];
        struct error err = {0};
        snprintf(path, sizeof path, "%s/%s", folder, files[i].name);
        int rc = codec_load(path, &im, &err);
        if (!files[i].reason)
            continue;
        assert_int_equal(rc, -1);
        assert_non_null(strstr(err.msg, files[i].name));
        if (!strstr(err.msg, files[i].reason))
            fail_msg("expected \"%s\" in: %s", files[i].reason, err.msg);
        assert_int_equal(err.code, EXIT_ENVIRONMENT);
    }
    image_release(&im);
}

/* ---- images made here ---- */

struct bytes {
    unsigned char *data;
    size_t size;
};

static unsigned char level(int x, int y, int c)
{
    return (unsigned char)(x * 7 + y * 5 + c * 60);
}

static struct bytes make_jpeg(int width, int height, int channels, int progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr e;
    struct bytes b = {NULL, 0};
    unsigned long size = 0;
    unsigned char *row = mem_alloc((size_t)(width * channels));
    j.err = jpeg_std_error(&e);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &b.data, &size);
    j.image_width = (JDIMENSION)width;
    j.image_height = (JDIMENSION)height;
    j.input_components = channels;
    j.in_color_space = channels == 1 ? JCS_GRAYSCALE : channels == 3 ? JCS_RGB : JCS_CMYK;
    jpeg_set_defaults(&j);
    jpeg_set_quality(&j, 98, TRUE);
    if (progressive)
        jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    for (int y = 0; y < height; y++) {
        for (int x = 0; x < width * channels; x++)
            row[x] = (unsigned char)(40 + x / channels * 2 + y + x % channels * 30);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    free(row);
    b.size = size;
    return b;
}

static void test_jpeg_roundtrip(void **state)
{
    (void)state;
    for (int channels = 1; channels <= 3; channels += 2)
        for (int progressive = 0; progressive < 2; progressive++) {
            struct bytes b = make_jpeg(37, 21, channels, progressive);
            struct image im = {0};
            struct error err = {0};
            assert_int_equal(codec_decode(b.data, b.size, "made", &im, &err), 0);
            assert_int_equal(im.width, 37);
            assert_int_equal(im.height, 21);
            for (int y = 0; y < 21; y++)
                for (int x = 0; x < 37; x++) {
                    int expected = 40 + x * 2 + y;
                    assert_in_range(im.rgb[(y * 37 + x) * 3] + 8, expected, expected + 16);
                }
            image_release(&im);
            free(b.data);
        }
}

/* No prefix of a file decodes, and none crashes. */
static void test_jpeg_cut(void **state)
{
    (void)state;
    for (int progressive = 0; progressive < 2; progressive++) {
        struct bytes b = make_jpeg(40, 40, 3, progressive);
        struct image im = {0};
        for (size_t n = 0; n < b.size; n += 1 + n / 16) {
            struct error err = {0};
            unsigned char *copy = mem_alloc(n + 1); /* exact, for the sanitizers */
            memcpy(copy, b.data, n);
            assert_int_equal(codec_decode(copy, n, "cut.jpg", &im, &err), -1);
            assert_non_null(strstr(err.msg, "cut.jpg: "));
            free(copy);
        }
        image_release(&im);
        free(b.data);
    }
}

/* A small file that claims 60 megapixels is refused before they are allocated. */
static void test_jpeg_claims_too_much(void **state)
{
    struct bytes b = make_jpeg(16, 16, 3, 0);
    struct image im = {0};
    struct error err = {0};
    (void)state;
    for (size_t i = 0; i + 9 < b.size; i++)
        if (b.data[i] == 0xff && b.data[i + 1] == 0xc0) {
            b.data[i + 5] = b.data[i + 7] = 0x1e;
            b.data[i + 6] = b.data[i + 8] = 0;
        }
    assert_int_equal(codec_decode(b.data, b.size, "claims.jpg", &im, &err), -1);
    assert_non_null(strstr(err.msg, "cannot hold 7680 x 7680 pixels"));
    assert_null(im.rgb);
    free(b.data);
}

static void append(png_structp png, png_bytep data, png_size_t n)
{
    struct bytes *b = png_get_io_ptr(png);
    b->data = mem_realloc(b->data, b->size + n, 1);
    memcpy(b->data + b->size, data, n);
    b->size += n;
}

static void flush(png_structp png)
{
    (void)png;
}

static struct bytes make_png(int width, int height, int type, int depth, int interlaced)
{
    struct bytes b = {NULL, 0};
    png_structp png = png_create_write_struct(PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
    png_infop info = png_create_info_struct(png);
    int channels = type == PNG_COLOR_TYPE_RGB ? 3 : type == PNG_COLOR_TYPE_RGBA ? 4 : 1;
    unsigned char *pixels = mem_zalloc((size_t)(width * height * channels), (size_t)(depth / 8));
    png_bytepp rows = mem_alloc((size_t)height * sizeof *rows);
    png_set_write_fn(png, &b, append, flush);
    png_set_IHDR(png, info, (unsigned)width, (unsigned)height, depth, type,
                 interlaced ? PNG_INTERLACE_ADAM7 : PNG_INTERLACE_NONE,
                 PNG_COMPRESSION_TYPE_DEFAULT, PNG_FILTER_TYPE_DEFAULT);
    for (int y = 0; y < height; y++) {
        rows[y] = pixels + y * width * channels * depth / 8;
        for (int i = 0; i < width * channels; i++)
            rows[y][i * depth / 8] = level(i / channels, y, i % channels);
    }
    png_write_info(png, info);
    png_write_image(png, rows);
    png_write_end(png, NULL);
    png_destroy_write_struct(&png, &info);
    free(rows);
    free(pixels);
    return b;
}

static void test_png_kinds(void **state)
{
    static const int kinds[][2] = {{PNG_COLOR_TYPE_GRAY, 8},
                                   {PNG_COLOR_TYPE_RGB, 8},
                                   {PNG_COLOR_TYPE_RGBA, 8},
                                   {PNG_COLOR_TYPE_RGB, 16},
                                   {PNG_COLOR_TYPE_RGBA, 16}};
    (void)state;
    for (size_t k = 0; k < sizeof kinds / sizeof *kinds; k++)
        for (int interlaced = 0; interlaced < 2; interlaced++) {
            struct bytes b = make_png(19, 11, kinds[k][0], kinds[k][1], interlaced);
            struct image im = {0};
            struct error err = {0};
            if (codec_decode(b.data, b.size, "made", &im, &err))
                fail_msg("%s", err.msg);
            for (int i = 0; i < 19 * 11 * 3; i++) {
                int c = kinds[k][0] == PNG_COLOR_TYPE_GRAY ? 0 : i % 3;
                assert_int_equal(im.rgb[i], level(i / 3 % 19, i / 57, c));
            }
            image_release(&im);
            free(b.data);
        }
}

/* 16-bit gray is clipped, not scaled. */
static void test_png_gray16(void **state)
{
    struct bytes b = make_png(19, 11, PNG_COLOR_TYPE_GRAY, 16, 0); /* every high byte is level() */
    struct image im = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(codec_decode(b.data, b.size, "made", &im, &err), 0);
    for (int i = 0; i < 19 * 11 * 3; i++)
        assert_int_equal(im.rgb[i], level(i / 3 % 19, i / 57, 0) ? 255 : 0);
    image_release(&im);
    free(b.data);
}

static void test_png_cut_and_damaged(void **state)
{
    struct bytes b = make_png(33, 17, PNG_COLOR_TYPE_RGB, 8, 0);
    struct image im = {0};
    (void)state;
    for (size_t n = 8; n < b.size; n += 1 + n / 8) {
        struct error err = {0};
        unsigned char *copy = mem_alloc(n);
        memcpy(copy, b.data, n);
        assert_int_equal(codec_decode(copy, n, "cut.png", &im, &err), -1);
        assert_non_null(strstr(err.msg, "cut.png: "));
        free(copy);
    }
    for (size_t i = 8; i < b.size; i += 5) { /* any error is found by a checksum, none is a crash */
        struct error err = {0};
        b.data[i] ^= 0x55;
        assert_int_equal(codec_decode(b.data, b.size, "damaged.png", &im, &err), -1);
        b.data[i] ^= 0x55;
    }
    image_release(&im);
    free(b.data);
}

static void test_write_png(void **state)
{
    char path[] = "build/tmp/codec-XXXXXX";
    struct image im = {0}, back = {0};
    struct error err = {0};
    (void)state;
    assert_int_equal(file_make_folder("build/tmp", &err), 0);
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    image_resize_buffer(&im, 9, 5);
    for (int i = 0; i < 9 * 5 * 3; i++)
        im.rgb[i] = (unsigned char)(i * 3);
    struct image_view v = image_view(&im);
    assert_int_equal(codec_write_png(path, &v, &err), 0);
    assert_int_equal(codec_load(path, &back, &err), 0);
    assert_memory_equal(im.rgb, back.rgb, 9 * 5 * 3);
    remove(path);
    image_release(&im);
    image_release(&back);
}

/* ---- parts ---- */

/* A JPEG of noise on a gradient in build/tmp/part.jpg. */
static void write_jpeg(const char *path, int width, int height, int h, int v, int components,
                       int progressive)
{
    struct jpeg_compress_struct j;
    struct jpeg_error_mgr errors;
    struct rng r;
    unsigned char *row = malloc((size_t)width * 3), *bytes = NULL;
    unsigned long size = 0;
    struct error err = {0};
    j.err = jpeg_std_error(&errors);
    jpeg_create_compress(&j);
    jpeg_mem_dest(&j, &bytes, &size);
    j.image_width = (JDIMENSION)width;
    j.image_height = (JDIMENSION)height;
    j.input_components = components;
    j.in_color_space = components == 3 ? JCS_RGB : JCS_GRAYSCALE;
    jpeg_set_defaults(&j);
    j.comp_info[0].h_samp_factor = h;
    j.comp_info[0].v_samp_factor = v;
    if (progressive)
        jpeg_simple_progression(&j);
    jpeg_start_compress(&j, TRUE);
    rng_init(&r, 1, "part", (uint64_t)width, (uint64_t)height);
    while (j.next_scanline < j.image_height) {
        for (int i = 0; i < width * components; i++)
            row[i] = (unsigned char)(rng_u32(&r) % 120 + i % 130);
        jpeg_write_scanlines(&j, &row, 1);
    }
    jpeg_finish_compress(&j);
    jpeg_destroy_compress(&j);
    assert_int_equal(file_write(path, bytes, size, &err), 0);
    free(bytes);
    free(row);
}

static struct box chosen(void *ctx, int width, int height)
{
    struct box b = *(struct box *)ctx;
    assert_true(b.left + b.width <= width && b.top + b.height <= height);
    return b;
}

static void check_parts(const char *path)
{
    struct image whole = {0}, part = {0};
    struct error err = {0};
    struct rng r;
    if (codec_load(path, &whole, &err))
        fail_msg("%s", err.msg);
    rng_init(&r, 1, "boxes", (uint64_t)whole.width, 0);
    for (int k = 0; k < 20; k++) {
        struct box b;
        struct codec_window w = {chosen, &b};
        b.width = 1 + (int)rng_below(&r, whole.width);
        b.height = 1 + (int)rng_below(&r, whole.height);
        b.left = (int)rng_below(&r, whole.width - b.width + 1);
        b.top = (int)rng_below(&r, whole.height - b.height + 1);
        if (codec_load_part(path, &w, &part, &err))
            fail_msg("%s", err.msg);
        assert_int_equal(part.width, whole.width);
        assert_int_equal(part.height, whole.height);
        for (int y = b.top; y < b.top + b.height; y++) {
            size_t at = ((size_t)y * (size_t)whole.width + (size_t)b.left) * 3;
            if (memcmp(whole.rgb + at, part.rgb + at, (size_t)b.width * 3))
                fail_msg("%s: row %d of the box %d x %d at %d, %d differs", path, y, b.width,
                         b.height, b.left, b.top);
        }
    }
    image_release(&whole);
    image_release(&part);
}

/* Parts are what the whole has there, for every way to store chroma. */
static void test_parts(void **state)
{
    static const int factors[][2] = {{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {4, 2}};
    static const int sizes[][2] = {{160, 120}, {131, 97}, {17, 33}, {301, 16}};
    char folder[256], path[512];
    (void)state;
    data_folder(folder);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (int progressive = 0; progressive < 2; progressive++) {
            for (size_t f = 0; f < sizeof factors / sizeof *factors; f++) {
                snprintf(path, sizeof path, "%s/%dx%d-%d%d-%d.jpg", folder, sizes[i][0],
                         sizes[i][1], factors[f][0], factors[f][1], progressive);
                write_jpeg(path, sizes[i][0], sizes[i][1], factors[f][0], factors[f][1], 3,
                           progressive);
                check_parts(path);
            }
            snprintf(path, sizeof path, "%s/gray.jpg", folder);
            write_jpeg(path, sizes[i][0], sizes[i][1], 1, 1, 1, progressive);
            check_parts(path);
        }
    data_folder_remove(folder);
}

/* A file cut anywhere is an error, even where the part is all there. */
static void test_part_of_cut_file(void **state)
{
    char folder[256], path[512], *bytes;
    size_t size;
    struct box top = {0, 0, 4, 4};
    struct codec_window w = {chosen, &top};
    struct image im = {0};
    struct error err = {0};
    (void)state;
    data_folder(folder);
    snprintf(path, sizeof path, "%s/cut.jpg", folder);
    write_jpeg(path, 160, 120, 2, 2, 3, 0);
    assert_int_equal(codec_load_part(path, &w, &im, &err), 0);
    assert_int_equal(file_read(path, 1 << 20, &bytes, &size, &err), 0);
    assert_int_equal(file_write(path, bytes, size - 40, &err), 0);
    assert_int_equal(codec_load_part(path, &w, &im, &err), -1);
    assert_non_null(strstr(err.msg, "Premature end of JPEG file"));
    free(bytes);
    image_release(&im);
    data_folder_remove(folder);
}

static void test_labels(void **state)
{
    char path[4096];
    struct image im = {0};
    struct error err = {0};
    (void)state;
    if (!golden_path("data/bad/21_label_out_of_range.png", path, sizeof path)) {
        print_message("no data/bad here\n");
        skip();
    }
    assert_int_equal(codec_load_labels(path, LABELS_GRAY, &im, &err),
                     0); /* the value is the data set's business */
    int highest = 0;
    for (int i = 0; i < im.width * im.height; i++)
        highest = im.rgb[i] > highest ? im.rgb[i] : highest;
    assert_int_equal(highest, 200);
    image_release(&im);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_golden),
        cmocka_unit_test(test_photos),
        cmocka_unit_test(test_bad_files),
        cmocka_unit_test(test_jpeg_roundtrip),
        cmocka_unit_test(test_jpeg_cut),
        cmocka_unit_test(test_jpeg_claims_too_much),
        cmocka_unit_test(test_png_kinds),
        cmocka_unit_test(test_png_gray16),
        cmocka_unit_test(test_png_cut_and_damaged),
        cmocka_unit_test(test_write_png),
        cmocka_unit_test(test_parts),
        cmocka_unit_test(test_part_of_cut_file),
        cmocka_unit_test(test_labels),
    };
    return cmocka_run_group_tests_name("data/codec", tests, NULL, NULL);
}
