/* ADE20K annotations (SceneParse150): one 8-bit channel, 0 other, 1 .. 150 the classes. */
#ifndef DATA_ADE20K_H
#define DATA_ADE20K_H

#include "data/image.h"

struct error;

#define ADE20K_CLASSES 150

/* Labels as training wants them, one byte a pixel at the start of out->rgb: class k becomes k - 1,
 * "other" and a stored 255 become DATASET_IGNORE. Any other value is an error that names it. */
int ade20k_read_mask(const char *path, struct image *out, struct error *err);

#endif
