/* Where the geometric operations on tensors take their pixels from. */
#include "data/augment_ops.h"

#include <math.h>
#include <string.h>

static void set(double out[6], const double matrix[6])
{
    memcpy(out, matrix, 6 * sizeof *out);
}

/* Sheared about the image's top left corner. */
void augment_matrix_ShearX(double m, int height, int width, double matrix[6])
{
    (void)width;
    set(matrix, (double[]){1, m, m * height / 2, 0, 1, 0});
}

void augment_matrix_ShearY(double m, int height, int width, double matrix[6])
{
    (void)height;
    set(matrix, (double[]){1, 0, 0, m, 1, m * width / 2});
}

void augment_matrix_TranslateX(double m, int height, int width, double matrix[6])
{
    (void)height, (void)width;
    set(matrix, (double[]){1, 0, -trunc(m), 0, 1, 0});
}

void augment_matrix_TranslateY(double m, int height, int width, double matrix[6])
{
    (void)height, (void)width;
    set(matrix, (double[]){1, 0, 0, 0, 1, -trunc(m)});
}

void augment_matrix_Rotate(double m, int height, int width, double matrix[6])
{
    double a = m * (M_PI / 180);
    (void)height, (void)width;
    set(matrix, (double[]){cos(a), -sin(a), 0, sin(a), cos(a), 0});
}

struct augment_map augment_map(const double matrix[6], int height, int width)
{
    struct augment_map map = {.center_x = (float)(width - 1) / 2,
                              .center_y = (float)(height - 1) / 2,
                              .height = height,
                              .width = width};
    for (int i = 0; i < 6; i++)
        map.m[i] = (float)matrix[i];
    return map;
}
