/* Which tensor a ViTTM's memory tokens are embedded from. */
#ifndef MODEL_MEMORY_INPUT_H
#define MODEL_MEMORY_INPUT_H

#include "nn/nn.h"

struct model_io;

const struct config_choice *memory_input_choice(int i);

/* io->image, or where the configuration says so the input "second" (B,c,S',S'), which the first
 * call makes; io->second and io->view then say what it is. S' to model.second.image_size is as the
 * image's side to model.image_size. */
struct tensor *memory_input(struct builder *b, struct model_io *io);

/* Side of the images that the memory's position table is for; 0: of this one. */
int64_t memory_input_table(struct builder *b);

/* Refuses, through b->g, what reads one image only. 0 or -1. */
int memory_input_must_be_image(struct builder *b, const char *what);

#endif
