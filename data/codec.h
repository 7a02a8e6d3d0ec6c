/* JPEG and PNG files to RGB, bit for bit what Pillow 9.4 gives after convert("RGB").
 *
 * JPEG: libjpeg-turbo with the accurate integer inverse transform and smooth ("fancy") chroma
 * upsampling; gray is replicated, CMYK and YCCK go through Pillow's formula, EXIF orientation is
 * not applied. PNG: palettes and low depths are expanded, transparency is dropped without
 * compositing, 16-bit RGB keeps the high byte, 16-bit gray is clipped to 255.
 *
 * What a decoder can only guess at is an error here: missing data, impossible codes, wrong
 * checksums. Extra bytes between markers, which hurt no pixel and occur in real photos, are not. */
#ifndef DATA_CODEC_H
#define DATA_CODEC_H

#include <stddef.h>

#include "data/image.h"

struct box;
struct error;

/* The part of an image that is wanted, asked for once its size is known. */
struct codec_window {
    struct box (*choose)(void *ctx, int width, int height);
    void *ctx;
};

/* Decodes bytes; the format is taken from the content. name is for messages. An image of more than
 * IMAGE_MAX_PIXELS, or with more pixels than its file can possibly hold, is refused before memory
 * is taken for it. After an error out holds nothing of use but stays valid. */
int codec_decode(const void *data, size_t size, const char *name, struct image *out,
                 struct error *err);

/* The same for a file. */
int codec_load(const char *path, struct image *out, struct error *err);

/* The same, but only the pixels of the chosen box (inside the image) need be there: out is as large
 * as the whole image, and what is outside the box may be anything. The pixels in it are those of
 * codec_load, to the bit. A file that ends too early is an error whatever the box; other damage
 * below it is not looked at. */
int codec_load_part(const char *path, const struct codec_window *window, struct image *out,
                    struct error *err);

/* Which PNG files codec_load_labels takes. */
enum label_kind { LABELS_GRAY, LABELS_GRAY_OR_PALETTE };

/* The samples of an 8-bit PNG of one channel as they are stored (segmentation labels; palette files
 * hold theirs as palette indices): width x height bytes at the start of out->rgb. Anything else is
 * an error. */
int codec_load_labels(const char *path, enum label_kind kind, struct image *out, struct error *err);

/* Writes an RGB view as PNG (contact sheets, reports). */
int codec_write_png(const char *path, const struct image_view *v, struct error *err);

#endif
