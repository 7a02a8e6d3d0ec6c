/* Segmentation masks on disk: 8-bit PNG files with a class a pixel. */
#ifndef DATA_MASK_H
#define DATA_MASK_H

#include "data/codec.h"

struct error;
struct image;

/* What the stored values of a data set mean. */
struct mask_rule {
    const char *set;  /* for messages */
    int classes;      /* 1 .. 255 */
    int zero_is_none; /* 1: 0 is no class, value k is class k - 1; 0: value k is class k */
    enum label_kind labels;
};

/* Labels as training wants them, one byte a pixel at the start of out->rgb: 0 .. classes-1, and
 * DATASET_IGNORE where the file has 255 or its value for no class. Any other value is an error that
 * names the file, the value and its place. */
int mask_read(const char *path, const struct mask_rule *rule, struct image *out, struct error *err);

#endif
