/* A weights file of ours: parameters under their names, and in the metadata the configuration that
 * they are for ("config", YAML) with whatever else the writer knows. */
#ifndef TRAIN_WEIGHTS_FILE_H
#define TRAIN_WEIGHTS_FILE_H

#include "train/weights.h"

struct config;
struct error;
struct strbuf;

#define WEIGHTS_FORMAT "vittm weights 1"

struct weights_about {
    const struct config *config;          /* resolved */
    const struct safetensors_pair *pairs; /* more metadata */
    size_t n_pairs;
    int both_names; /* shared parameters under both of their names, as a state dict has them */
};

/* Writes path whole or not at all. digest, if not NULL, gets the SHA-256 of the content. */
int weights_write(const struct weights *w, const char *path, const struct weights_about *about,
                  char digest[65], struct error *err);

/* The configuration without paths and what cannot change a number. */
void weights_config_text(const struct config *c, struct strbuf *out);

#endif
