/* The names of tensors in other people's weights files. */
#ifndef TRAIN_WEIGHTS_NAMES_H
#define TRAIN_WEIGHTS_NAMES_H

#include "train/safetensors.h"

struct error;

/* A tensor of a file under the name that its model gave it: without the "module." and "_orig_mod."
 * that averaging, data parallelism and compilation put in anywhere, nor "model." in front. */
struct named_tensor {
    const char *name; /* in the list's arena, or in the file */
    const struct safetensors_tensor *tensor;
    int taken; /* by weights_import */
};

struct named_tensors {
    struct named_tensor *all; /* in the order of the file's */
    int n;
};

/* Names every tensor of the file but those that training keeps beside the weights ("train/",
 * "best/"). Two tensors with one name are an error that names them. In the arena. */
int named_tensors_init(struct named_tensors *l, const struct safetensors *file, struct arena *a,
                       struct error *err);
struct named_tensor *named_tensors_find(const struct named_tensors *l, const char *name);

/* Does name belong to the module: is it "module" or does it begin with "module."? */
int name_is_in(const char *name, const char *module);

/* Whether the file holds a plain ViT of timm: patch_embed, blocks and nothing that one lacks. */
int named_tensors_are_vit(const struct named_tensors *l);
/* Whether a module (the first part of a name) is one of a plain ViT. */
int name_is_vit(const char *name);

/* Refuses a file that torch.save wrote, by its ending or its first bytes, and says how to convert
 * it: reading such a file means running what is in it. A file that cannot be read passes (opening
 * it will say why). */
int weights_refuse_pickle(const char *path, struct error *err);

#endif
