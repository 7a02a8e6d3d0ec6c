/* Configurations in YAML files. Sections nest or not, as the writer likes: {model: {dim: 96}} and
 * {model.dim: 96} are the same. A model file holds such keys, mostly below model:, and is named by
 * its stem: vit_s16 is experiments/models/vit_s16.yaml in one of the root folders.
 *
 * Everywhere: unknown keys are collected and named together, each with its place and the nearest
 * known key; the same key twice in one file is an error, whichever way it is written. */
#ifndef BASE_CONFIG_FILE_H
#define BASE_CONFIG_FILE_H

#include "base/config.h"

struct arena;
struct error;
struct yaml_node;

/* Who gets what config_walk finds. Functions return 0, or -1 with err set to stop. */
struct config_visitor {
    /* A key of the schema. key and text live in the arena given to config_walk. */
    int (*assign)(void *ctx, const char *key, const char *text, struct config_origin origin,
                  struct error *err);
    /* A top-level child that is neither a key nor a map of keys, such as "seed: 3" or
     * "model: vit_s16": 1 taken, 0 unknown here, -1 error. May be NULL. */
    int (*other)(void *ctx, const struct yaml_node *node, struct error *err);
    void *ctx;
};

/* Hands every leaf of a map over in document order; c only tells which keys exist. */
int config_walk(const struct config *c, struct arena *a, const struct yaml_node *map,
                const struct config_visitor *v, struct error *err);

/* The text of a value: a scalar as it is, a list of scalars as "[a, b]". An empty value (nothing,
 * null, ~), a map, or a list where the key's type is no list, is an error. */
int config_node_text(const struct config_key *key, struct arena *a, const struct yaml_node *node,
                     const char **text, struct error *err);

/* Assigns all of a file. other(ctx, …) gets what is not in the schema, as above; it may be NULL. */
int config_load(struct config *c, const char *path,
                int (*other)(void *ctx, const struct yaml_node *node, struct error *err), void *ctx,
                struct error *err);

/* The file that a model's NAME or a PATH means: a path that exists, else
 * ROOT/experiments/models/NAME.yaml for each root in order (roots ends with NULL). In the arena;
 * NULL and the nearest name where there is none. */
const char *config_model_path(struct arena *a, const char *name, const char *const *roots,
                              struct error *err);
/* Assigns a model file's keys. A model file may name another one (model: NAME) to start from only
 * by being written out: model files do not include each other. */
int config_load_model(struct config *c, const char *name, const char *const *roots,
                      struct error *err);

/* "key=value" from the command line. */
int config_override(struct config *c, const char *assignment, struct error *err);

#endif
