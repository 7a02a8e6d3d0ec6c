/* Weights on the host: a copy of every parameter of a network, in the value type of its device, so
 * that copying there and back changes no bit. */
#ifndef TRAIN_WEIGHTS_H
#define TRAIN_WEIGHTS_H

#include "train/network.h"
#include "train/safetensors.h"

#include <stddef.h>

struct error;

struct weights {
    size_t value_size;
    int n;
    const struct tensor **tensors; /* of the network it was made for, which must outlive it */
    char **values;                 /* [n] contiguous values */
    char *block;
};

/* Room for n's parameters; uninitialised. */
void weights_init(struct weights *w, const struct network *n);
/* The same for the parameters of a graph that is not compiled, in single precision; zeros. */
void weights_init_graph(struct weights *w, const struct graph *g);
void weights_release(struct weights *w);
/* w must be made for n. */
void weights_get(struct weights *w, const struct network *n);
/* The same from n's running mean; what it does not cover, being frozen, is as in the network. */
void weights_get_mean(struct weights *w, const struct network *n);
/* n may be another network of the same model: parameters are matched by name. */
void weights_put(const struct weights *w, struct network *n);
void weights_copy(struct weights *to, const struct weights *from);   /* both made for one network */
const void *weights_find(const struct weights *w, const char *name); /* or NULL */

/* Entries for safetensors_write, which show w's memory: PREFIX and the parameter's name. entries
 * has room for w->n; names live in the arena. */
void weights_entries(const struct weights *w, const char *prefix, struct arena *a,
                     struct safetensors_entry *entries);

/* Takes every parameter from the file, where it may go by its name or its alias. Missing tensors
 * and other shapes are errors that name the first one and count the rest; tensors that the model
 * does not have are counted in *surplus unless that is NULL (those that begin with "train/" and
 * "best/" do not count). EXIT_USAGE: the file is another model's. */
int weights_load(struct weights *w, const struct safetensors *file, const char *prefix,
                 int *surplus, struct error *err);

#endif
