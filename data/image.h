/* A decoded image: 8-bit samples, rows top to bottom, either interleaved (RGBRGB…) or in planes. */
#ifndef DATA_IMAGE_H
#define DATA_IMAGE_H

#include <stddef.h>
#include <stdint.h>

/* Larger images are refused before memory is allocated for them. */
#define IMAGE_MAX_PIXELS (64 * 1024 * 1024)

/* Owns RGB samples, 3 bytes a pixel, height x width x 3 without padding. Zero-initialise, fill any
 * number of times (the buffer is kept and only grows), release. */
struct image {
    unsigned char *rgb;
    int width, height;
    size_t capacity; /* bytes */
};

/* Room for width x height pixels with undefined content. The caller has checked IMAGE_MAX_PIXELS.
 */
void image_resize_buffer(struct image *im, int width, int height);
void image_release(struct image *im);

/* Looks at samples that somebody else owns. Sample (c, y, x) is data[c*step_c + y*step_y +
 * x*step_x]. */
struct image_view {
    const unsigned char *data;
    int width, height, channels;
    ptrdiff_t step_c, step_y, step_x;
};

struct image_view image_view(const struct image *im);

#endif
