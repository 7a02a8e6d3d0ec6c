/* A picture of what a segmenting network does: a few validation images, each beside its true and
 * its predicted classes. */
#ifndef TRAIN_EXAMPLES_H
#define TRAIN_EXAMPLES_H

struct dataset;
struct error;
struct network;
struct segment_protocol;

#define EXAMPLES_IMAGES 4
#define EXAMPLES_FILE   "examples.png"

/* Writes the first images of d, one a row: picture, truth, prediction. */
int examples_write(struct network *n, const struct dataset *d, const struct segment_protocol *p,
                   const char *path, struct error *err);

#endif
