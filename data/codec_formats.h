/* Shared by data/codec.c, data/jpeg.c and data/png.c only. */
#ifndef DATA_CODEC_FORMATS_H
#define DATA_CODEC_FORMATS_H

#include <stddef.h>

#include "data/codec.h"

struct error;
struct image;

/* window may be NULL: everything. */
int jpeg_decode(const unsigned char *data, size_t size, const char *name,
                const struct codec_window *window, struct image *out, struct error *err);
int png_decode(const unsigned char *data, size_t size, const char *name,
               const struct codec_window *window, struct image *out, struct error *err);
int png_decode_labels(const unsigned char *data, size_t size, const char *name,
                      enum label_kind kind, struct image *out, struct error *err);

/* Refuses sizes that the project does not read. */
int codec_check_size(unsigned long width, unsigned long height, const char *name,
                     struct error *err);

#endif
