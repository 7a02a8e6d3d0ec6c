/* Shared by data/augment*.c only: the operations of each flavour, and where geometry takes its
 * pixels from. */
#ifndef DATA_AUGMENT_OPS_H
#define DATA_AUGMENT_OPS_H

#include <math.h>

#include "data/augment.h"

#define AUGMENTATION(name)                                                                         \
    void augment_float_##name(struct augment_image *im, double m);                                 \
    void augment_u8_##name(struct augment_bytes *im, double m);                                    \
    void augment_pil_##name(struct augment_bytes *im, double m);
#include "data/augmentations.def"
AUGMENTATION(Invert)
#undef AUGMENTATION

/* 3 x 3 sum around p, its centre five times: 13 weights. */
static inline int augment_sum13(const unsigned char *p, int width)
{
    return p[-width - 1] + p[-width] + p[-width + 1] + p[-1] + 5 * p[0] + p[1] + p[width - 1] +
           p[width] + p[width + 1];
}

void augment_extremes(const unsigned char *p, int n, int *lowest, int *highest);

/* What makes a histogram of n samples even. */
void augment_equal_table(const int count[256], int n, unsigned char table[256]);

/* Output (x, y) is taken from x' = m[0] x + m[1] y + m[2], y' = m[3] x + m[4] y + m[5], all
 * relative to the image's centre. */
void augment_matrix_ShearX(double m, int height, int width, double matrix[6]);
void augment_matrix_ShearY(double m, int height, int width, double matrix[6]);
void augment_matrix_TranslateX(double m, int height, int width, double matrix[6]);
void augment_matrix_TranslateY(double m, int height, int width, double matrix[6]);
void augment_matrix_Rotate(double m, int height, int width, double matrix[6]);

struct augment_map {
    float m[6], center_x, center_y;
    int height, width;
};
struct augment_map augment_map(const double matrix[6], int height, int width);

/* Nearest neighbour: the place in a plane of the source of an output, or -1 outside. */
static inline int augment_source(const struct augment_map *map, int row, int column)
{
    const float *m = map->m, x = (float)column - map->center_x, y = (float)row - map->center_y;
    float from_x = nearbyintf(m[0] * x + m[1] * y + m[2] + map->center_x);
    float from_y = nearbyintf(m[3] * x + m[4] * y + m[5] + map->center_y);
    int inside =
        from_x >= 0 && from_x < (float)map->width && from_y >= 0 && from_y < (float)map->height;
    return inside ? (int)from_y * map->width + (int)from_x : -1;
}

#endif
