/* The image files of a folder, in a fixed order: walked recursively, files before folders, both in
 * byte-wise order of name; files with the endings jpg jpeg png ppm bmp pgm tif tiff webp in any
 * case. Images in class folders, ROOT/<split folder>/<class>/…, as ImageNet is laid out, have their
 * direct subfolder as class, in byte-wise order of name. */
#ifndef DATA_IMAGE_LIST_H
#define DATA_IMAGE_LIST_H

#include <stdint.h>

#include "base/arena.h"

struct codec_window;
struct image_cache;
struct error;
struct image;
struct image_view;
struct strbuf;

struct image_list {
    struct arena arena;
    char *root;
    const char **classes;
    int n_classes;
    const char **paths; /* relative to root */
    int64_t *bytes;     /* sizes of the files */
    int32_t *labels;    /* 0 without classes */
    int64_t n;
    struct image_cache *cache; /* NULL: nothing is kept; released with the list */
};

/* Walks root. A class without images, and a root without classes, is an error. */
int image_list_read_classes(struct image_list *l, const char *root, struct error *err);
/* Walks root without classes; no images is an error. */
int image_list_read(struct image_list *l, const char *root, struct error *err);
void image_list_release(struct image_list *l);

/* Where image i lies; adds to path. */
void image_list_path(const struct image_list *l, int64_t i, struct strbuf *path);

/* Decodes image i, or at least the window of it (NULL: all), into scratch, or takes it from the
 * cache. An error names the file. */
int image_list_load(const struct image_list *l, int64_t i, const struct codec_window *window,
                    struct image *scratch, struct image_view *view, struct error *err);

/* SHA-256 of names and sizes: reading every byte of ImageNet would take longer than many runs. */
void image_list_hash(const struct image_list *l, char hex[65]);

/* Whether a file name ends like an image. */
int image_list_is_image(const char *name);

#endif
