/* Images in class folders: ROOT/<split folder>/<class>/…, as ImageNet is laid out. Classes are the
 * direct subfolders in byte-wise order of name; images are found by walking each recursively,
 * folders and files in byte-wise order, files with the endings jpg jpeg png ppm bmp pgm tif tiff
 * webp in any case. */
#ifndef DATA_IMAGE_FOLDER_H
#define DATA_IMAGE_FOLDER_H

#include <stdint.h>

#include "base/arena.h"

struct error;

struct image_list {
    struct arena arena;
    char *root;
    const char **classes;
    int n_classes;
    const char **paths; /* relative to root */
    int64_t *bytes;     /* sizes of the files */
    int32_t *labels;
    int64_t n;
};

/* Walks root. A class without images, and a root without classes, is an error. */
int image_list_read(struct image_list *l, const char *root, struct error *err);
void image_list_release(struct image_list *l);

/* Whether a file name ends like an image. */
int image_list_is_image(const char *name);

#endif
