/* Where the process tokens come from (ViTTM section 3.1).
 *
 * To add one: model/process_NAME.c with a struct process_init process_init_NAME, and a line in
 * process_inits.def. */
#ifndef MODEL_PROCESS_INIT_H
#define MODEL_PROCESS_INIT_H

#include "nn/nn.h"

struct process_init {
    struct config_choice choice;
    const char *paper;
    /* image (B,c,H,W) and the memory's patch embedding before its position embedding (B,T,C'), a
     * grid -> process tokens before their position embedding (B,K,dim). */
    struct tensor *(*build)(struct builder *b, struct tensor *image, struct tensor *memory,
                            struct grid grid, int64_t dim);
    /* Side of the process grid for images of a side; NULL where the tokens have no places. */
    int64_t (*grid)(const struct config *c, int64_t image_side);
    /* Pixels that must divide an image's sides; NULL: any will do. */
    int64_t (*patch)(const struct config *c);
};

const struct process_init *process_init_at(int i); /* NULL past the last */
const struct config_choice *process_init_choice(int i);

#endif
