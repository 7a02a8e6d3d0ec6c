/* What an experiment file says, before expansion. Shared by runner/experiment*.c, grid.c, match.c.
 */
#ifndef RUNNER_EXPERIMENT_INTERNAL_H
#define RUNNER_EXPERIMENT_INTERNAL_H

#include "base/expr.h"
#include "runner/experiment.h"

struct yaml_node;

/* "key = text". Of the key "model" with a model's name, preset is what the model file sets. */
struct assignment {
    const char *key, *text;
    struct config_origin origin;
    const struct preset *preset;
    struct assignment *next;
};

struct preset {
    const char *name;
    struct assignment *assignments;
    struct preset *next;
};

enum column_kind { COLUMN_GRID, COLUMN_ZIP, COLUMN_OUTER };

/* A key and the values it takes, chained in order of declaration. COLUMN_OUTER comes from the
 * command line and multiplies hand-written cells too. */
struct column {
    const char *key;
    enum column_kind kind;
    struct config_origin origin;
    struct assignment *values; /* an array of n */
    int n;
    struct column *next;
};

struct hand_cell {
    const char *label; /* or NULL */
    struct config_origin origin;
    struct assignment *assignments;
    struct hand_cell *next;
};

/* exclude, where, when; of when also the key. */
struct rule {
    const char *kind;
    const char *key;
    const struct expr *expr;
    struct config_origin origin;
    int costs; /* refers to a cost: tested after costs are known */
    struct rule *next;
};

/* A key that some cell has to read. */
struct claim {
    const char *key;
    struct config_origin origin;
    struct claim *next;
};

struct experiment_spec {
    const struct experiment_source *source;
    struct config *base; /* the sections */
    const char *model;   /* the model file that the sections start from, or NULL */
    struct preset *presets;
    struct column *columns;
    struct hand_cell *cells;
    struct rule *exclude, *where, *when;
    const struct yaml_node *match; /* or NULL */
    struct match *matches;         /* runner/match.c */
    struct assignment *overrides;  /* of keys, applied to every cell last */
    struct claim *claims;
    int overrides_given; /* of keys: the file's own keys may then stay unread */
    int in_file; /* 1 while the experiment's own file is read, 2 for the command line, 0 for base */
};

/* experiment_file.c: reads path and its base files into e. */
int experiment_read(struct experiment *e, const char *path, struct error *err);
void experiment_claim(struct experiment *e, const char *key, struct config_origin origin);
/* First of: beside file, then ROOT/folder/path for each root. NULL where there is none. */
const char *experiment_find_file(struct experiment *e, const char *file, const char *path,
                                 const char *const *folders);

/* Where a value and its key stand. */
struct config_origin experiment_origin(const struct yaml_node *n);
struct config_origin experiment_key_origin(const struct yaml_node *n);
/* "file:3:1: NAME: message"; name may be NULL. Returns -1. */
int experiment_fail(struct config_origin o, struct error *err, const char *name, const char *fmt,
                    ...) __attribute__((format(printf, 4, 5)));
/* Text of a scalar that is no key of the schema; a map (or nothing at all); a key of the schema. */
int experiment_text(struct experiment *e, const struct yaml_node *n, const char **text,
                    struct error *err);
int experiment_check_map(const struct yaml_node *n, struct error *err);
int experiment_check_key(struct experiment *e, const char *key, const struct yaml_node *n,
                         struct error *err);

/* experiment_keys.c: takes one top-level key that is not in the schema: 1 taken, 0 unknown, -1
 * error. experiment_key: name i of them, NULL past the last. */
int experiment_take(struct experiment *e, const struct yaml_node *n, struct error *err);
const char *experiment_key(int i);

/* experiment_cells.c, experiment_rules.c: members of that table. */
int experiment_take_grid(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_zip(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_cells(struct experiment *e, const struct yaml_node *list, struct error *err);
int experiment_take_baseline(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_fallback(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_exclude(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_where(struct experiment *e, const struct yaml_node *n, struct error *err);
int experiment_take_when(struct experiment *e, const struct yaml_node *map, struct error *err);
/* Cuts text into a rule; key may be NULL. */
struct rule *experiment_rule(struct experiment *e, const char *kind, const char *key,
                             const char *text, struct config_origin origin, struct error *err);

/* experiment_axis.c: the values of an axis, n of them chained; NULL on an error. */
struct assignment *experiment_values(struct experiment *e, const char *key,
                                     const struct yaml_node *node, int *n, struct error *err);
/* Adds a column or gives the one that key has new values. */
int experiment_set_column(struct experiment *e, enum column_kind kind, const char *key,
                          const struct yaml_node *node, struct config_origin origin,
                          struct error *err);
int experiment_override(struct experiment *e, const char *text, struct error *err);
/* The model file of that name, read once. */
const struct preset *experiment_preset(struct experiment *e, const char *name,
                                       struct config_origin origin, struct error *err);

/* The named model means itself exactly: what was said below model. before is forgotten. */
void experiment_apply_preset(struct config *c, const struct preset *p);
int experiment_set_model(struct experiment *e, const char *name, struct config_origin origin,
                         struct error *err);

/* judge.c: folds equal cells, computes costs, and gives every cell its state and reason. */
int experiment_judge(struct experiment *e, const struct cost_model *cost, struct error *err);

#endif
