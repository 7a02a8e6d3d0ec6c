/* Separable resampling with antialiasing: Pillow's fixed-point one on u8, exact to the bit, and the
 * same filter in float32 without rounding, as tensor libraries do it: scale = in/out,
 * support = s * max(scale, 1), weights normalised to 1, horizontal pass first. */
#ifndef DATA_RESIZE_H
#define DATA_RESIZE_H

#include "data/image.h"

enum resize_filter { RESIZE_BILINEAR, RESIZE_BICUBIC /* a = -0.5 */ };

/* Half the width of the widest filter, in samples of the coarser of input and output. */
#define RESIZE_REACH 2

struct box {
    int top, left, height, width;
};

/* Resamples src to width x height and writes the window of the result (inside it) to out,
 * interleaved, with src->channels samples a pixel. What the window does not need is not computed.
 */
void resize_u8(const struct image_view *src, int width, int height, struct box window,
               enum resize_filter filter, unsigned char *out);

/* Crops box out of src, multiplies by float32(1/255) and resamples to size x size: out
 * (size,size,channels) interleaved. rows is scratch of resize_float_rows() floats. */
void resize_float(const struct image_view *src, struct box box, int size, enum resize_filter filter,
                  float *rows, float *out);
size_t resize_float_rows(struct box box, int size, int channels);

#endif
