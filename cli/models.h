/* Named models: the files of experiments/models, found from a checkout and from an installation. */
#ifndef CLI_MODELS_H
#define CLI_MODELS_H

struct arena;
struct error;

/* The folders that may hold experiments/ and results/published, for config_model_path and friends,
 * in this order: $VITTM_HOME, the current folder, the installation or checkout that the program
 * stands in. Ends with NULL; in the arena. */
const char *const *models_roots(struct arena *a);

/* The names in the first root that has models, sorted, ending with NULL; in the arena. NULL with
 * err set. */
const char *const *models_names(struct arena *a, struct error *err);

/* config_model_path with our roots: the file that a name or a path means. */
const char *models_find(struct arena *a, const char *typed, struct error *err);

#endif
