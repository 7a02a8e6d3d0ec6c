/* Photometric distortion of scenes (mmseg's PhotoMetricDistortion, after SSD, Liu et al. 2016): on
 * u8 images, each result clipped to 0 .. 255 and truncated; colours by way of OpenCV's 8-bit HSV
 * (hue 0 .. 179). Pixels are RGB, interleaved. */
#ifndef DATA_PHOTOMETRIC_H
#define DATA_PHOTOMETRIC_H

#include <stddef.h>

struct rng;

/* Brightness, contrast, saturation, hue, each with probability 1/2; contrast before or after the
 * colours. Draws in a fixed order. */
void photometric_distort(unsigned char *rgb, size_t pixels, struct rng *r);

/* Its parts: x * gain + offset of n samples; the saturation times gain; the hue shifted. */
void photometric_linear(unsigned char *x, size_t n, double gain, double offset);
void photometric_saturation(unsigned char *rgb, size_t pixels, double gain);
void photometric_hue(unsigned char *rgb, size_t pixels, int shift);

/* One pixel to hue (0 .. 179), saturation, value and back. */
void photometric_to_hsv(const unsigned char rgb[3], unsigned char hsv[3]);
void photometric_to_rgb(const unsigned char hsv[3], unsigned char rgb[3]);

#endif
